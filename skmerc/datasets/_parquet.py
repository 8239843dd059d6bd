"""Parquet files, whose rows and texts are counted before they are spread out.

A column of equal values takes a few bytes, whatever the number of its rows.
"""

from importlib.util import find_spec

from skmerc.datasets._border import damaged
from skmerc.datasets._budget import Budget
from skmerc.datasets._regular_file import check_file

_ROWS = 4096
"""Rows of a file that are read at a time."""


def need_pyarrow(path):
    """Tell what to install where pyarrow is absent."""
    if find_spec("pyarrow") is None:
        raise ImportError(
            f"Reading {path} needs pyarrow: pip install 'skmerc[parquet]'."
        )


def read_frame(path, names):
    """Read a file into a frame, whose rows are counted anew.

    Levels of an index that have one of these names become columns.
    """
    budget = Budget(check_file(path))
    try:
        with _open(path) as file:
            _claim(file, budget)
            _claim_lists(file, budget)
            table = _plain(file.read(use_pandas_metadata=True), budget)
            frame = _with_levels(table.to_pandas(), names)
            return frame.reset_index(drop=True)
    except Exception as error:
        raise damaged(path, "parquet", error) from error


def read_schema(path):
    """Read what a file says of its columns."""
    check_file(path)
    try:
        with _open(path) as file:
            return file.schema_arrow
    except Exception as error:
        raise damaged(path, "parquet", error) from error


def read_frames(path, n_rows, names, columns=None):
    """Yield frames of so many rows, whose index counts the rows of the file.

    Levels of a stored index that have one of the names become columns; of columns all
    are read, or those given.
    """
    n_read, size = 0, check_file(path)
    batches = _batches(path, min(n_rows, _ROWS), size, columns)
    while True:
        try:
            frame = next(batches, None)
        except Exception as error:
            raise damaged(path, "parquet", error) from error
        if frame is None:
            return
        frame = _with_levels(frame, names)
        yield frame.set_axis(range(n_read, n_read + len(frame)))
        n_read += len(frame)


def _with_levels(frame, names):
    """Make columns of the levels of an index that have one of these names."""
    levels = [name for name in frame.index.names if name in names]
    twice = [name for name in levels if name in frame or levels.count(name) > 1]
    if twice:
        raise ValueError(f"{twice[0]!r} stands twice: in the index and as a column")
    return frame.reset_index(level=levels) if levels else frame


def _batches(path, n_rows, size, columns):
    import pyarrow

    # Buffered before they are read, all batches would stay in memory.
    with _open(path, pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            _claim_lists(file, Budget(size), [group])
        for batch in file.iter_batches(n_rows, columns=columns):
            table = pyarrow.Table.from_batches([batch])
            yield _plain(table, Budget(size)).to_pandas()


def _open(path, **settings):
    """Open a file so that each text is read once, and its rows refer to it."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        schema = file.schema_arrow
    kinds = (pyarrow.types.is_string, pyarrow.types.is_large_string)
    texts = [f.name for f in schema if any(is_kind(f.type) for is_kind in kinds)]
    return ParquetFile(path, read_dictionary=texts, **settings)


def _claim(file, budget):
    about = file.metadata
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    n_rows = max(about.num_rows, sum(group.num_rows for group in groups))
    budget.claim(n_rows * max(1, about.num_columns), f"a table of {n_rows} rows")
    n_bytes = sum(
        group.column(at).total_uncompressed_size
        for group in groups
        for at in range(group.num_columns)
    )
    budget.claim(max(0, n_bytes // 8), f"a table of {n_bytes} bytes")


def _claim_lists(file, budget, groups=None):
    """Pay for the numbers in lists, of which a row may hold any number."""
    groups = range(file.num_row_groups) if groups is None else groups
    for group in map(file.metadata.row_group, groups):
        for at in range(group.num_columns):
            if file.schema.column(at).max_repetition_level:
                column = group.column(at)
                what = f"the lists of {column.path_in_schema!r}"
                budget.claim(column.num_values, what)


def _plain(table, budget):
    """Give each row a text of its own again, and an absent number where all are."""
    import pyarrow
    from pyarrow import compute

    for at, field in enumerate(table.schema):
        if pyarrow.types.is_null(field.type):
            empty = pyarrow.nulls(len(table), pyarrow.float64())
            table = table.set_column(at, field.with_type(pyarrow.float64()), empty)
        if pyarrow.types.is_dictionary(field.type):
            column = table.column(at)
            for chunk in column.chunks:
                lengths = compute.binary_length(chunk.dictionary)
                spread = compute.sum(lengths.take(chunk.indices)).as_py()
                budget.claim(spread or 0, f"the column {field.name!r}")
            plain = pyarrow.field(field.name, field.type.value_type, field.nullable)
            table = table.set_column(at, plain, column.cast(plain.type))
    return table
