"""Fundamental frequency by normalised cross-correlation.

librosa's own trackers are compiled when they are first used, which takes half a
minute, and again in every process where the result cannot be stored.
"""

import numpy as np

FRAME = 1024  # samples; half of it holds two periods of the lowest voice at 16 kHz
AT_ONCE = 2**10  # frames, each of which takes 50 kB
LOWEST, HIGHEST = 65.0, 500.0  # Hz
# Multiples of the period correlate as well as the period itself, so the shortest lag
# is taken whose peak reaches this share of the highest one.
NEARLY_BEST = 0.9


def track_pitch(
    sound: np.ndarray, rate: int, hop: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return fundamental frequency in Hz and periodicity, one of each per hop.

    Periodicity is the correlation of a frame with itself one period later.
    """
    padded = np.pad(np.asarray(sound, dtype=float), FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::hop]
    shortest, longest = int(rate / HIGHEST), int(rate / LOWEST) + 1
    # One lag more at both ends, for the neighbours of a peak.
    lags = slice(shortest - 1, longest + 2)
    peaks = [
        first_high_peak(correlate(frames[start : start + AT_ONCE])[:, lags])
        for start in range(0, len(frames), AT_ONCE)
    ]
    shift, height = np.concatenate(peaks, axis=1)
    return rate / (shortest + shift), height


def correlate(frames: np.ndarray) -> np.ndarray:
    """Correlate the first half of each frame with what follows at every lag."""
    half = FRAME // 2
    first = np.fft.rfft(frames[:, :half], FRAME)
    products = np.fft.irfft(np.fft.rfft(frames) * first.conj())[:, :half]
    energy = np.cumsum(np.pad(frames**2, [(0, 0), (1, 0)]), axis=1)
    energy = energy[:, half:-1] - energy[:, :half]
    return products / np.sqrt(np.maximum(energy[:, :1] * energy, 1e-12))


def first_high_peak(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place and height of the first peak of each row that is nearly the highest."""
    left, middle, right = curves[:, :-2], curves[:, 1:-1], curves[:, 2:]
    peaks = np.where((middle >= left) & (middle >= right), middle, 0)
    best = peaks.max(axis=1, keepdims=True)
    place = (peaks >= NEARLY_BEST * best).argmax(axis=1)
    rows = np.arange(len(curves))
    left, height, right = (part[rows, place] for part in (left, middle, right))
    bend = np.minimum(left - 2 * height + right, -1e-12)
    # The top of the parabola through three points lies within half a step of a peak.
    return place + np.clip((left - right) / (2 * bend), -0.5, 0.5), height
