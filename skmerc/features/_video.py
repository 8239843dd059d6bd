"""Functionals of what is seen."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import torch

from skmerc._utils.compat import Interval
from skmerc._utils.device import resolve_device
from skmerc._utils.locks import LOADING
from skmerc._utils.optional import need
from skmerc._utils.registry import storable
from skmerc._utils.seeding import seeded
from skmerc._utils.threads import threads_for
from skmerc._utils.types import FilePath
from skmerc.features._files import sample_frames
from skmerc.features._media import FATAL, MediaTransformer


@storable
class VideoFunctionals(MediaTransformer):
    """Describe the picture of each utterance by an image model.

    A pretrained model turns single frames into embeddings; their mean and standard
    deviation over the clip are the features.

    Parameters
    ----------
    model : str or Path, default="facebook/dinov2-small"
        A model of images: the folder that ``save_pretrained`` of the package
        transformers wrote, or a name on the Hugging Face hub, which is downloaded
        once. Fine-tuned classifiers will do; their last layer is left out.
    frame_rate : float, default=2.0
        Frames per second to look at, beginning with the first frame.
    batch_size : int, default=32
        Frames that go through the model at once.
    device : str, default="auto"
        Where the model runs: a torch device, or ``"auto"`` for a GPU if there is one.
    errors : {"warn", "raise"}, default="warn"
        What a file does that is absent or cannot be read: its row becomes a missing
        modality, with one warning that counts them, or it is an error.
    n_jobs : int, default=None
        Number of threads that read clips; None means 1, -1 all cores.
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
        damaged, cut short or without pictures, or the model gives numbers for it that
        are not finite.

    See Also
    --------
    AudioFunctionals : The sound.
    FaceFeatures : The face alone.

    Notes
    -----
    Needs ``pip install 'skmerc[video]'``. X is a column of paths; files are read by
    FFmpeg, turned and mirrored as they ask. A picture that stays for longer than others
    is looked at once, and the picture of a cover is none. An embedding is the mean over
    the last hidden states of the model, which, unlike a pooling layer, every checkpoint
    has weights for. The model is loaded anew by every call of ``fit`` and ``transform``
    and is no part of the pickle.

    Examples
    --------
    >>> from skmerc.features import VideoFunctionals
    >>> extractor = VideoFunctionals("my-model", frame_rate=1)
    >>> extractor.fit_transform(["dia0_utt0.mp4", "dia0_utt1.mp4"])  # doctest: +SKIP
    """

    _parameter_constraints: dict = {
        "model": [str, os.PathLike],
        "frame_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        **MediaTransformer._parameter_constraints,
    }

    def __init__(
        self,
        model: FilePath = "facebook/dinov2-small",
        *,
        frame_rate: float = 2.0,
        batch_size: int = 32,
        device: str = "auto",
        errors: Literal["warn", "raise"] = "warn",
        n_jobs: int | None = None,
        verbose: int = False,
    ) -> None:
        self.model = model
        self.frame_rate = frame_rate
        self.batch_size = batch_size
        self.device = device
        self.errors = errors
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _load(self) -> "FrameEmbedder":
        device = resolve_device(self.device)
        return FrameEmbedder(self.model, self.frame_rate, self.batch_size, device)


class FrameEmbedder:
    """Mean and standard deviation over time of the embeddings of frames."""

    def __init__(
        self, model: FilePath, frame_rate: float, batch_size: int, device: torch.device
    ) -> None:
        self.frame_rate, self.batch_size, self.device = frame_rate, batch_size, device
        self.model, self.processor = load_model(model, device)
        n_numbers = len(self._rehearse(os.fspath(model)))
        self.names = [
            f"embedding_{i}_{f}" for f in ("mean", "std") for i in range(n_numbers)
        ]

    def _rehearse(self, name: str) -> np.ndarray:
        """Embed a picture of noise, so that what is wrong with a model is told once."""
        kind, drawn = type(self.model).__name__, np.random.default_rng(0)
        picture = drawn.integers(256, size=(64, 64, 3), dtype=np.uint8)
        try:
            with LOADING, seeded(0, self.device):  # which a model may draw from
                first, again = (self._embed([picture])[0] for _ in range(2))
        except FATAL:
            raise
        except Exception as error:  # each kind of model has errors of its own
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise ValueError(
                f"The model {name!r} is a {kind}, and embeds no single picture "
                f"({reason}). Give a model of images."
            ) from error
        if not np.isfinite(first).all():
            raise ValueError(
                f"The model {name!r} gives numbers that are not finite for a picture "
                "of noise. Its weights are broken, or too small a type of numbers "
                "overflows: use another."
            )
        if not np.allclose(first, again, rtol=1e-3, atol=1e-3 * np.abs(first).max()):
            raise ValueError(
                f"The model {name!r} is a {kind}, and gives other numbers for the same "
                "picture each time, as models do that hide parts of it at random. Give "
                "one that sees whole pictures."
            )
        return first

    def __call__(self, path: str) -> np.ndarray:
        frames = sample_frames(path, self.frame_rate)
        batches = iter(lambda: list(islice(frames, self.batch_size)), [])
        embeddings = np.concatenate([self._embed(batch) for batch in batches])
        return np.concatenate([embeddings.mean(axis=0), embeddings.std(axis=0)])

    @torch.inference_mode()
    def _embed(self, frames: list[np.ndarray]) -> np.ndarray:
        pixels = self.processor(
            images=frames, return_tensors="pt", input_data_format="channels_last"
        )["pixel_values"]
        with threads_for(self.model):
            states = self.model(pixel_values=pixels.to(self.device)).last_hidden_state
        # Maps are (frame, channel, height, width), tokens (frame, token, channel).
        over = (2, 3) if states.ndim == 4 else 1
        return states.mean(dim=over).float().cpu().numpy()


def load_model(name: FilePath, device: torch.device) -> tuple[Any, Any]:
    """Load an image model and what prepares frames for it."""
    (transformers,) = need("video", "transformers", "PIL", "av")[:1]
    place = os.path.expanduser(os.fspath(name))
    with LOADING, seeded(0, torch.device("cpu")), quiet(transformers):
        try:
            model, report = transformers.AutoModel.from_pretrained(
                place, output_loading_info=True
            )
            processor = transformers.AutoImageProcessor.from_pretrained(place)
        except FATAL:
            raise
        except Exception as error:  # each part of the stack has kinds of its own
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise OSError(
                f"The model {os.fspath(name)!r} cannot be loaded ({reason}). Give the "
                "folder that save_pretrained has written, of the model and of what "
                "prepares pictures for it, or a name on the Hugging Face hub."
            ) from error
    absent = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if absent:
        raise ValueError(
            f"The weights of {os.fspath(name)!r} lack {len(absent)} parts of the "
            f"model, {absent[0]!r} first; give the complete checkpoint."
        )
    if model.main_input_name != "pixel_values":
        raise ValueError(
            f"{os.fspath(name)!r} is a {type(model).__name__}, which takes "
            f"{model.main_input_name}; give a model of images."
        )
    # Not every model works in half precision, and none is exact in it.
    return model.float().to(device).eval(), processor


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """Keep progress bars and reports of loading away, for as long as it lasts."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
