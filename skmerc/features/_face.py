"""Functionals of the face."""

import os
from numbers import Real
from typing import Any, Literal

import numpy as np

from skmerc._utils.compat import Interval
from skmerc._utils.files import as_path
from skmerc._utils.optional import need
from skmerc._utils.registry import storable
from skmerc._utils.types import FilePath
from skmerc.features._files import sample_frames
from skmerc.features._media import MediaTransformer, NothingFound

POSE = ("head_pitch", "head_yaw", "head_roll")
N_FACES = 4  # to choose the largest from


@storable
class FaceFeatures(MediaTransformer):
    """Describe the face of each utterance by its expression and pose.

    MediaPipe finds the faces of single frames, fits landmarks to them, and reads
    off the strength of 51 facial movements. The features are mean and standard
    deviation of these, and of the pose of the head, over the frames that show a face.

    Parameters
    ----------
    model : str or Path
        The file ``face_landmarker.task`` of MediaPipe; see Notes.
    frame_rate : float, default=5.0
        Frames per second to look at, beginning with the first frame.
    errors : {"warn", "raise"}, default="warn"
        What a file does that is absent or cannot be read: its row becomes a missing
        modality, with one warning that counts them, or it is an error.
    n_jobs : int, default=None
        Number of threads that read clips; None means 1, -1 all cores.
    verbose : int or bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    feature_names_out_ : ndarray of str of shape (109,)
        The names of the features.

    Warns
    -----
    MissingModalityWarning
        If rows have no features: the cell is empty, the file is absent, empty,
        damaged, cut short or without pictures, or no frame shows a face. The last is
        no error, whatever `errors` says.

    See Also
    --------
    AudioFunctionals : The sound.
    VideoFunctionals : The whole picture.

    Notes
    -----
    Needs ``pip install 'skmerc[face]'`` and, on Linux, the system's libraries libEGL
    and libGLESv2. The package mediapipe carries no models: its documentation of the
    Face Landmarker offers the file, with model cards, under the Apache license. It
    also writes three lines per clip to the standard error, which are no errors.

    X is a column of paths; files are read by FFmpeg, turned and mirrored as they ask. A
    picture that stays for longer than others is looked at once. Of several faces the
    largest counts, frame by frame. Movements are numbers from 0 to 1 and are called as
    in MediaPipe, for example ``mouth_smile_left`` (left of the person seen); pose is in
    degrees, with ``head_pitch`` positive where the head is lowered; ``face_share`` is
    the share of frames that show a face.

    Examples
    --------
    >>> from skmerc.features import FaceFeatures
    >>> extractor = FaceFeatures("face_landmarker.task", n_jobs=2)
    >>> extractor.fit_transform(["dia0_utt0.mp4", "dia0_utt1.mp4"])  # doctest: +SKIP
    """

    _parameter_constraints: dict = {
        "model": [str, os.PathLike],
        "frame_rate": [Interval(Real, 0, None, closed="neither")],
        **MediaTransformer._parameter_constraints,
    }

    def __init__(
        self,
        model: FilePath,
        *,
        frame_rate: float = 5.0,
        errors: Literal["warn", "raise"] = "warn",
        n_jobs: int | None = None,
        verbose: int = False,
    ) -> None:
        self.model = model
        self.frame_rate = frame_rate
        self.errors = errors
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _load(self) -> "FaceReader":
        return FaceReader(self.model, self.frame_rate)


class FaceReader:
    """Mean and standard deviation over time of expression and pose."""

    def __init__(self, model: FilePath, frame_rate: float) -> None:
        tasks = "mediapipe.tasks.python"
        self.mediapipe, self.tasks, self.landmarks, _ = need(
            "face", "mediapipe", tasks, f"{tasks}.vision.face_landmarker", "av"
        )
        path = as_path(model)
        if not path.is_file():
            raise FileNotFoundError(
                f"No file {os.fspath(model)!r}. FaceFeatures needs MediaPipe's "
                "face_landmarker.task; MediaPipe's documentation of the Face "
                "Landmarker offers it."
            )
        self.frame_rate = frame_rate
        # Bytes, since the library misreads some paths on Windows.
        self.model = path.read_bytes()
        shapes = self.landmarks.Blendshapes
        self.shapes = [shape for shape in shapes if shape is not shapes.NEUTRAL]
        measures = [*(shape.name.lower() for shape in self.shapes), *POSE]
        self.names = [f"{m}_{f}" for f in ("mean", "std") for m in measures]
        self.names.append("face_share")
        self._open().close()

    def __call__(self, path: str) -> np.ndarray:
        with self._open() as landmarker:
            found = [
                self._measure(landmarker, frame)
                for frame in sample_frames(path, self.frame_rate)
            ]
        faces = np.array([measures for measures in found if measures is not None])
        if not len(faces):
            raise NothingFound("no face")
        share = len(faces) / len(found)
        return np.concatenate([faces.mean(axis=0), faces.std(axis=0), [share]])

    def _open(self) -> Any:
        """Open a landmarker, to be closed by its user.

        MediaPipe locks up for good if one is closed by the garbage collector while
        another is at work, so none outlives the clip that it was opened for.
        """
        return self.landmarks.FaceLandmarker.create_from_options(
            self.landmarks.FaceLandmarkerOptions(
                base_options=self.tasks.BaseOptions(model_asset_buffer=self.model),
                num_faces=N_FACES,
                output_face_blendshapes=True,
                output_facial_transformation_matrixes=True,
            )
        )

    def _measure(self, landmarker: Any, frame: np.ndarray) -> list[float] | None:
        """Measure the largest face of a frame; None if there is no face."""
        image = self.mediapipe.Image(
            image_format=self.mediapipe.ImageFormat.SRGB, data=frame
        )
        result = landmarker.detect(image)
        if not result.face_landmarks:
            return None
        largest = int(np.argmax([area(face) for face in result.face_landmarks]))
        movements = result.face_blendshapes[largest]
        pose = angles(result.facial_transformation_matrixes[largest])
        return [*(movements[shape].score for shape in self.shapes), *pose]


def area(face: Any) -> float:
    """Return the area of the box round a face, as a share of the picture."""
    points = np.array([(point.x, point.y) for point in face])
    return np.prod(np.ptp(points, axis=0))


def angles(matrix: np.ndarray) -> np.ndarray:
    """Return pitch, yaw and roll of a head in degrees."""
    pitch = np.arctan2(matrix[2, 1], matrix[2, 2])
    yaw = np.arcsin(np.clip(-matrix[2, 0], -1, 1))
    roll = np.arctan2(matrix[1, 0], matrix[0, 0])
    return np.degrees([pitch, yaw, roll])
