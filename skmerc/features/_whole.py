"""Whether a file ends before its own structure does.

Times cannot tell: a picture may stay for long, one stream may end before another, and
many formats only estimate their length. The sizes of parts are exact.
"""

import math
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO, Literal

from skmerc._utils.types import FilePath

# Programs that write to a pipe do not know the size, and claim about 2 GiB or more,
# or nothing.
UNKNOWN = 0x7FFF0000
UNKNOWN_64 = 2**63  # where sizes have 64 bits, -1 is written
# Some writers count the eight bytes of a header twice, and leave a padding byte out.
SLACK = 9
HEAD = 27 + 255  # bytes that tell the size of a part, at most those of an Ogg page


def is_cut_short(path: FilePath) -> bool | None:
    """Whether a file says that it is longer than it is; None where it says nothing."""
    with open(path, "rb") as file:
        head = file.read(32)
        ends = [end for marks, at, end in KINDS if head.startswith(marks, at)]
        end = ends[0](file) if ends else None
    return None if end is None else os.path.getsize(path) < end - SLACK


def read_at(file: BinaryIO, place: int, n_bytes: int) -> bytes:
    """Return bytes from a place in a file, fewer at its end."""
    # How far one may seek depends on the file system.
    file.seek(min(place, n_bytes_of(file)))
    return file.read(n_bytes)


def n_bytes_of(file: BinaryIO) -> int:
    """Return the bytes that a file has."""
    return os.fstat(file.fileno()).st_size


def end_of_parts(
    file: BinaryIO, size_of: Callable[[bytes], int | None], start: int = 0
) -> int | None:
    """Return where the last of the parts ends that follow each other in a file.

    `size_of` tells the size of a part by its first bytes: None where no part begins,
    and 0 where the file does not say it, so that nothing is known.
    """
    end = start
    while size := size_of(read_at(file, end, HEAD)):
        end += size
    return end if size is None else None


def size_of_chunk(
    head: bytes, marks: tuple[bytes, ...], order: Literal["big", "little"]
) -> int | None:
    """Return the size of a chunk of an AVI or AIFF file."""
    if not head.startswith(marks):
        return None
    size = int.from_bytes(head[4:8], order)
    return 8 + size + size % 2 if 0 < size < UNKNOWN else 0


def size_of_object(head: bytes, marks: tuple[bytes, ...]) -> int | None:
    """Return the size of an object of a WMA, WMV or W64 file."""
    if not head.startswith(marks):
        return None
    size = int.from_bytes(head[16:24], "little")
    return size if size < UNKNOWN_64 else 0


def size_of_caf_chunk(head: bytes) -> int | None:
    """Return the size of a chunk of a Core Audio file."""
    if len(head) < 12:
        return None
    size = int.from_bytes(head[4:12], "big")
    return 12 + size if size < UNKNOWN_64 else 0


def size_of_box(head: bytes) -> int | None:
    """Return the size of a box of an MP4 or QuickTime file; 0 if it is the last."""
    if head[4:8] not in BOXES:
        return None
    size = int.from_bytes(head[:4], "big")
    return int.from_bytes(head[8:16], "big") if size == 1 else size


def size_of_element(head: bytes, inside: bool = False) -> int | None:
    """Return the size of an element of a Matroska or WebM file.

    Where what is inside counts, that of a part without an end is the size of its head.
    """
    if not head.startswith(EBML + WITHIN_EBML * inside):
        return None
    place = 9 - head[0].bit_length()
    width = 9 - head[place].bit_length() if len(head) > place else 9
    largest = (1 << 7 * width) - 1
    size = int.from_bytes(head[place : place + width], "big") & largest
    if width > 8 or size == largest:
        return place + width if inside and head.startswith(ENDLESS_EBML) else 0
    return place + width + size


def end_of_matroska(file: BinaryIO) -> float | None:
    """Return where a Matroska or WebM file ends, that of a live recording too."""
    end = end_of_parts(file, size_of_element)
    return end_of_parts(file, partial(size_of_element, inside=True), end or 0)


def size_of_pack(head: bytes) -> int | None:
    """Return the size of a header or packet of an MPEG program stream."""
    if not head.startswith(b"\0\0\1") or len(head) < 14 or head[3] < 0xB9:
        return None
    if head[3] == 0xB9:
        return 4
    if head[3] == 0xBA:
        return 14 + head[13] % 8 if head[4] >> 6 == 1 else 12
    return 6 + int.from_bytes(head[4:6], "big")


def end_of_packets(file: BinaryIO, size: int, first: int = 0) -> int | None:
    """Return where the packets of an MPEG transport stream end, all of one size."""
    if any(read_at(file, first + n * size, 1) != b"G" for n in range(4)):
        return None
    return -(-n_bytes_of(file) // size) * size


def end_of_gif(file: BinaryIO) -> float | None:
    """Return where the pictures of a GIF file end; infinity where one breaks off."""
    place = 13 + size_of_colors(read_at(file, 10, 1))
    while head := read_at(file, place, 10):
        if head.startswith(b";"):
            return place + 1
        if head[:1] not in b"!,":
            return None
        place += 2 if head.startswith(b"!") else 11 + size_of_colors(head[9:])
        while (size := read_at(file, place, 1)) and size != b"\0":
            place += 1 + size[0]
        if not size:
            return math.inf
        place += 1
    return None


def end_of_jpeg(file: BinaryIO) -> float | None:
    """Return where a JPEG picture ends; infinity where it breaks off."""
    place = 2
    while (head := read_at(file, place, 4)) and head[:1] == b"\xff":
        place += 1 if head[1:2] == b"\xff" else 2 + int.from_bytes(head[2:], "big")
        if head[1:2] == b"\xda":  # behind it the picture itself
            file.seek(place)
            found = file.read().find(b"\xff\xd9")
            return math.inf if found < 0 else place + found + 2
    return None if head else math.inf


def size_of_colors(flags: bytes) -> int:
    """Return the bytes of the colours that a byte of a GIF file announces."""
    return 3 << (flags[0] % 8 + 1) if flags and flags[0] & 0x80 else 0


def size_of_page(head: bytes) -> int | None:
    """Return the size of a page of an Ogg file."""
    if not head.startswith(b"OggS"):
        return None
    n_segments = head[26] if len(head) > 26 else 0
    return 27 + n_segments + sum(head[27 : 27 + n_segments])


def is_chained(path: FilePath) -> bool:
    """Whether an Ogg file holds streams one behind the other, as of a radio."""
    has_begun, place = False, 0
    with open(path, "rb") as file:
        while size := size_of_page(head := read_at(file, place, HEAD)):
            begins = head[5:6] == b"\2"
            if begins and has_begun:
                return True
            has_begun = has_begun or not begins
            place += size
    return False


def size_of_tag(head: bytes) -> int | None:
    """Return the size of a tag of a Flash video."""
    return 15 + int.from_bytes(head[1:4], "big") if head.startswith(FLV) else None


def end_of_wave(file: BinaryIO) -> int | None:
    """Return where the samples of a WAV file end; what follows them may be absent.

    Beyond 4 GiB, and where a recorder was ready for that, their size stands in front.
    """
    large = 0
    for name, start, size in chunks_of_wave(file):
        if name == b"ds64":
            large = int.from_bytes(read_at(file, start + 8, 8), "little")
        if name == b"data":
            size = large if size == 0xFFFFFFFF else size
            is_known = 0 < size < (UNKNOWN_64 if large else UNKNOWN)
            # Some recorders write the size of the file there.
            is_known = is_known and n_bytes_of(file) not in (size, size + 8)
            return start + size if is_known else None
    return None  # a chunk of odd size without its padding hides those behind it


def chunks_of_wave(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, place and size of each chunk of a WAV file."""
    end = 12
    while re.match(rb"[ -~]{4}.{4}", head := read_at(file, end, 8), re.DOTALL):
        size = int.from_bytes(head[4:], "little")
        yield head[:4], end + 8, size
        end += 8 + size + size % 2


def end_of_au(file: BinaryIO) -> int | None:
    """Return where the samples of an AU file end."""
    head = read_at(file, 0, 12)
    start, size = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:], "big")
    return start + size if size < UNKNOWN else None


def end_of_sphere(file: BinaryIO) -> int | None:
    """Return where a file of NIST ends, the format of TIMIT and Switchboard."""
    head = read_at(file, 0, 1024)
    told = dict(re.findall(rb"(?m)^(\w+) -i (\d+)", head))
    names = (b"sample_count", b"sample_n_bytes", b"channel_count")
    if b"embedded" in head or not told.keys() >= set(names):
        return None
    return 1024 + math.prod(int(told[name]) for name in names)


def end_of_mp3(file: BinaryIO) -> int | None:
    """Return where an MP3 file ends, if its first frame tells."""
    head = read_at(file, 0, 10)
    start = 0
    if head.startswith(b"ID3"):
        start = 10 + sum(byte << 7 * i for i, byte in enumerate(reversed(head[6:])))
    found = MP3_LENGTH.search(read_at(file, start, 8192))
    return start + found.start() + int.from_bytes(found[1], "big") if found else None


def parts(size_of: Callable, start: int = 0, **settings: Any) -> Callable:
    """Make a function that finds the end of a file of such parts."""
    return partial(end_of_parts, size_of=partial(size_of, **settings), start=start)


BOXES = b"ftyp styp moov mdat moof free skip wide uuid sidx mfra meta pnot junk".split()
EBML = (bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067"))
ENDLESS_EBML = (bytes.fromhex("18538067"), bytes.fromhex("1f43b675"))
WITHIN_EBML = tuple(
    map(
        bytes.fromhex,
        "1f43b675 114d9b74 1549a966 1654ae6b 1c53bb6b 1254c367 1043a770 1941a469 5854 "
        "ec bf e7 a3 a0 a7 ab af".split(),
    )
)
ASF = tuple(map(bytes.fromhex, ("3026b275", "3626b275", "90080033", "d329e2d6")))
W64 = (b"riff\x2e\x91\xcf\x11",)
FLV = (b"\x08", b"\x09", b"\x12")
MP3_LENGTH = re.compile(
    rb"\xff[\xe0-\xff].{11,34}?(?:Xing|Info)\0\0\0[\x03\x07\x0b\x0f].{4}(.{4})",
    re.DOTALL,
)
# The first that fits counts.
KINDS: list[tuple[tuple[bytes, ...], int, Callable[[BinaryIO], float | None]]] = [
    ((b"\xff\xd8\xff",), 0, end_of_jpeg),
    ((b"ID3", b"\xff"), 0, end_of_mp3),
    ((b"RIFX",), 0, parts(size_of_chunk, marks=(b"RIFX",), order="big")),
    ((b"FORM",), 0, parts(size_of_chunk, marks=(b"FORM",), order="big")),
    ((b"WAVE",), 8, end_of_wave),  # RIFF, RF64 or BW64
    ((b"AVI ",), 8, parts(size_of_chunk, marks=(b"RIFF",), order="little")),
    (ASF[:1], 0, parts(size_of_object, marks=ASF)),
    (W64, 0, parts(size_of_object, marks=W64)),
    ((b".snd",), 0, end_of_au),
    ((b"caff",), 0, parts(size_of_caf_chunk, start=8)),
    ((b"NIST_1A",), 0, end_of_sphere),
    (tuple(BOXES), 4, parts(size_of_box)),
    (EBML[:1], 0, end_of_matroska),
    ((b"OggS",), 0, parts(size_of_page)),
    ((b"FLV\x01",), 0, parts(size_of_tag, start=13)),
    ((b"GIF8",), 0, end_of_gif),
    ((b"\0\0\1\xba",), 0, parts(size_of_pack)),
    ((b"G",), 0, partial(end_of_packets, size=188)),
    ((b"G",), 4, partial(end_of_packets, size=192, first=4)),
]
