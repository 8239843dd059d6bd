"""Sound and frames out of files, or the reason why there are none."""

import io
import math
import os
import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from skmerc._utils.optional import need
from skmerc.features._media import FATAL, Unreadable
from skmerc.features._whole import (
    chunks_of_wave,
    end_of_wave,
    is_chained,
    is_cut_short,
    n_bytes_of,
    read_at,
)

PCM, EXTENSIBLE = 1, 0xFFFE  # codings of a WAV file
BLOCK = 2**15  # samples of each channel that are decoded at once
LENGTH_UNKNOWN = 2**62  # libsndfile says 2**63 - 1
LOSSLESS = {"flac", "tta", "wv", "ape"}  # the formats whose headers count samples
USUAL_FRAME_RATE = 25
TELEPHONE_RATE = 8000  # Hz, of G.711
# Files of bare samples, for which FFmpeg takes 44100 Hz where nothing tells the rate.
OF_TELEPHONES, OF_ANY_RATE = {"alaw", "mulaw"}, {"s8", "u8", "s16le", "u16le"}
KINDS_BESIDE = 64  # of data beside a picture; FFmpeg has half as many


def check_file(path: str) -> None:
    """Say what is wrong with a file before a decoder says it in its own words."""
    if not os.path.exists(path):
        hint = ": what a URL names must be downloaded first" if "://" in path else ""
        if "\\" in path and os.sep != "\\":
            hint = ": backslashes part no folders here, so write slashes"
        raise Unreadable(f"no such file{hint}")
    if os.path.isdir(path):
        raise Unreadable("a folder in place of a file")
    if not os.path.isfile(path):
        raise Unreadable("a pipe or device in place of a file")
    if not os.path.getsize(path):
        raise Unreadable("an empty file")
    try:
        open(path, "rb").close()
    except OSError as error:
        raise Unreadable(f"a file that cannot be opened: {error.strerror}") from error


def read_sound(path: str) -> tuple[np.ndarray, int]:
    """Return the samples of a file, mixed to mono, and their rate in Hz."""
    check_file(path)
    is_cut = is_cut_short(path)
    if is_cut:
        raise Unreadable("a sound cut short")
    wide = read_wide(path)
    try:
        samples, rate, n_promised = wide or read_by_libsndfile(path)
    except FATAL:
        raise
    except Exception:  # each kind of file that it does not know has another one
        samples, rate, n_promised = read_sound_track(path)
    if is_cut is None and len(samples) < n_promised < LENGTH_UNKNOWN:
        raise Unreadable("a sound cut short")
    return samples, rate


def read_by_libsndfile(path: str) -> tuple[np.ndarray, int, int]:
    """Return mono samples, their rate, and how many of them the file promises."""
    (soundfile,) = need("audio", "soundfile")
    # The path is absolute, since "-" alone is the standard input, and given as bytes,
    # since not every name is text.
    path = os.path.abspath(path)
    parts = [np.zeros(0, np.float32)]
    with soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path) as file:
        if file.subtype.startswith("MPEG"):
            raise Unreadable("MPEG sound, whose length libsndfile estimates and obeys")
        if file.format == "OGG" and is_chained(path):
            raise Unreadable("a chain of streams, of which libsndfile reads the first")
        # Blocks are read, since the length in the header may be unknown or absurd.
        while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
            parts.append(block.mean(axis=1))
        if len(parts) == 1:
            raise Unreadable("no sound, since libsndfile believes a length of 0")
        return np.concatenate(parts), file.samplerate, file.frames


def read_wide(path: str) -> tuple[np.ndarray, int, int] | None:
    """Read a WAV file of 24 bits in 4 bytes; None for all others.

    libsndfile reads some of them as if they were packed, and FFmpeg as floats.
    """
    with open(path, "rb") as file:
        if not re.match(rb"(RIFF|RF64|BW64).{4}WAVE", file.read(12), re.DOTALL):
            return None
        places = {name: place for name, place, _ in chunks_of_wave(file)}
        if not places.keys() >= {b"fmt ", b"data"}:
            return None
        head = read_at(file, places[b"fmt "], 26).ljust(26, b"\0")
        coding, n_channels, rate, size, bits, own = struct.unpack("<HHI4xHH8xH", head)
        coding = own if coding == EXTENSIBLE else coding
        if not n_channels or (coding, bits, size) != (PCM, 24, 4 * n_channels):
            return None
        end = end_of_wave(file) or n_bytes_of(file)
        content = read_at(file, places[b"data"], end - places[b"data"])
    n_samples = len(content) // size
    samples = np.frombuffer(content, "<i4", n_samples * n_channels)
    return mix_wide(samples.reshape(n_samples, n_channels)), rate, n_samples


def mix_wide(samples: np.ndarray) -> np.ndarray:
    """Return the mean over channels of samples of 24 bits, full scale at 1.

    They should be the upper bytes of the four, and of some recorders are the lower.
    """
    if not (samples & 0xFF).any():
        full_scale = 2.0**31
    elif np.array_equal(samples, samples << 8 >> 8):
        full_scale = 2.0**23
    else:
        raise Unreadable("samples of 24 bits, by the header, of which 32 are in use")
    return (samples.mean(axis=1) / full_scale).astype(np.float32)


def read_sound_track(path: str) -> tuple[np.ndarray, int, int]:
    """Return what `read_by_libsndfile` does, of the first sound track of any file."""
    (librosa,) = need("audio", "librosa")
    with opened(path, "audio") as (container, stream):
        if container.format.name in OF_ANY_RATE:
            raise Unreadable(
                "samples without a header, so that nothing tells their rate: write "
                "them as WAV"
            )
        parts = [
            (np.concatenate([mix(frame) for frame in frames]), rate)
            for rate, frames in groupby(
                decode(container, stream), key=attrgetter("sample_rate")
            )
        ]
        is_exact = container.format.name in LOSSLESS and stream.duration
        seconds = stream.duration * stream.time_base if is_exact else 0
        is_bare = container.format.name in OF_TELEPHONES
    if not parts:
        raise Unreadable("no sound")
    if is_bare:
        return parts[0][0], TELEPHONE_RATE, 0
    rate = parts[0][1]
    samples = [
        librosa.resample(part, orig_sr=own_rate, target_sr=rate)
        for part, own_rate in parts
    ]
    return np.concatenate(samples), rate, round(seconds * rate)


def mix(frame: Any) -> np.ndarray:
    """Return the mean over the channels of a frame of sound, full scale at 1.

    FFmpeg's own mix of two channels is louder than their mean, and cannot go on where
    their number changes.
    """
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    mono = samples.mean(axis=0, dtype=np.float64)
    if samples.dtype.kind in "iu":
        full_scale = 2.0 ** (8 * samples.dtype.itemsize - 1)
        mono = mono / full_scale - (samples.dtype.kind == "u")
    return mono.astype(np.float32)


def sample_frames(path: str, frame_rate: float) -> Iterator[np.ndarray]:
    """Yield upright RGB frames, the first and then `frame_rate` per second.

    A picture that stays for longer comes once.
    """
    check_file(path)
    if is_cut_short(path):
        raise Unreadable("a clip cut short")
    last = -1
    with opened(path, "video") as (container, stream):
        period = 1 / (stream.average_rate or stream.guessed_rate or USUAL_FRAME_RATE)
        frames = decode(container, stream)
        if container.format.name == "avi":
            frames = map(shown_in_order, frames)
        for frame, time in timed(frames, float(period)):
            # The small number keeps a frame in the slot that begins with it.
            slot = math.floor(time * frame_rate + 1e-6)
            if slot > last:
                last = slot
                yield upright(frame)
    if last < 0:
        raise Unreadable("no pictures")


def shown_in_order(frame: Any) -> Any:
    """Take the time of decoding, the only one that AVI files hold."""
    frame.pts = frame.dts
    return frame


def timed(frames: Iterable, period: float) -> Iterator[tuple[Any, float]]:
    """Yield frames and the seconds since the first.

    Where a frame has no time, or a clock starts again, it comes one period later.
    """
    elapsed, last = -period, None
    for frame in frames:
        known = last is not None and frame.time is not None and frame.time >= last
        elapsed += frame.time - last if known else period
        last = frame.time
        yield frame, elapsed


def upright(frame: Any) -> np.ndarray:
    """Turn and mirror a frame as its file asks; telephones film sideways."""
    pixels = frame.to_ndarray(format="rgb24")
    a, b, c, d = display_matrix(frame)
    if abs(b) + abs(c) > abs(a) + abs(d):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    pixels = pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(pixels)


def display_matrix(frame: Any) -> Any:
    """Return a, b, c, d, where x, y is shown at (a * x + c * y, b * x + d * y)."""
    try:
        beside = frame.side_data
    except ValueError:  # PyAV has no name for some of it, such as EXIF
        beside = without_nameless(frame).side_data
    matrix = beside.get("DISPLAYMATRIX")
    if matrix is None:
        return 1, 0, 0, 1
    return np.frombuffer(matrix, np.int32).astype(float)[[0, 1, 3, 4]]


def without_nameless(frame: Any) -> Any:
    """Return a frame without those data beside it that PyAV has no name for."""
    av, sidedata = need("video", "av", "av.sidedata.sidedata")
    graph, named = av.filter.Graph(), {kind.value for kind in sidedata.Type}
    parts = [
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1, USUAL_FRAME_RATE),
        ),
        *(
            graph.add("sidedata", f"mode=delete:type={kind}")
            for kind in range(KINDS_BESIDE)
            if kind not in named
        ),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*parts).configure()
    graph.push(frame)
    return graph.pull()


def decode(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the frames of a stream, from the first that can be decoded.

    Excerpts of broadcasts begin with frames that depend on earlier ones. In MP3 files
    padding and tags may look like frames, and cannot be decoded.
    """
    (av,) = need(stream.type, "av")
    is_strict, begun, problem = container.format.name != "mp3", False, None
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError as error:
            if begun and is_strict:
                raise
            frames, problem = [], error
        begun = begun or bool(frames)
        yield from frames
    if problem and not begun:
        raise problem


class Content(io.FileIO):
    """The content of a file, of whose name only the ending is told.

    In names FFmpeg would see protocols, options, and patterns that stand for others.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        ending = Path(path).suffix
        self.name = f"file{ending}" if ending[1:].isalnum() else "file"

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Return the new place, or -1 where there is none, as FFmpeg expects it."""
        try:
            return super().seek(place, whence)
        except OSError:
            return -1


@contextmanager
def opened(path: str, kind: str) -> Iterator[tuple[Any, Any]]:
    """Open the first stream of a kind, and put errors of decoding into our words.

    FFmpeg may open nothing else that a file speaks of, here or in the network.
    """
    (av,) = need(kind, "av")
    try:
        with (
            Content(path) as file,
            av.open(
                file,
                metadata_errors="replace",
                container_options={"protocol_whitelist": "none"},
            ) as container,
        ):
            yield container, first_stream(container, kind)
    except av.FFmpegError as error:
        raise Unreadable(f"damaged or unknown content: {error.strerror}") from error


def first_stream(container: Any, kind: str) -> Any:
    """Return the first stream of a kind which is more than the picture of a cover.

    Where a file marks one as what is played unless another is chosen, it is this one.
    """
    streams = [
        stream
        for stream in getattr(container.streams, kind)
        if not stream.disposition & stream.disposition.attached_pic
    ]
    for stream in sorted(
        streams, key=lambda one: not one.disposition & one.disposition.default
    ):
        if stream.codec_context is not None:
            return stream
    known = " of a coding that FFmpeg knows" if streams else ""
    raise Unreadable(f"no {kind} stream{known}")
