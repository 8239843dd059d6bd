"""From files of speech and pictures to emotions, in one pipeline."""

import pickle

import numpy as np
import pandas as pd
import pytest
from making import RATE, draw_face, plain, write_clip
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from systems import mostly_slow

from skmerc import (
    AudioFunctionals,
    FaceFeatures,
    JoyfulClassifier,
    TextEmbedder,
    VideoFunctionals,
)
from skmerc.exceptions import MissingModalityWarning
from skmerc.frame import split_frame

pytest.importorskip("librosa")
pytest.importorskip("av")
soundfile = pytest.importorskip("soundfile")

N_DIALOGUES, N_TURNS = 6, 4
WORDS = "What did he say?", "He said he will come.", "Tonight?", "Yes, at eight."


@pytest.fixture(scope="module")
def recordings(speak, tmp_path_factory):
    """A table of files and their emotions: high voice and open mouth are joy."""
    folder = tmp_path_factory.mktemp("recordings")
    rows, rng = [], np.random.default_rng(0)
    for dialogue in range(N_DIALOGUES):
        for turn, words in enumerate(WORDS):
            joy, name = rng.random() < 0.5, f"dia{dialogue}_utt{turn}"
            wav, clip = folder / f"{name}.wav", folder / f"{name}.mp4"
            soundfile.write(wav, speak(words, 85 if joy else 15), RATE)
            mouth = 2.0 if joy else 0.0
            write_clip(clip, [draw_face(mouth * still) for still in (0.9, 1, 1)], 2)
            speaker, emotion = "AB"[turn % 2], "joy" if joy else "sadness"
            files = str(wav), str(clip)
            rows.append([f"dia{dialogue}", turn, speaker, words, *files, emotion])
    keys = ["dialogue__id", "dialogue__turn", "dialogue__speaker"]
    table = pd.DataFrame(rows, columns=[*keys, "utterance", "wav", "clip", "emotion"])
    return table.drop(columns="emotion"), table["emotion"].to_numpy()


@pytest.fixture(params=mostly_slow(["video", "face"]))
def visual(request):
    """An extractor of what is seen; skipped where its model is not there."""
    if request.param == "video":
        return VideoFunctionals(request.getfixturevalue("image_model"), device="cpu")
    return FaceFeatures(request.getfixturevalue("face_model"))


@pytest.fixture
def extractors(model, visual):
    """What makes features of text, sound and pictures."""
    return [
        ("text", TextEmbedder(model, device="cpu"), "utterance"),
        ("audio", AudioFunctionals(), "wav"),
        ("visual", visual, "clip"),
    ]


def make_pipeline(extractors, **parameters):
    extract = ColumnTransformer(extractors, remainder="passthrough")
    recognise = JoyfulClassifier(
        fusion_size=16,
        hidden_size=16,
        heads=2,
        context_layers=1,
        device="cpu",
        random_state=0,
        **parameters,
    )
    steps = [("extract", extract), ("recognise", recognise)]
    return Pipeline(steps).set_output(transform="pandas")


@pytest.mark.slow
def test_the_pipeline_learns_from_files_and_answers_for_new_ones(
    recordings, extractors
):
    X, y = recordings
    train = (X["dialogue__id"] != "dia5").to_numpy()
    pipeline = make_pipeline(extractors, max_epochs=25, patience=None, lr=1e-2)
    pipeline.fit(X[train], y[train])
    assert set(y[~train]) == {"joy", "sadness"}
    assert pipeline.predict(X[~train]).tolist() == y[~train].tolist()


def test_extracted_tables_have_our_layout(recordings, extractors):
    X, _ = recordings
    extract = make_pipeline(extractors)[:1]
    keys, blocks = split_frame(extract.fit_transform(X.iloc[:6]))
    assert keys["dialogue__id"].tolist() == ["dia0"] * 4 + ["dia1"] * 2
    assert keys["dialogue__speaker"].tolist() == list("ABABAB")
    assert set(blocks) == {"text", "audio", "visual"}
    assert blocks["audio"].shape == (6, 202)


@pytest.mark.slow
def test_a_pickled_pipeline_answers_the_same_with_gaps_too(
    recordings, extractors, tmp_path
):
    X, y = recordings
    pipeline = make_pipeline(extractors, max_epochs=2).fit(X, y)
    gaps = X.copy()
    gaps.loc[0, ["utterance", "wav"]] = None
    gaps.loc[1, "clip"] = str(tmp_path / "absent.mp4")
    scene = write_clip(tmp_path / "scene.mp4", [plain()] * 3)
    gaps.loc[2, ["wav", "clip"]] = str(tmp_path / "absent.wav"), scene
    answers = []
    for one in (pipeline, pickle.loads(pickle.dumps(pipeline))):
        with pytest.warns(MissingModalityWarning) as caught:
            answers.append(one.predict_proba(gaps))
        assert len(caught) == 3
    np.testing.assert_array_equal(*answers)
    np.testing.assert_allclose(answers[0].sum(axis=1), 1, rtol=1e-5)
