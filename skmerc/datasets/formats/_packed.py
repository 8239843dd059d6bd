"""Packed files, as joblib and pandas write them, unpacked while they are read.

The standard library's files for this are no use here: that of LZMA takes the memory
that a file asks for, and there is none for zlib.
"""

import bz2
import io
import lzma
import zlib

_BLOCK = 2**16
_MEMORY = 2**28
"""Bytes that LZMA may take; its strongest preset needs 65 megabytes."""

_WORD = 8
"""Bytes of an element, as far as a budget goes: those of a number."""


class _Zlib:
    """zlib's unpacker with the interface of those of bz2 and lzma."""

    def __init__(self, bits):
        self._unpacker, self._rest = zlib.decompressobj(bits), b""

    @property
    def eof(self):
        return self._unpacker.eof

    @property
    def needs_input(self):
        return not self._rest

    def decompress(self, data, max_length):
        unpacked = self._unpacker.decompress(self._rest + data, max_length)
        self._rest = self._unpacker.unconsumed_tail
        return unpacked


def _lzma(kind):
    return lambda: lzma.LZMADecompressor(kind, memlimit=_MEMORY)


_WAYS = {
    b"\x1f\x8b": ("gzip", lambda: _Zlib(31)),
    b"BZh": ("bzip2", bz2.BZ2Decompressor),
    b"\xfd7zXZ\x00": ("xz", _lzma(lzma.FORMAT_XZ)),
    b"]\x00\x00": ("lzma", _lzma(lzma.FORMAT_ALONE)),
    b"x\x01": ("zlib", lambda: _Zlib(15)),
    b"x\x5e": ("zlib", lambda: _Zlib(15)),
    b"x\x9c": ("zlib", lambda: _Zlib(15)),
    b"x\xda": ("zlib", lambda: _Zlib(15)),
}


_SIGNS = {
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
    **{b"BZh%d1AY&SY" % size: "bzip2" for size in range(1, 10)},
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"7z\xbc\xaf": "7-Zip",
    b"Rar!": "RAR",
    b"\x04\x22\x4d\x18": "LZ4",
}
"""How files begin that are packed, and no text does."""


def packed_by(head):
    """Tell what a file is packed by that should be text; None if it is not."""
    return next((way for sign, way in _SIGNS.items() if head.startswith(sign)), None)


def way_of_packing(head):
    """Tell by its first bytes how a file is packed; None if it is not."""
    return next(
        (way for start, (way, _) in _WAYS.items() if head.startswith(start)), None
    )


def unpacked(file, head, budget):
    """Read what is packed: a file of bytes, and the most that it may hold."""
    make = next(make for start, (_, make) in _WAYS.items() if head.startswith(start))
    size = _WORD * budget.allowed
    return io.BufferedReader(_Unpacked(file, make())), size


class _Unpacked(io.RawIOBase):
    """A file of bytes that is unpacked as far as it is read."""

    def __init__(self, file, unpacker):
        self._file, self._unpacker = file, unpacker

    def readable(self):
        return True

    def readinto(self, buffer):
        unpacked = b""
        while not unpacked and not self._unpacker.eof:
            given = self._file.read(_BLOCK) if self._unpacker.needs_input else b""
            if not given and self._unpacker.needs_input:
                raise EOFError("what is packed ends too early")
            try:
                unpacked = self._unpacker.decompress(given, len(buffer))
            except (OSError, lzma.LZMAError, zlib.error) as error:
                raise ValueError(f"it cannot be unpacked: {error}") from error
        buffer[: len(unpacked)] = unpacked
        return len(unpacked)
