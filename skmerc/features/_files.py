"""Sound and frames out of files, or the reason why there are none."""

import math
import os
from contextlib import contextmanager

import numpy as np

from skmerc.features._media import Unreadable, need

# Programs that write to a pipe do not know the size, and claim about 2 GiB or more.
SIZE_UNKNOWN = 0x7FFF0000


def check_file(path):
    """Say what is wrong with a file before a decoder says it in its own words."""
    if not os.path.exists(path):
        raise Unreadable("no such file")
    if not os.path.isfile(path):
        raise Unreadable("a folder in place of a file")
    if not os.path.getsize(path):
        raise Unreadable("an empty file")


def read_sound(path):
    """Return the samples of a file, mixed to mono, and their rate in Hz."""
    check_file(path)
    (soundfile,) = need("audio", "soundfile")
    try:
        with soundfile.SoundFile(os.fspath(path)) as file:
            samples = file.read(dtype="float32", always_2d=True)
            n_promised, rate = file.frames, file.samplerate
    except soundfile.LibsndfileError:
        return read_sound_track(path)
    if len(samples) < n_promised or wave_is_cut(path):
        raise Unreadable("a sound cut short")
    return samples.mean(axis=1), rate


def wave_is_cut(path):
    """Whether a WAV file is smaller than it says; libsndfile reads on silently."""
    with open(path, "rb") as file:
        mark, size = file.read(4), int.from_bytes(file.read(4), "little")
    return mark == b"RIFF" and os.path.getsize(path) < size < SIZE_UNKNOWN


def read_sound_track(path):
    """Return the samples of a video's first sound track, mono, and their rate."""
    (av,) = need("audio", "av")
    parts, rate = [np.zeros(0, np.float32)], 1
    with opened(path, "audio") as (container, stream):
        planar = av.AudioResampler(format="fltp")
        for frame in container.decode(stream):
            rate = frame.sample_rate
            # Mixed by hand: FFmpeg's mix of two channels is louder than their mean.
            parts += [part.to_ndarray().mean(axis=0) for part in planar.resample(frame)]
        samples = np.concatenate(parts)
        check_whole(stream, len(samples) / rate)
    return samples, rate


def sample_frames(path, frame_rate):
    """Yield upright RGB frames, the first and then `frame_rate` per second."""
    check_file(path)
    with opened(path, "video") as (container, stream):
        start, last, time = None, -1, 0.0
        for frame in container.decode(stream):
            if frame.time is None:
                raise Unreadable("frames without times")
            start = frame.time if start is None else start
            time = frame.time - start
            # The small number keeps a frame in the slot that begins with it.
            slot = math.floor(time * frame_rate + 1e-6)
            if slot > last:
                last = slot
                yield upright(frame)
        if start is None:
            raise Unreadable("no pictures")
        check_whole(stream, time)


def upright(frame):
    """Turn a frame as its file asks; telephones film sideways."""
    pixels = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90))


def check_whole(stream, seconds):
    """Refuse a stream that ends well before the time that its file promises."""
    promised = float(stream.duration * stream.time_base) if stream.duration else 0.0
    if seconds < 0.9 * promised - 0.5:
        raise Unreadable(
            f"a stream that is cut short: {seconds:.1f} of {promised:.1f}s"
        )


@contextmanager
def opened(path, kind):
    """Open the first stream of a kind, and put errors of decoding into our words."""
    (av,) = need(kind, "av")
    try:
        with av.open(os.fspath(path)) as container:
            streams = getattr(container.streams, kind)
            if not streams:
                raise Unreadable(f"no {kind} stream")
            yield container, streams[0]
    except av.FFmpegError as error:
        raise Unreadable(f"damaged or unknown content: {error.strerror}") from error
