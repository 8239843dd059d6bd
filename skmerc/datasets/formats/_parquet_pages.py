"""What the pages of a parquet file unpack to, by their headers.

The end of a parquet file says how many bytes its columns take, and nothing holds it to
that: each page has a header of its own, and pyarrow takes the memory that one names.
Headers are structures of Thrift's compact protocol, of which a few numbers are read.
"""

import mmap
from functools import partial

_UNPACKED, _PACKED, _DATA, _DATA_2 = 2, 3, 5, 8
"""Fields of a header: the bytes of its page, and what only pages of values have."""


def page_sizes(path, group):
    """Read the bytes that the pages of each column of a row group unpack to.

    A ValueError tells of columns that take more bytes than the file has, and of damaged
    headers.
    """
    columns = [group.column(number) for number in range(group.num_columns)]
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=1) as data:
        if sum(column.total_compressed_size for column in columns) > len(data):
            raise ValueError("its columns take more bytes than the file has")
        return [list(_pages(data, column)) for column in columns]


def _pages(data, column):
    at = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < at:
        at = column.dictionary_page_offset
    end, left = at + column.total_compressed_size, column.num_values
    while at < end and left > 0:
        header, at = _structure(data, at)
        if header[_PACKED] < 0 or header[_UNPACKED] < 0:
            raise ValueError(f"a page that ends at byte {at} has a negative size")
        yield header[_UNPACKED]
        at += header[_PACKED]
        left -= (header.get(_DATA) or header.get(_DATA_2) or {1: 0})[1]


def _structure(data, at):
    """Read the fields of a structure by their numbers, and where it ends."""
    fields, number = {}, 0
    while byte := data[at]:
        kind, at = byte & 15, at + 1
        if byte >> 4:
            number += byte >> 4
        else:
            number, at = _integer(data, at)
        # The kind of a field that is true or false is its value.
        fields[number], at = (kind == 1, at) if kind < 3 else _READ[kind](data, at)
    return fields, at + 1


def _natural(data, at):
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(f"a number that ends at byte {at} has too many bytes")


def _integer(data, at):
    value, at = _natural(data, at)
    return (value >> 1) ^ -(value & 1), at


def _skipped(data, at, size):
    return None, at + size


def _bytes(data, at):
    size, at = _natural(data, at)
    return None, at + size


def _items(data, at):
    byte, at = data[at], at + 1
    size, read = byte >> 4, _READ[byte & 15]
    if size == 15:
        size, at = _natural(data, at)
    for _ in range(size):
        _, at = read(data, at)
    return None, at


_READ = {
    1: partial(_skipped, size=1),
    2: partial(_skipped, size=1),
    3: partial(_skipped, size=1),
    4: _integer,
    5: _integer,
    6: _integer,
    7: partial(_skipped, size=8),
    8: _bytes,
    9: _items,
    10: _items,
    12: _structure,
}
"""How values are read, by the numbers that the protocol gives to their types."""
