"""CMU-MOSEI from each kind of file; what it shares with MOSI is tested there."""

import numpy as np
import pytest
from clip_files import label_list, mmsa, padded, write_pickle

from skmerc.datasets import load_mosei, load_mosi
from skmerc.frame import split_frame


@pytest.fixture
def write(tmp_path):
    """A function that writes a pickle and returns its path."""

    def write(content, name="clips.pkl", python2=False):
        return write_pickle(tmp_path / name, content, python2)

    return write


def thirteen(labels, dev=True):
    """The padded pickle of MOSEI: 13 members, of which known code names six."""
    train, train_label, test, test_label, _, train_length, test_length = padded(labels)
    part = (test + 1, test_label) if dev else (None, None)
    lengths = (train_length, [1] if dev else 0, test_length)
    head = (train, train_label, *part, test, test_label, 3)
    return (*head, *lengths, ["a"], ["b"], ["c"])


def nine(**changes):
    """The nine members of GraphSmile: one vector for each utterance."""
    ids, labels, _, sentences, _, _, _ = label_list()
    speakers = {"v1": ["M", "M"], "v2": ["M"], "v3": ["M"]}
    members = {
        "ids": ids,
        "speakers": speakers,
        "labels": labels,
        "text": {
            "v1": [np.ones(3), np.zeros(3)],
            "v2": [np.ones(3)],
            "v3": [[4, 5, 6]],
        },
        "audio": {"v1": np.ones((2, 4)), "v2": [np.ones(4)], "v3": [np.ones(4)]},
        "visual": {"v1": np.full((2, 2), 7), "v2": [[8, 9]], "v3": [[1, 2]]},
        "sentences": sentences,
        "train": ["v1", "v2"],
        "test": ["v3"],
    }
    return tuple((members | changes).values())


def ten(labels, **changes):
    """The ten members of TBJE: sequences of audio, sentences as lists of words."""
    audio = {
        "v1": [np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6]])],
        "v2": [np.array([[7.0, 8], [0, 0]])],
        "v3": [[[1.0, 1], [2, 2], [3, 3]]],
    }
    words = {"v1": [["so", "it", "is"], ["yes"]], "v2": [["no"]], "v3": [["a", "b"]]}
    *head, _, test = nine(labels=labels, audio=audio, sentences=words)
    parts = {"train": ["v1"], "dev": ["v2"], "test": test}
    return (*head, *(parts | changes).values())


SCORES = {"v1": [1.4, -0.2], "v2": [-2.6], "v3": [0.0]}
SIX = {"v1": [[0, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1]], "v2": [[0] * 6], "v3": [[1] * 6]}
SEVEN = {
    key: [
        np.array([score, *six])
        for score, six in zip(SCORES[key], SIX[key], strict=True)
    ]
    for key in SCORES
}


def test_mmsa_is_read_as_for_mosi(write):
    X, y = load_mosei(write(mmsa()), label="polarity", split="test", return_X_y=True)
    assert X["dialogue__id"].tolist() == ["d", "d"]
    assert y.tolist() == ["negative", "positive"]


@pytest.mark.parametrize("python2", [False, True])
def test_thirteen_members_hold_a_dev_part(write, python2):
    content = thirteen(((1.2, -0.5, 0), (0, 3, 1)))
    bunch = load_mosei(write(content, "text_2way.pickle", python2))
    assert bunch.split.tolist() == ["train"] * 5 + ["dev", "test"]
    assert bunch.target.tolist() == [1.2, -0.5, 0, 3, 1, 1, 1]
    assert split_frame(bunch.data)[1]["text"][5].tolist() == [6, 6]


def test_thirteen_members_may_hold_no_dev_part(write):
    content = thirteen(((1.2, -0.5, 0), (0, 3, 1)), dev=False)
    bunch = load_mosei(write(content, "audio_2way.pickle"), label="seven")
    assert bunch.split.tolist() == ["train"] * 5 + ["test"]


def test_labels_of_zero_and_one_are_polarities(write):
    path = write(thirteen(((1, 0, 0), (0, 1, 1))), "video_2way.pickle")
    bunch = load_mosei(path, label="polarity")
    assert bunch.target.tolist()[:3] == ["positive", "negative", "negative"]
    assert list(split_frame(bunch.data)[1]) == ["visual"]
    with pytest.raises(ValueError, match="holds polarity"):
        load_mosei(path)


@pytest.mark.parametrize("python2", [False, True])
def test_nine_members_hold_a_vector_for_each_utterance(write, python2):
    bunch = load_mosei(write(nine(), python2=python2))
    blocks = split_frame(bunch.data)[1]
    assert {name: block.shape for name, block in blocks.items()} == {
        "text": (4, 3),
        "audio": (4, 4),
        "visual": (4, 2),
    }
    assert blocks["text"][3].tolist() == [4, 5, 6]
    assert blocks["text"][1].tolist() == [0, 0, 0]
    assert bunch.target.tolist() == [1.4, -0.2, -2.6, 0]
    assert bunch.data["dialogue__speaker"].tolist() == ["v1", "v1", "v2", "v3"]
    assert bunch.split.tolist() == ["train"] * 3 + ["test"]


def test_ten_members_hold_sequences_that_are_averaged(write):
    bunch = load_mosei(write(ten(SCORES)))
    audio = split_frame(bunch.data)[1]["audio"]
    assert audio.tolist() == [[2, 3], [5, 6], [3.5, 4], [2, 2]]
    assert bunch.metadata["utterance"].tolist() == ["so it is", "yes", "no", "a b"]
    assert bunch.split.tolist() == ["train", "train", "dev", "test"]


def test_an_infinite_frame_is_left_out_of_a_sequence(write):
    content = ten(SCORES)
    content[4]["v1"][0][1, 0] = -np.inf
    content[4]["v2"][0][:] = np.nan
    path = write(content)
    with pytest.warns(UserWarning, match="3 of audio") as caught:
        bunch = load_mosei(path)
    assert caught[0].filename == __file__
    audio = split_frame(bunch.data)[1]["audio"]
    assert audio[0].tolist() == [1, 2]
    assert np.isnan(audio).all(axis=1).tolist() == [False, False, True, False]


def test_six_numbers_are_emotions(write):
    bunch = load_mosei(write(ten(SIX)), label="emotions")
    assert bunch.target.tolist() == SIX["v1"] + SIX["v2"] + SIX["v3"]
    assert bunch.target.dtype.kind == "i"
    assert bunch.target_names == [
        "happy",
        "sad",
        "angry",
        "surprise",
        "disgust",
        "fear",
    ]
    with pytest.raises(ValueError, match="label='score'.*holds emotions"):
        load_mosei(write(ten(SIX)))


def test_seven_numbers_are_a_score_and_strengths_of_emotions(write):
    half = {
        key: [label / [1, 2, 2, 2, 2, 2, 2] for label in SEVEN[key]] for key in SEVEN
    }
    path = write(ten(half))
    emotions = load_mosei(path, label="emotions", split="train").target
    assert emotions.tolist() == SIX["v1"]
    assert load_mosei(path, label="score").target.tolist() == [1.4, -0.2, -2.6, 0]


def test_a_score_may_stand_in_a_list_of_one(write):
    labels = {key: [[score] for score in scores] for key, scores in SCORES.items()}
    assert load_mosei(write(ten(labels))).target.tolist() == [1.4, -0.2, -2.6, 0]


def test_labels_of_one_emotion_are_no_scores(write):
    path = write(ten({"v1": [1, 0], "v2": [0], "v3": [1]}))
    with pytest.raises(ValueError, match="only 0 and 1.*the file that holds all six"):
        load_mosei(path)


def test_the_list_of_labels_has_no_emotions(write):
    path = write(label_list())
    assert load_mosei(path, label="polarity").target.tolist()[0] == "positive"
    with pytest.raises(ValueError, match="holds score, polarity, seven"):
        load_mosei(path, label="emotions")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (SIX | {"v2": [[0.0] * 7]}, r"utterance 0 of dialogue 'v2'"),
        (SCORES | {"v2": [[0.0] * 3]}, r"utterance 0 of dialogue 'v2'"),
        (SIX | {"v2": [[-1, 0, 0, 0, 0, 0]]}, "turn 1 in dialogue 'v2' is not six"),
        (SIX | {"v2": [[np.nan, 0, 0, 0, 0, 0]]}, "is not six strengths"),
    ],
)
def test_labels_of_another_shape_are_refused(write, labels, message):
    with pytest.raises(ValueError, match=message):
        load_mosei(write(ten(labels)), label="emotions")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": {"v1": [[1, 2]], "v2": [[1]], "v3": [[1]]}}, "'v1', 'text' has 1"),
        (
            {"text": {"v1": [[1, 2], [1]], "v2": [[1, 2]], "v3": [[1, 2]]}},
            r"'text' has features of shape \(1,\) in utterance 1 of dialogue 'v1'",
        ),
        (
            {"text": {"v1": [[1, 2], ["a", "b"]], "v2": [[1, 2]], "v3": [[1, 2]]}},
            "'text' is no vector of numbers.*utterance 1 of dialogue 'v1'",
        ),
        (
            {"text": {"v1": np.ones((2, 3, 3, 3)), "v2": [[1]], "v3": [[1]]}},
            "utterance 0 of dialogue 'v1' \\(3 dimensions",
        ),
        (
            {"text": {"v1": [[1], [[1], [1, 2]]], "v2": [[1]], "v3": [[1]]}},
            "utterance 1 of dialogue 'v1'",
        ),
    ],
)
def test_features_that_do_not_fit_are_refused(write, changes, message):
    with pytest.raises(ValueError, match=message):
        load_mosei(write(nine(**changes)))


def test_files_of_the_sdk_are_refused_with_a_way_out(tmp_path):
    path = tmp_path / "CMU_MOSEI_Labels.csd"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    for given in (path, tmp_path):
        with pytest.raises(ValueError, match="HDF5 of CMU-MultimodalSDK.*align"):
            load_mosei(given)


# --- Parts with labels, as MulT, MISA and others keep them

IDS = {
    "MMSA": ["v1$_$3", "v1$_$1", "v_2$_$0"],
    "SDK": ["v1[3]", "v1[1]", "v_2[0]"],
    "MISA": ["v1_3", "v1_1", "v_2_0"],
    "bytes": [b"v1_3", b"v1_1", b"v_2_0"],
    "bytes in arrays": np.array([[b"v1_3"], [b"v1_1"], [b"v_2_0"]]),
}
SPANS = [["v1", 5.25, 7.5], ["v1", 1.5, 3.0], ["v_2", 0.0, 1.0]]


def part_of(ids, labels, **changes):
    frames = np.arange(1.0, 4.0)[:, None, None] * np.ones((3, 4, 2))
    part = {"id": ids, "labels": labels, "text": frames, "audio": frames * 2}
    return {"train": part | {"vision": frames * 3} | changes}


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 1, 1)])
def test_labels_of_parts_are_scores(write, kind, shape):
    labels = np.array([1.0, -2.5, 0.5]).reshape(shape)
    bunch = load_mosei(write(part_of(IDS[kind], labels)))
    assert bunch.data["dialogue__id"].tolist() == ["v1", "v1", "v_2"]
    assert bunch.data["dialogue__turn"].tolist() == [1, 3, 0]
    assert bunch.target.tolist() == [-2.5, 1.0, 0.5]
    assert bunch.data["audio__0"].tolist() == [4.0, 2.0, 6.0]


@pytest.mark.parametrize(
    "ids",
    [SPANS, np.array(SPANS), np.array(SPANS, dtype="S"), np.array(SPANS, dtype=object)],
    ids=["lists", "text", "bytes", "objects"],
)
def test_utterances_with_times_are_in_their_order(write, ids):
    bunch = load_mosei(write(part_of(ids, np.array([[1.0], [-2.5], [0.5]]))))
    assert bunch.data["dialogue__turn"].tolist() == [0, 1, 0]
    assert bunch.target.tolist() == [-2.5, 1.0, 0.5]
    assert bunch.metadata["id"][0].startswith("v1_1.5_3")


def test_labels_of_parts_may_tell_emotions(write):
    labels = np.array([[1.5, 0, 1, 0, 0, 0, 2.0]] * 3).reshape(3, 1, 7)
    path = write(part_of(IDS["MMSA"], labels))
    assert load_mosei(path).target.tolist() == [1.5] * 3
    emotions = load_mosei(path, label="emotions").target
    assert emotions.tolist() == [[0, 1, 0, 0, 0, 1]] * 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            part_of(["v1", "v1", "v2"], np.ones(3)),
            r"the id 'v1' .*'<video>\[<number>\]",
        ),
        (part_of([["v", "x", 1]] * 3, np.ones(3)), r"is not a video, the start"),
        (
            part_of(IDS["MISA"], np.ones((3, 4, 2))),
            r"'labels' has the shape \(3, 4, 2\)",
        ),
        (part_of(IDS["MISA"], np.array([0, 1, 2])), "codes of classes"),
        (part_of(IDS["MISA"], np.ones(2)), "'labels' has 2 utterances and 'id' 3"),
    ],
)
def test_parts_that_cannot_be_read_are_told(write, content, message):
    path = write(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_mosei(path)
    assert str(path) in str(caught.value)


# --- Scores beyond 3


@pytest.mark.parametrize("load", [load_mosei, load_mosi])
def test_scores_beyond_three_are_clamped_where_asked_for(write, load):
    path = write(part_of(IDS["MISA"], np.array([5.0, -3.25, 0.5])))
    with pytest.raises(ValueError, match=r"the label .* as 2 of 3 are not; clamp=True"):
        load(path)
    bunch = load(path, clamp=True)
    assert bunch.target.tolist() == bunch.metadata["score"].tolist() == [-3, 3, 0.5]
    assert load(path, clamp=True, label="seven").target.tolist() == ["-3", "3", "0"]


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_what_is_no_score_is_not_clamped(write, score):
    path = write(part_of(IDS["MISA"], np.array([5.0, score, 0.5])))
    with pytest.raises(ValueError, match=f"the label {score} of turn 1.*leave utt"):
        load_mosei(path, clamp=True)
