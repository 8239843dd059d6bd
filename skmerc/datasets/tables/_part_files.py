"""Files of the parts of a table: what each kind tells of its columns, and its rows."""

from skmerc._utils.optional import need
from skmerc.datasets.formats._csv_files import read_csv_header, read_csv_parts
from skmerc.datasets.formats._parquet import class_names, read_frames, read_schema
from skmerc.datasets.tables._table_files import KEYS_AND_PART


class ParquetFiles:
    """Files of parquet.

    Parameters
    ----------
    label : str
        Name of the column of labels.
    encoding : str or None, default=None
        That of files of text, which these are not.
    """

    name, endings = "parquet", (".parquet",)

    def __init__(self, label, encoding=None):
        need("parquet", "pyarrow")
        self.label = label

    def columns(self, file):
        """List the names of the columns, those of an index among them."""
        return read_schema(file).names

    def frames(self, file, n_rows, columns=None):
        """Yield frames of so many rows; of columns all, or those given."""
        levels = () if columns else [*KEYS_AND_PART, self.label]
        return read_frames(file, n_rows, levels, columns)

    def kind(self, file):
        """Type of the labels; None if there is none in a file."""
        from pyarrow import types

        schema, label = read_schema(file), self.label
        if label in class_names(schema):
            return "text"
        kind = schema.field(label).type if label in schema.names else None
        if kind is None or types.is_null(kind):
            return None
        kind = kind.value_type if types.is_dictionary(kind) else kind
        return "text" if types.is_string(kind) or types.is_large_string(kind) else kind


class CsvFiles:
    """Files of CSV, whose labels are text throughout unless all are of another kind.

    Parameters
    ----------
    label : str
        Name of the column of labels.
    encoding : str or None, default=None
        That of all files; None for that of each.
    """

    name, endings = "CSV", (".csv", ".csv.gz", ".tsv", ".tsv.gz")

    def __init__(self, label, encoding=None):
        self.label, self.encoding = label, encoding
        self.known, self.kinds = {}, set()

    def columns(self, file):
        """List the names of the columns."""
        if file not in self.known:
            header, kinds = read_csv_header(file, self.label, self.encoding)
            self.known[file] = header
            self.kinds |= kinds
        return self.known[file]

    def frames(self, file, n_rows, columns=None):
        """Yield frames of so many rows; of columns all, or those given."""
        as_text = len(self.kinds) > 1 or "text" in self.kinds
        how = {"encoding": self.encoding, "as_text": as_text}
        return read_csv_parts(file, self.label, n_rows, columns, **how)

    def kind(self, file):
        """Return None: the types of labels are found out in all files together."""


KINDS = (ParquetFiles, CsvFiles)
