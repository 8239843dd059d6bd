"""Functionals of sound."""

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np

from skmerc._utils.compat import Interval, StrOptions
from skmerc._utils.optional import need
from skmerc._utils.registry import storable
from skmerc._utils.warnings import warn_user
from skmerc.exceptions import NonCommercialLicenseWarning
from skmerc.features import _descriptors
from skmerc.features._files import read_sound
from skmerc.features._media import MediaTransformer, Unreadable

OPENSMILE_SETS = {
    "eGeMAPS": "eGeMAPSv02",
    "ComParE": "ComParE_2016",
    "IS09": "IS09",
    "IS10": "IS10",
}
SHORTEST = 0.1  # seconds; some sets of openSMILE give nothing for less
SLOWEST = 1000  # Hz; less is another unit, or a header that is wrong
# Recordings that are too loud exceed full scale a little; units of integers exceed it
# by far, but for silence.
LOUDEST = 10.0
# Resampling lets a recording that was clipped swing beyond full scale by a tenth, and
# single peaks of a loud one go further; of standardised speech a sixth does.
BEYOND, MOST_BEYOND = 1.2, 0.05


@storable
class AudioFunctionals(MediaTransformer):
    """Describe the sound of each utterance by functionals of its descriptors.

    A descriptor is a number that changes over time, say the loudness, and a
    functional is one number that summarises it, say its standard deviation.

    Parameters
    ----------
    features : {"librosa", "eGeMAPS", "ComParE", "IS09", "IS10"}, default="librosa"
        The set of features: one of ours (202 numbers, see Notes), or one of those
        of openSMILE that papers use: eGeMAPS v02 (88), ComParE 2016 (6373) and the
        sets of the Interspeech challenges of 2009 (384) and 2010 (1582).
    rate : int, default=None
        Sampling rate in Hz of arrays in X. Files know their own.
    errors : {"warn", "raise"}, default="warn"
        What a file does that is absent or cannot be read: its row becomes a missing
        modality, with one warning that counts them, or it is an error.
    n_jobs : int, default=None
        Number of processes that read files; None means 1, -1 all cores.
    verbose : int or bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    feature_names_out_ : ndarray of str of shape (n_features,)
        The names of the features.

    Warns
    -----
    MissingModalityWarning
        If rows have no features: the cell is empty, or the file is absent, empty,
        damaged, cut short, without sound, shorter than 0.1 seconds, of less than 1000
        samples in a second, in units of integers, or far beyond full scale where
        openSMILE would clip it.
    NonCommercialLicenseWarning
        In ``fit``, if the features are those of openSMILE.

    See Also
    --------
    FaceFeatures : The face.
    VideoFunctionals : The whole picture.

    Notes
    -----
    Needs ``pip install 'skmerc[audio]'``, and the sets of openSMILE
    ``pip install 'skmerc[audio,opensmile]'``. **openSMILE's license allows teaching,
    research and private use only**: neither the program nor what was made from its
    features, such as a model trained on them, may be part of a product.

    X is a column of paths, or of one-dimensional arrays of floats whose full scale is
    [-1, 1]. What exceeds it a little is a loud recording, which openSMILE clips;
    samples in units of integers are refused, since they must be divided first, and
    openSMILE is given none of which much lies beyond, such as sound that was
    standardised. Files
    are read by libsndfile (WAV, FLAC, OGG, MP3 ...), and what it does not know, such
    as the sound track of an MP4 file, by FFmpeg. Channels are mixed to one, and all
    is resampled to 16 kHz, so the same sound gives the same features at any rate of
    8 kHz or more, but for what lies above half the rate.

    librosa stores code that it has compiled. Where it finds no place to (a read-only
    system, a user without a home), set the environment variable ``NUMBA_CACHE_DIR``
    to a folder that can be written.

    The set ``"librosa"`` holds mean, standard deviation, median, and the 10th and
    90th percentile over time (frames of 32 ms, every 10 ms) of 13 MFCC and their
    deltas, RMS energy, zero crossings, spectral centroid, bandwidth and rolloff (Hz),
    flatness and contrast, and of the periodicity (the correlation of a frame of 64 ms
    with itself one period later). ``f0_*`` are the same of the fundamental frequency
    (Hz, 65 to 500) over voiced frames only, 0 where there are none; ``voiced_share``
    is the share of voiced frames, and ``duration`` is in seconds.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc.features import AudioFunctionals
    >>> time = np.arange(16000) / 16000
    >>> tones = [0.5 * np.sin(2 * np.pi * hertz * time) for hertz in (110, 220)]
    >>> extractor = AudioFunctionals(rate=16000).set_output(transform="pandas")
    >>> extractor.fit_transform(tones)["f0_median"].round().astype(int).tolist()
    [110, 220]
    """

    _parameter_constraints: dict = {
        "features": [StrOptions({"librosa", *OPENSMILE_SETS})],
        "rate": [Interval(Integral, 1, None, closed="left"), None],
        **MediaTransformer._parameter_constraints,
    }
    # librosa is mostly Python, which runs in one thread at a time.
    _workers: dict = {"prefer": "processes"}
    _takes = "the path of a file, or a one-dimensional array of floats and rate="

    def __init__(
        self,
        *,
        features: Literal["librosa", "eGeMAPS", "ComParE", "IS09", "IS10"] = "librosa",
        rate: int | None = None,
        errors: Literal["warn", "raise"] = "warn",
        n_jobs: int | None = None,
        verbose: int = False,
    ) -> None:
        self.features = features
        self.rate = rate
        self.errors = errors
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check that the packages are there; nothing is learned from X.

        Parameters
        ----------
        X : array-like of shape (n_utterances,) or (n_utterances, 1)
            Paths or arrays; nothing is read.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ImportError
            If an optional package is not installed; the message names the extra.
        TypeError, ValueError
            If X is no column, or has more than one.
        """
        super().fit(X)
        if self.features in OPENSMILE_SETS:
            warn_user(
                f"features={self.features!r} are computed by openSMILE. Its license "
                "allows teaching, research and private use; neither it nor what was "
                "made from its features may be part of a product.",
                NonCommercialLicenseWarning,
            )
        return self

    def _load(self) -> "Sounds":
        need("audio", "librosa", "soundfile")
        if self.features == "librosa":
            names, describe = _descriptors.NAMES, _descriptors.describe
        else:
            smile = OpenSmile(OPENSMILE_SETS[self.features])
            names, describe = smile.names, smile.describe
        sounds = Sounds(self.rate, names, describe)
        sounds.rehearse()
        return sounds

    def _fault(self, entry: Any) -> str | None:
        if not isinstance(entry, np.ndarray):
            return super()._fault(entry)
        if entry.ndim != 1 or entry.dtype.kind != "f":
            return (
                f"an array of shape {entry.shape} and type {entry.dtype}; give "
                "one-dimensional arrays of floats between -1 and 1, so divide integers "
                "by their full scale (int16 by 32768)"
            )
        if self.rate is None:
            return "an array; give its sampling rate in Hz as rate="
        if np.ma.isMaskedArray(entry):
            return "a masked array; cut out what is masked, or fill it in"
        return fault_of_rate(self.rate) or fault_of_units(entry)


class Sounds:
    """Read a sound, bring it to one rate, describe it."""

    def __init__(
        self,
        rate: int | None,
        names: Sequence[str],
        describe: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self.rate: Any = rate
        self.names, self.describe = names, describe

    def __call__(self, entry: Any) -> np.ndarray:
        is_array = isinstance(entry, np.ndarray)
        sound, rate = (entry, self.rate) if is_array else read_sound(entry)
        if fault := fault_of_rate(rate):
            raise Unreadable(fault)
        if len(sound) < SHORTEST * rate:
            raise Unreadable(f"sound shorter than {SHORTEST} seconds")
        if not np.isfinite(sound).all():
            raise Unreadable("sound that is NaN or infinite")
        if fault := fault_of_units(sound):
            raise Unreadable(fault)
        return self._describe(sound, rate)

    def rehearse(self) -> None:
        """Describe silence, so that an error of all rows is not told of each."""
        try:
            self._describe(np.zeros(_descriptors.RATE // 4), 8000)
        except (OSError, RuntimeError) as error:
            raise RuntimeError(
                f"librosa cannot be used ({error}). If this says that numba finds no "
                "place to store compiled code, set the environment variable "
                "NUMBA_CACHE_DIR to a folder that can be written, before Python starts."
            ) from error

    def _describe(self, sound: np.ndarray, rate: Any) -> np.ndarray:
        (librosa,) = need("audio", "librosa")
        sound = np.asarray(sound, dtype=np.float32)
        return self.describe(
            librosa.resample(sound, orig_sr=rate, target_sr=_descriptors.RATE)
        )


def fault_of_rate(rate: int) -> str | None:
    """Say so where a rate can be none of speech; otherwise return None."""
    if rate >= SLOWEST:
        return None
    return (
        f"a sampling rate below {SLOWEST} Hz: it is {rate}; speech has 8000 or more, "
        "and 16 kHz are 16000"
    )


def fault_of_units(sound: np.ndarray) -> str | None:
    """Say so where samples are in the units of integers; otherwise return None."""
    peak = np.max(np.abs(sound), initial=0)
    whole = peak > 1 and np.array_equal(sound, np.rint(sound))
    if not np.isfinite(peak) or (peak <= LOUDEST and not whole):
        return None
    return (
        f"samples in units of integers: they reach {peak:g}, and full scale is 1; "
        "divide them (those of 16 bits by 32768)"
    )


class OpenSmile:
    """Describe a sound by a feature set of openSMILE."""

    def __init__(self, name: str) -> None:
        (opensmile,) = need("opensmile", "opensmile")
        self.smile = opensmile.Smile(
            feature_set=opensmile.FeatureSet[name],
            feature_level=opensmile.FeatureLevel.Functionals,
        )
        self.names = self.smile.feature_names

    def describe(self, sound: np.ndarray) -> np.ndarray:
        n_beyond = np.sum(np.abs(sound) > BEYOND)
        if n_beyond > MOST_BEYOND * len(sound):
            raise Unreadable(
                "sound beyond full scale, which openSMILE would clip: "
                f"{n_beyond} of {len(sound)} samples; divide it first"
            )
        # It casts to 16-bit integers, in which the value 1 becomes -1.
        sound = np.clip(sound, -1, 1 - 2**-15)
        return self.smile.process_signal(sound, _descriptors.RATE).to_numpy()[0]
