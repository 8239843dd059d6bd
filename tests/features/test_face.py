import pickle
import sys

import numpy as np
import pytest
from making import draw_face, plain, write_clip
from sklearn.base import clone

from skmerc.exceptions import MissingModalityWarning
from skmerc.features import FaceFeatures
from skmerc.features._face import angles

pytest.importorskip("mediapipe")
pytest.importorskip("av")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Clips of faces drawn by hand, by what they show."""
    folder = tmp_path_factory.mktemp("clips")
    scene = plain(size=256)
    small = np.pad(draw_face(0, 160), [(80, 80), (0, 0), (0, 0)])
    large = draw_face(2, 320)
    pictures = {
        "shut": [draw_face(0)] * 10,
        "open": [draw_face(2)] * 10,
        "talking": [draw_face(mouth) for mouth in (0, 0, 2, 2) * 3],
        "leaving": [draw_face(0)] * 5 + [scene] * 15,
        "nobody": [scene] * 5,
        "crowd": [np.hstack(pair) for pair in ([small, large], [large, small])],
    }
    return {
        name: write_clip(folder / f"{name}.mp4", frames)
        for name, frames in pictures.items()
    }


@pytest.fixture
def extractor(face_model):
    return FaceFeatures(face_model, frame_rate=10).set_output(transform="pandas")


def test_an_open_mouth_is_an_open_jaw(extractor, clips):
    X = extractor.fit_transform([clips["shut"], clips["open"], clips["talking"]])
    shut, opened, talking = X["jaw_open_mean"]
    assert shut + 0.2 < opened
    assert shut < talking < opened
    spread = X["jaw_open_std"]
    assert spread[2] > 5 * max(spread[0], spread[1])
    assert (X["face_share"] == 1).all()


def test_features_are_named_and_complete(extractor, clips):
    X = extractor.fit_transform([clips["shut"]])
    assert X.shape == (1, 2 * (51 + 3) + 1)
    assert {"mouth_smile_left_mean", "head_yaw_std", "face_share"} <= set(X.columns)
    assert not X.filter(like="neutral").shape[1]
    assert np.isfinite(X).all(axis=None)
    assert (X.dtypes == np.float32).all()


def test_a_face_that_looks_ahead_has_a_pose_near_zero(extractor, clips):
    X = extractor.fit_transform([clips["shut"]])
    assert (X[["head_yaw_mean", "head_roll_mean"]].abs() < 10).all(axis=None)
    assert X["head_pitch_mean"].abs().iloc[0] < 30


def test_frames_without_a_face_count_in_the_share_only(extractor, clips):
    shut, leaving = extractor.fit_transform([clips["shut"], clips["leaving"]]).iloc
    assert leaving["face_share"] == pytest.approx(0.25)
    assert leaving["jaw_open_mean"] == pytest.approx(shut["jaw_open_mean"], abs=0.05)


def test_of_several_faces_the_largest_counts(extractor, clips):
    opened, crowd = extractor.fit_transform([clips["open"], clips["crowd"]]).iloc
    assert crowd["face_share"] == 1
    assert crowd["jaw_open_mean"] == pytest.approx(opened["jaw_open_mean"], abs=0.1)
    assert crowd["jaw_open_std"] < 0.1


@pytest.mark.parametrize("errors", ["warn", "raise"])
def test_a_clip_without_a_face_is_a_missing_modality(extractor, clips, errors):
    extractor.set_params(errors=errors)
    column = [clips["shut"], clips["nobody"]]
    with pytest.warns(MissingModalityWarning, match="1 of 2 rows .* 1 with no face"):
        X = extractor.fit_transform(column)
    assert X.isna().all(axis=1).tolist() == [False, True]


def test_what_cannot_be_read_is_a_missing_modality(extractor, clips, tmp_path):
    column = [None, clips["shut"], tmp_path / "absent.mp4"]
    with pytest.warns(MissingModalityWarning, match="1 with no such file"):
        X = extractor.fit_transform(column)
    assert X.isna().all(axis=1).tolist() == [True, False, True]
    with pytest.raises(ValueError, match=r"Row 1, .*absent.mp4': no such file"):
        extractor.set_params(errors="raise").transform(column[1:])


def test_threads_give_the_same_in_the_same_order(extractor, clips):
    column = [clips[name] for name in ("shut", "open", "talking", "leaving")]
    expected = extractor.fit_transform(column)
    np.testing.assert_array_equal(
        extractor.set_params(n_jobs=2).transform(column), expected
    )


def test_clones_and_pickles_answer_the_same(extractor, clips, global_state_untouched):
    column = [clips["talking"]]
    with global_state_untouched():
        X = extractor.fit_transform(column)
    again = pickle.loads(pickle.dumps(extractor)).transform(column)
    np.testing.assert_array_equal(again, X)
    assert clone(extractor).get_params() == extractor.get_params()


@pytest.mark.parametrize(
    ("axis", "expected"), [(0, [20, 0, 0]), (1, [0, 20, 0]), (2, [0, 0, 20])]
)
def test_angles_are_those_of_the_rotation(axis, expected):
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    first, second = [i for i in range(3) if i != axis]
    matrix, sign = np.eye(4), -1 if axis == 1 else 1
    matrix[first, first] = matrix[second, second] = c
    matrix[second, first], matrix[first, second] = sign * s, -sign * s
    np.testing.assert_allclose(angles(matrix), expected, atol=1e-6)


def test_the_model_file_must_be_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="Face Landmarker"):
        FaceFeatures(tmp_path / "face_landmarker.task").fit([])


@pytest.mark.parametrize("package", ["av", "mediapipe"])
def test_where_a_package_is_absent_the_extra_is_named(extractor, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install 'skmerc\[face\]'"):
        extractor.fit([])
