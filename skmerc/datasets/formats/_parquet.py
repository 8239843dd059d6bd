"""Parquet files, whose rows and texts are counted before they are spread out.

A column of equal values takes a few bytes, whatever the number of its rows.
"""

import json
from contextlib import contextmanager
from itertools import chain

from skmerc.datasets.formats._budget import Budget
from skmerc.datasets.formats._files import SoundFileError, check_file, damaged
from skmerc.datasets.formats._parquet_pages import page_sizes

_ROWS = 4096
"""Rows of a file that are read at a time."""

_UNREAD = {"DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"}
"""Encodings of texts that Arrow cannot read each once, whose rows refer to it."""


def read_frame(path, names):
    """Read a file into a frame, whose rows are counted anew.

    Levels of an index that have one of these names become columns.
    """
    budget = Budget(check_file(path))
    with _errors_of(path), _open(path) as file:
        _claim(path, file.metadata, budget)
        for numbers in chain(_lists(file), _fixed(file)):
            budget.claim(*numbers)
        table = _plain(file.read(use_pandas_metadata=True), budget)
        frame = _with_levels(table.to_pandas(), names)
        return frame.reset_index(drop=True)


def read_schema(path):
    """Read what a file says of its columns."""
    check_file(path)
    with _errors_of(path), _open(path) as file:
        return file.schema_arrow


def read_frames(path, n_rows, names, columns=None):
    """Yield frames of so many rows, whose index counts the rows of the file.

    Levels of a stored index that have one of the names become columns; of columns all
    are read, or those given.
    """
    n_read, size = 0, check_file(path)
    batches = _batches(path, min(n_rows, _ROWS), size, columns)
    while True:
        with _errors_of(path):
            frame = next(batches, None)
        if frame is None:
            return
        frame = _with_levels(frame, names)
        yield frame.set_axis(range(n_read, n_read + len(frame)))
        n_read += len(frame)


@contextmanager
def _errors_of(path):
    """Tell of all that goes wrong with a file in one way."""
    try:
        yield
    except Exception as error:
        raise damaged(path, "parquet", error) from error


def _with_levels(frame, names):
    """Make columns of the levels of an index that have one of these names."""
    levels = [name for name in frame.index.names if name in names]
    twice = [name for name in levels if name in frame or levels.count(name) > 1]
    if twice:
        raise SoundFileError(
            f"{twice[0]!r} stands twice: in the index and as a column; keep one"
        )
    return frame.reset_index(level=levels) if levels else frame


def _batches(path, n_rows, size, columns):
    import pyarrow

    # Buffered before they are read, all batches would stay in memory.
    with _open(path, pre_buffer=False) as file:
        # Those of one group are in memory at a time.
        for numbers in chain(_lists(file), _fixed(file)):
            Budget(size).claim(*numbers)
        # One group after another, since the headers of pages stand all over the file.
        for number in range(file.num_row_groups):
            _claim_pages(path, file.metadata.row_group(number), size)
            group = {"row_groups": [number], "columns": columns}
            for batch in file.iter_batches(n_rows, **group):
                table = pyarrow.Table.from_batches([batch])
                yield _plain(table, Budget(size)).to_pandas()


def _open(path, **settings):
    """Open a file so that each text is read once, and its rows refer to it."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        texts = _texts(file.metadata, {*file.schema_arrow.names})
    return ParquetFile(path, read_dictionary=texts, **settings)


def _texts(about, names):
    """List the columns of texts and bytes, of whatever kind Arrow makes of them.

    Refuse the encodings of other programs, which Arrow has no way for.
    """
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    texts = []
    for at in range(about.num_columns if groups else 0):
        first = groups[0].column(at)
        name = first.path_in_schema
        # Within lists and structs Arrow cannot read them each once.
        if first.physical_type != "BYTE_ARRAY" or name not in names:
            continue
        texts.append(name)
        written = set().union(*(group.column(at).encodings for group in groups))
        for encoding in written & _UNREAD:
            raise SoundFileError(
                f"{name!r} holds texts in the encoding {encoding}, which cannot be "
                "read safely here. Write the file anew, as "
                "pandas.read_parquet(path).to_parquet(path) does"
            )
    return texts


def _claim(path, about, budget):
    """Claim what reading a file makes, by its end and by the headers of its pages."""
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    n_rows = max(about.num_rows, sum(group.num_rows for group in groups))
    budget.claim(n_rows * max(1, about.num_columns), f"a table of {n_rows} rows")
    n_bytes = sum(sum(sizes) for group in groups for sizes in page_sizes(path, group))
    budget.claim(n_bytes // 8, f"a table of {n_bytes} bytes")


def _claim_pages(path, group, size):
    """Claim what reading a group by batches makes: a page of each column at a time."""
    n_bytes = sum(max(sizes, default=0) for sizes in page_sizes(path, group))
    Budget(size).claim(n_bytes // 8, f"pages of {n_bytes} bytes")


def _lists(file):
    """Count the numbers in the lists of each group, which a row may hold any number of.

    Each count comes with what the numbers are called in messages.
    """
    # By Arrow's schema: Parquet's own and the metadata hold each other, so that those
    # of all files of a stream would wait in memory.
    names = [field.name for field in file.schema_arrow if _holds_list(field.type)]
    for number in range(file.num_row_groups if names else 0):
        group = file.metadata.row_group(number)
        columns = [group.column(at) for at in range(group.num_columns)]
        lists = [c for c in columns if _is_of(c.path_in_schema, names)]
        n = sum(column.num_values for column in lists)
        yield n, f"the lists of {lists[0].path_in_schema!r} and others"


def _fixed(file):
    """Count bytes of fixed width in each group, which pages need not hold each."""
    from pyarrow import types

    for field in file.schema_arrow:
        kinds = filter(types.is_fixed_size_binary, _kinds(field.type))
        width = max((kind.byte_width for kind in kinds), default=0)
        for number in range(file.num_row_groups if width else 0):
            group = file.metadata.row_group(number)
            columns = [group.column(at) for at in range(group.num_columns)]
            own = [c for c in columns if _is_of(c.path_in_schema, [field.name])]
            n = sum(column.num_values for column in own)
            yield n * width, f"the column {field.name!r}"


def _is_list(kind):
    from pyarrow import types

    lists = types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_map
    return any(is_kind(kind) for is_kind in lists)


def _holds_list(kind):
    return any(map(_is_list, _kinds(kind)))


def _kinds(kind):
    """Yield a type, and those within it."""
    yield kind
    for at in range(kind.num_fields):
        yield from _kinds(kind.field(at).type)


def _is_of(path, names):
    return any(path == name or path.startswith(f"{name}.") for name in names)


def _plain(table, budget):
    """Give each row a text of its own again, and an absent number where all are."""
    import pyarrow

    classes = class_names(table.schema)
    columns, fields = list(table.columns), list(table.schema)
    for at, field in enumerate(fields):
        if field.name in classes and pyarrow.types.is_integer(field.type):
            columns[at] = _named(columns[at], classes[field.name], field.name)
        kind = columns[at].type
        if pyarrow.types.is_null(kind):
            kind = pyarrow.float64()
        elif pyarrow.types.is_date(kind):
            kind = pyarrow.timestamp("s")  # pandas has none but objects for dates
        elif pyarrow.types.is_dictionary(kind):
            kind = kind.value_type
            if columns[at].num_chunks and _is_text(kind):
                _claim_texts(columns[at], budget, field.name)
        else:
            continue
        columns[at] = columns[at].cast(kind)
        fields[at] = pyarrow.field(field.name, kind, field.nullable)
    schema = pyarrow.schema(fields, table.schema.metadata)
    return pyarrow.Table.from_arrays(columns, schema=schema)


def class_names(schema):
    """Names that the numbers of a column stand for, where Hugging Face tells them."""
    told = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(told)["info"]["features"] if told else {}
        return {
            name: list(map(str, feature["names"]))
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"its account of data set features is damaged: {error!r}"
        ) from error


def _named(codes, names, column):
    """Put the name of its class in place of each number; none in place of -1."""
    import pyarrow
    from pyarrow import compute

    codes = compute.if_else(compute.equal(codes, -1), None, codes).cast("int32")
    bounds = compute.min_max(codes).as_py()
    if bounds["max"] is not None and not (
        0 <= bounds["min"] <= bounds["max"] < len(names)
    ):
        raise ValueError(
            f"{column!r} holds classes from {bounds['min']} to {bounds['max']}, and "
            f"{len(names)} have names"
        )
    names = pyarrow.array(names, "string")
    chunks = [pyarrow.DictionaryArray.from_arrays(c, names) for c in codes.chunks]
    return pyarrow.chunked_array(chunks, pyarrow.dictionary("int32", "string"))


def _is_text(kind):
    from pyarrow import types

    texts = types.is_string, types.is_large_string
    known = *texts, types.is_binary, types.is_large_binary
    return any(is_kind(kind) for is_kind in known)


def _claim_texts(column, budget, name):
    from pyarrow import compute

    for chunk in column.chunks:
        lengths = compute.binary_length(chunk.dictionary)
        spread = compute.sum(lengths.take(chunk.indices)).as_py()
        budget.claim(spread or 0, f"the column {name!r}")
