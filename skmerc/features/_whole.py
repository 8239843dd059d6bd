"""Whether a file ends before its own structure does.

Times do not tell: a picture may stay for long, one stream may end before another, and
the length of many formats is but an estimate. The sizes of parts are exact.
"""

import math
import os
import re
from functools import partial

# Programs that write to a pipe do not know the size, and claim about 2 GiB or more,
# or nothing.
UNKNOWN = 0x7FFF0000
# Some writers count the eight bytes of a header twice, and leave a padding byte out.
SLACK = 9


def is_cut_short(path):
    """Whether a file says that it is longer than it is; None where it says nothing."""
    with open(path, "rb") as file:
        head = file.read(32)
        ends = [end for marks, at, end in KINDS if head.startswith(marks, at)]
        end = ends[0](file) if ends else None
    return None if end is None else os.path.getsize(path) < end - SLACK


def read_at(file, place, n_bytes):
    """Return bytes from a place in a file, fewer at its end."""
    file.seek(min(place, 2**62))  # no seek takes more than 63 bits
    return file.read(n_bytes)


def end_of_chunks(file, marks, order):
    """Return where the last chunk of an AVI or AIFF file ends."""
    end = 0
    while (head := read_at(file, end, 8)).startswith(marks):
        size = int.from_bytes(head[4:], order)
        if not 0 < size < UNKNOWN:
            return None
        end += 8 + size + size % 2
    return end


def end_of_wave(file):
    """Return where the samples of a WAV file end; what follows them may be absent."""
    end = 12
    while re.match(rb"[ -~]{4}.{4}", head := read_at(file, end, 8), re.DOTALL):
        size = int.from_bytes(head[4:], "little")
        if head.startswith(b"data"):
            return end + 8 + size if 0 < size < UNKNOWN else None
        end += 8 + size + size % 2
    return None  # a chunk of odd size without its padding hides those behind it


def end_of_rf64(file):
    """Return where a WAV file of 64 bits ends."""
    head = read_at(file, 0, 28)
    size = int.from_bytes(head[20:], "little")
    return 8 + size if head[12:16] == b"ds64" and size else None


def end_of_objects(file, marks):
    """Return where the last object of a WMA, WMV or W64 file ends."""
    end = 0
    while (head := read_at(file, end, 24)).startswith(marks):
        size = int.from_bytes(head[16:], "little")
        if not size:
            return None
        end += size
    return end


def end_of_au(file):
    """Return where the samples of an AU file end."""
    head = read_at(file, 0, 12)
    start, size = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:], "big")
    return start + size if size < UNKNOWN else None


def end_of_caf(file):
    """Return where the last chunk of a Core Audio file ends."""
    end = 8
    while len(head := read_at(file, end, 12)) == 12:
        size = int.from_bytes(head[4:], "big")
        if size >= 2**63:  # -1, that is, to the end
            return None
        end += 12 + size
    return end


def end_of_sphere(file):
    """Return where a file of NIST ends, the format of TIMIT and Switchboard."""
    head = read_at(file, 0, 1024)
    told = dict(re.findall(rb"(?m)^(\w+) -i (\d+)", head))
    names = (b"sample_count", b"sample_n_bytes", b"channel_count")
    if b"embedded" in head or not told.keys() >= set(names):
        return None
    return 1024 + math.prod(int(told[name]) for name in names)


def end_of_boxes(file):
    """Return where the last box of an MP4 or QuickTime file ends."""
    end = 0
    while (head := read_at(file, end, 16))[4:8] in BOXES:
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:], "big")
        if not size:  # it goes on to the end, wherever that is
            return None
        end += size
    return end


def end_of_elements(file):
    """Return where the last element of a Matroska or WebM file ends."""
    end = 0
    while (head := read_at(file, end, 12)).startswith(EBML):
        width = 9 - head[4].bit_length() if len(head) > 4 else 9
        largest = (1 << 7 * width) - 1
        size = int.from_bytes(head[4 : 4 + width], "big") & largest
        if width > 8 or size == largest:
            return None
        end += 4 + width + size
    return end


def end_of_pages(file):
    """Return where the last page of an Ogg file ends."""
    end = 0
    while (head := read_at(file, end, 27 + 255)).startswith(b"OggS"):
        n_segments = head[26] if len(head) > 26 else 0
        end += 27 + n_segments + sum(head[27 : 27 + n_segments])
    return end


def end_of_mp3(file):
    """Return where an MP3 file ends, if its first frame tells."""
    head = read_at(file, 0, 10)
    start = 0
    if head.startswith(b"ID3"):
        start = 10 + sum(byte << 7 * i for i, byte in enumerate(reversed(head[6:])))
    found = MP3_LENGTH.search(read_at(file, start, 8192))
    return start + found.start() + int.from_bytes(found[1], "big") if found else None


def end_of_tags(file):
    """Return where the last tag of a Flash video ends."""
    end = 13
    while (head := read_at(file, end, 4)).startswith(FLV):
        end += 15 + int.from_bytes(head[1:], "big")
    return end


BOXES = b"ftyp styp moov mdat moof free skip wide uuid sidx mfra meta pnot junk".split()
EBML = (bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067"))
ASF = tuple(map(bytes.fromhex, ("3026b275", "3626b275", "90080033", "d329e2d6")))
W64 = (b"riff\x2e\x91\xcf\x11",)
FLV = (b"\x08", b"\x09", b"\x12")
MP3_LENGTH = re.compile(
    rb"\xff[\xe0-\xff].{11,34}?(?:Xing|Info)\0\0\0[\x03\x07\x0b\x0f].{4}(.{4})",
    re.DOTALL,
)
KINDS = [  # the first that fits counts
    ((b"ID3", b"\xff"), 0, end_of_mp3),
    ((b"RF64", b"BW64"), 0, end_of_rf64),
    ((b"RIFX",), 0, partial(end_of_chunks, marks=(b"RIFX",), order="big")),
    ((b"FORM",), 0, partial(end_of_chunks, marks=(b"FORM",), order="big")),
    ((b"WAVE",), 8, end_of_wave),
    ((b"AVI ",), 8, partial(end_of_chunks, marks=(b"RIFF",), order="little")),
    (ASF[:1], 0, partial(end_of_objects, marks=ASF)),
    (W64, 0, partial(end_of_objects, marks=W64)),
    ((b".snd",), 0, end_of_au),
    ((b"caff",), 0, end_of_caf),
    ((b"NIST_1A",), 0, end_of_sphere),
    (tuple(BOXES), 4, end_of_boxes),
    (EBML[:1], 0, end_of_elements),
    ((b"OggS",), 0, end_of_pages),
    ((b"FLV\x01",), 0, end_of_tags),
]
