"""Conversations from files that are larger than memory, part by part."""

import re
from collections.abc import Iterator, Sequence
from numbers import Integral
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from skmerc._utils.compat import Interval, validate_params
from skmerc._utils.files import as_path
from skmerc._utils.types import FilePath
from skmerc.datasets.formats._budget import Budget
from skmerc.datasets.formats._files import check_file, content_of
from skmerc.datasets.tables._part_files import KINDS
from skmerc.datasets.tables._table import as_names, labels_of, refuse_absent
from skmerc.datasets.tables._table_files import (
    Table,
    keys_of,
    table_of,
    vector_columns,
)
from skmerc.datasets.tables._vectors import first_cell, width_of
from skmerc.frame import make_frame
from skmerc.frame._columns import as_text

_LEVEL = re.compile(r"__index_level_\d+__")
"""How pandas calls an index without a name, which some files have and others not."""

_ROW = 32
"""Elements that the keys and the label of a row cost, which are texts of their own."""


@validate_params(
    {
        "path": [str, PathLike],
        "rows": [Interval(Integral, 1, None, closed="left")],
        "modalities": ["array-like", None],
        "label": [str],
        "encoding": [str, None],
    },
    prefer_skip_nested_validation=True,
)
def iter_table(
    path: FilePath,
    *,
    rows: int = 50_000,
    modalities: Sequence[str] | None = None,
    label: str = "label",
    encoding: str | None = None,
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Read a table of utterances part by part, each of whole dialogues.

    For tables that are larger than memory, which takes no more than a few times the
    part at hand: `rows` utterances and the rest of a dialogue.

    Parameters
    ----------
    path : str or Path
        A file ending in ``.parquet``, ``.csv``, ``.csv.gz``, ``.tsv`` or ``.tsv.gz``,
        or a folder of parquet or of CSV files, with folders inside such as ``part=0``
        or without. Files and folders that begin with a dot or an underscore are left
        out.
    rows : int, default=50_000
        Number of utterances after which a part ends with the dialogue at hand.
    modalities : list of str, default=None
        The modalities to read, in the order wanted; by default all of them.
    label : str, default="label"
        Name of the column of labels.
    encoding : str or None, default=None
        The encoding of files of text, such as ``"cp1252"`` where a spreadsheet of
        Windows has saved them. By default UTF-8, or what a byte order mark says.

    Returns
    -------
    parts : generator of (X, y)
        The next dialogues and their labels, as :func:`load_table` returns them. A
        call makes a new generator, which begins anew.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or none of these kinds in the folder.
    ImportError
        If pyarrow is not installed, which parquet needs.
    ValueError
        If files are of several kinds or differ in their columns, one is damaged, a
        dialogue goes on after another one has begun or is larger than files of their
        size can hold, there is no key ``dialogue``, a part has no label, or for the
        reasons of
        :func:`load_table`.

    See Also
    --------
    load_table : Read a table that fits into memory.

    Notes
    -----
    Columns are called as for :func:`load_table`, and what that says of vectors in one
    column and of keys in the index holds here. A modality, a speaker or the labels of
    context may be null throughout a file. The rows of a dialogue follow each
    other, so sort by dialogue before writing; it may go on in the next file. Files are
    read in the order of their names, where ``part-10`` comes behind ``part-9``. What
    folders are called is not read: keys and labels are columns of the files, and a
    split such as training has a folder of its own.

    Files of CSV are laid out as for :func:`load_table`, and read twice, since their
    labels are text throughout unless all of them are numbers, or True and False.

    ``partial_fit`` shuffles the dialogues of a part, not those of the table, so write
    dialogues in random order. Write row groups of no more than `rows` rows, since
    pyarrow reads one at a time (pandas makes them of a million rows unless told
    otherwise by ``row_group_size``). Besides a part, the ids of all dialogues stay in
    memory, to find one that comes back.

    Examples
    --------
    A table in files of whole dialogues, in random order, and two passes over it:

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skmerc import CBERLClassifier
    >>> from skmerc.datasets import iter_table, make_conversations
    >>> X, y = make_conversations(20, random_state=0)
    >>> model = CBERLClassifier(hidden_size=8, random_state=0)
    >>> order = np.random.default_rng(0).permutation(X["dialogue__id"].unique())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for number, ids in enumerate(np.array_split(order, 4)):
    ...         part = X.assign(label=y)[X["dialogue__id"].isin(ids)]
    ...         part = part.sort_values("dialogue__id", kind="stable")
    ...         file = Path(folder) / f"part-{number}.parquet"
    ...         part.to_parquet(file, index=False, row_group_size=10_000)
    ...     for epoch in range(2):
    ...         for X_part, y_part in iter_table(folder, rows=100):
    ...             model = model.partial_fit(X_part, y_part, classes=np.unique(y))
    >>> model.n_iter_
    6
    """
    path = as_path(path)
    names = as_names("modalities", modalities)
    with content_of(path, "a table"):
        kind, files = _files_of(path, label)
    with content_of(path, kind.name):
        reader = kind(label, encoding)
        _refuse_other_columns(files, reader)
        widths = _widths(files, rows, names, reader)
    tables = _tables(files, rows, names, reader, widths)
    return _checked(_parts(tables, path, rows, files), path, kind)


def _checked(parts, path, kind):
    with content_of(path, kind.name):
        yield from parts


def _files_of(path, label):
    """Kind of the files of a folder, and these in the order of names and numbers."""
    if path.exists() and not path.is_dir():
        check_file(path)
        found, inside = [path], {path: Path(path.name)}
    else:
        found = [file for file in path.rglob("*") if not file.is_dir()]
        inside = {file: file.relative_to(path) for file in found}
    shown = [f for f in found if not any(p[0] in "._" for p in inside[f].parts)]
    fitting = {
        kind: [f for f in shown if f.name.lower().endswith(kind.endings)]
        for kind in KINDS
    }
    kinds = [kind for kind, files in fitting.items() if files]
    if not kinds and shown and found == [path]:  # a file of any name is to be parquet
        kinds, fitting = KINDS[:1], {KINDS[0]: shown}
    if not kinds:
        raise FileNotFoundError(
            f"There is no parquet file at {path}, and no CSV file; give one, or a "
            "folder of them. Parts of other kinds are for load_table, one by one, or "
            "are written as parquet first."
        )
    if len(kinds) > 1:
        raise ValueError(
            f"{path} holds files of {' and of '.join(kind.name for kind in kinds)}, "
            f"such as {' and '.join(fitting[kind][0].name for kind in kinds)}; give a "
            "folder for each, or leave out those that are no part of the table."
        )
    files = fitting[kinds[0]]
    for file in files:
        _refuse_columns_in_folder_names(file, label)
    return kinds[0], sorted(files, key=lambda file: _by_number(inside[file]))


def _by_number(file):
    """Return a key to sort names by, in which numbers count as numbers."""
    parts = re.split(r"(\d+)", file.as_posix())
    return [int(part) if part.isdigit() else part for part in parts]


def _refuse_columns_in_folder_names(file, label):
    for part in file.parent.parts:
        column, separator, _ = part.partition("=")
        empty = pd.DataFrame(columns=[column])
        if separator and (column == label or keys_of(empty, file)):
            raise ValueError(
                f"{file}: {column!r} stands in the name of a folder, which is not "
                "read. Make it a column of the files, and partition by another one."
            )


def _refuse_other_columns(files, reader):
    first, *others = ((file, reader.columns(file)) for file in files)
    for file, columns in others:
        names = set(columns) ^ set(first[1])
        different = sorted(name for name in names if not _LEVEL.fullmatch(name))
        if different:
            raise ValueError(
                f"{file} and {first[0]} differ in the columns {different[:10]} "
                f"({len(different)} in all); all files of a table have the same."
            )
        kinds = [reader.kind(part) for part in (file, first[0])]
        if None not in kinds and kinds[0] != kinds[1]:
            raise ValueError(
                f"{file} holds {reader.label!r} as {kinds[0]}, and {first[0]} as "
                f"{kinds[1]}; write it as the same in all files."
            )


def _widths(files, size, names, reader):
    """Find the length of vectors in columns, which parts of a table may lack."""
    columns = reader.columns(files[0])
    empty = pd.DataFrame(columns=[c for c in columns if not _LEVEL.fullmatch(c)])
    _refuse_tuples(files[0], empty)
    columns = vector_columns(empty, files[0], names, reader.label)
    found = {}
    for file in files:
        sought = [column for column in columns if column not in found]
        found |= _widths_in(file, size, sought, reader)
    return found


def _refuse_tuples(file, frame):
    """Refuse names of several levels, which pandas writes as text of a tuple."""
    odd = [name for name in frame if re.fullmatch(r"\('.*'\)", name)]
    if odd:
        raise ValueError(
            f"{file} has the column {odd[0]}, from a table with MultiIndex columns; "
            "flatten them before writing: frame.columns = ['__'.join(map(str, c)) for "
            "c in frame.columns]."
        )


def _widths_in(file, size, columns, reader):
    """Find the length of the first vector that a file has in each of some columns."""
    found, sought = {}, columns
    # All in one pass: a table that names no modality has thousands of such columns.
    for frame in reader.frames(file, size, columns) if columns else ():
        first = {column: first_cell(frame[column]) for column in sought}
        sought = [column for column in sought if not len(first[column])]
        found |= {name: width_of(cell, file) for name, cell in first.items()}
        if not sought:
            break
    return {column: width for column, width in found.items() if width}


def _tables(files, size, names, reader, widths):
    """Read all files in batches, with ids as text."""
    for file in files:
        for frame in reader.frames(file, size):
            table = table_of(frame, file, names, reader.label, widths)
            refuse_absent(table, reader.label, file)
            table.keys["dialogue"] = _ids_of(table, file)
            yield file, table


def _ids_of(table, file):
    if "dialogue" not in table.keys:
        raise ValueError(
            f"{file} has no column 'dialogue__id' or 'dialogue', so that no part of it "
            "can be known to be whole; add one that numbers the utterances if each "
            "stands alone."
        )
    for name in ("dialogue", "turn"):
        key = table.keys.get(name)
        if key is not None and key.isna().any():
            raise ValueError(
                f"{file}: {name} is missing in row {key.index[key.isna()][0]}; every "
                "utterance needs one."
            )
    ids = table.keys["dialogue"]
    return as_text(ids, f"{file}: dialogue").to_numpy(dtype=object)


def _parts(tables, path, rows, files):
    """Join tables, and cut them behind whole dialogues."""
    size = sum(file.stat().st_size for file in files)
    held, n_held, last, closed, budget = [], 0, None, set(), Budget(size)
    for file, table in tables:
        ids = table.keys["dialogue"]
        begins = np.flatnonzero(ids != np.append(last, ids[:-1]))
        _refuse_those_that_come_back(ids, begins, closed, file, table)
        last = ids[-1]
        # At most one, since no batch has more rows than a part.
        for cut in begins[begins + n_held >= rows][:1]:
            held.append(table.take(slice(cut)))
            yield _as_xy(held, path)
            table, held, n_held = table.take(slice(cut, None)), [], 0
            budget = Budget(size)
        held.append(table)
        _claim(table, budget, f"{path}, dialogue {last!r},")
        n_held += len(table.labels)
    if not held:
        raise ValueError(f"{path} has no rows.")
    yield _as_xy(held, path)


def _claim(table, budget, where):
    """Pay for what is held until its dialogue ends, which may be never."""
    width = _ROW + sum(block.shape[1] for block in table.blocks.values())
    budget.claim(len(table.labels) * width, where)


def _refuse_those_that_come_back(ids, begins, closed, file, table):
    for position in begins:
        other = _other_form(ids[position])
        if other in closed:
            raise ValueError(
                f"{file}: dialogue {ids[position]!r} in row "
                f"{table.labels.index[position]} was {other!r} before, which is the "
                "same number; write it as the same type in all files."
            )
        if ids[position] in closed:
            raise ValueError(
                f"{file}: dialogue {ids[position]!r} goes on in row "
                f"{table.labels.index[position]}, after another one has begun. Sort "
                "the table by dialogue before writing it: the rows of each follow "
                "each other, also from file to file."
            )
        closed.add(ids[position])


def _other_form(name):
    """Write a whole number as a float, or the other way round."""
    return name.removesuffix(".0") if name.endswith(".0") else f"{name}.0"


def _as_xy(tables, path):
    """Join tables into features with keys and labels, and drop the tables."""
    table = _join(tables)
    tables.clear()
    ids = table.keys["dialogue"]
    where = f"{path}, dialogues {ids[0]!r} to {ids[-1]!r}"
    with content_of(where, "a table"):
        return make_frame(table.blocks, **table.keys), labels_of(table, where)


def _join(tables):
    first = tables[0]
    return Table(
        {name: _concat([t.blocks[name] for t in tables]) for name in first.blocks},
        {name: np.concatenate([t.keys[name] for t in tables]) for name in first.keys},
        _concat([t.labels for t in tables]),
        None,
    )


def _concat(parts):
    return pd.concat(parts, ignore_index=True)
