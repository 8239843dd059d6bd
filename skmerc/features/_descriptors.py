"""Low-level descriptors of a sound, and functionals of them over time."""

from typing import Any

import numpy as np

from skmerc._utils.optional import need
from skmerc.features._pitch import track_pitch

RATE = 16000  # Hz
HOP = 160  # 10 ms
WINDOW = 512  # 32 ms, of spectra and energy
# A frame is voiced if it is at least so periodic, and louder than this share of the
# loudest one.
PERIODIC, AUDIBLE = 0.5, 0.03

N_MFCC, N_CONTRAST = 13, 6
CONTOURS = (
    *(f"mfcc_{i}" for i in range(N_MFCC)),
    *(f"mfcc_{i}_delta" for i in range(N_MFCC)),
    "rms",
    "zero_crossing_rate",
    "spectral_centroid",
    "spectral_bandwidth",
    "spectral_rolloff",
    "spectral_flatness",
    *(f"spectral_contrast_{i}" for i in range(N_CONTRAST)),
    "periodicity",
)
FUNCTIONALS = ("mean", "std", "p10", "median", "p90")
NAMES = [
    *(f"{contour}_{name}" for contour in (*CONTOURS, "f0") for name in FUNCTIONALS),
    "voiced_share",
    "duration",
]


def describe(sound: np.ndarray) -> np.ndarray:
    """Return the numbers that `NAMES` names, of a mono sound at `RATE`."""
    (librosa,) = need("audio", "librosa")
    rms = librosa.feature.rms(y=sound, frame_length=WINDOW, hop_length=HOP)[0]
    f0, periodicity = track_pitch(sound, RATE, HOP)
    contours = [*spectral_contours(librosa, sound, rms), periodicity]
    voiced = (periodicity >= PERIODIC) & (rms > AUDIBLE * rms.max())
    of_f0 = functionals(f0[voiced]) if voiced.any() else np.zeros(len(FUNCTIONALS))
    rows = functionals(np.stack(contours)).T.ravel()
    return np.concatenate([rows, of_f0, [voiced.mean(), len(sound) / RATE]])


def functionals(contours: np.ndarray) -> np.ndarray:
    """Summarise contours over time, their last axis."""
    percentiles = np.percentile(contours, [10, 50, 90], axis=-1)
    return np.stack([contours.mean(axis=-1), contours.std(axis=-1), *percentiles])


def spectral_contours(
    librosa: Any, sound: np.ndarray, rms: np.ndarray
) -> list[np.ndarray]:
    """Return all of `CONTOURS` but the last."""
    feature, spectrum = librosa.feature, {"sr": RATE}
    spectrum["S"] = np.abs(librosa.stft(sound, n_fft=WINDOW, hop_length=HOP))
    mel = feature.melspectrogram(S=spectrum["S"] ** 2, sr=RATE, n_mels=40)
    mfcc = feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=N_MFCC)
    return [
        *mfcc,
        *feature.delta(mfcc, mode="nearest"),
        rms,
        feature.zero_crossing_rate(sound, frame_length=WINDOW, hop_length=HOP)[0],
        feature.spectral_centroid(**spectrum)[0],
        feature.spectral_bandwidth(**spectrum)[0],
        feature.spectral_rolloff(**spectrum)[0],
        feature.spectral_flatness(S=spectrum["S"])[0],
        # Five octaves from 200 Hz and what lies below: all that 8 kHz have room for.
        *feature.spectral_contrast(**spectrum, n_bands=N_CONTRAST - 1),
    ]
