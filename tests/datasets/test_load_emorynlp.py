"""EmoryNLP from annotation files and pickles: what is read and what is refused."""

import pickle
from itertools import accumulate

import numpy as np
import pandas as pd
import pytest
from clip_files import as_bytes
from systems import mostly_slow

from skmerc.datasets import load_emorynlp
from skmerc.frame import split_frame

HEADER = (
    "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,End_Time"
)
LINES = {
    "train": [
        "Coffee.,['Rachel Green'],Neutral,1,1,1,15,00:00:03.795,00:00:05.004",
        "\"Aww, thank you.\",\"['Monica Geller', 'Ross Geller']\",Scared,1,3,1,15,"
        "00:01:29.798,0:01:33.38",
        "NA,['#ALL#'],Joyful,1,1,1,20,00:00:03.461,00:00:09.842",
    ],
    "dev": ["None,[],Mad,2,1,1,20,00:00:03.461,00:00:09.842"],
    "test": [
        '"""So"" it is.",["Chandler\'s Dad"],Sad,1,7,9,1,00:00:03.461,00:00:09.842'
    ],
}
# The order of COSMIC's codes, and the utterances of each class in the whole corpus.
ORDER = ["Joyful", "Mad", "Peaceful", "Neutral", "Sad", "Powerful", "Scared"]
SIZES = [2099, 968, 831, 3095, 595, 717, 1184]
SMALL = {"1_15_1": [3, 6], "1_20_1": [0], "1_20_2": [1]}
ONE_HOT = [[1] + [0] * 8, [0, 1] + [0] * 7]


@pytest.fixture
def folder(tmp_path):
    """A folder with the three annotation files."""
    for part, lines in LINES.items():
        text = "".join(f"{line}\n" for line in [HEADER, *lines])
        (tmp_path / f"emorynlp_{part}_final.csv").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def write_pickle(tmp_path):
    def write(members, protocol=None):
        path = tmp_path / "emorynlp.pkl"
        path.write_bytes(pickle.dumps(members, protocol=protocol))
        return path

    return write


def cosmic(labels, features=()):
    """The members of a COSMIC pickle; the last dialogue is dev, that before test."""
    speakers = {
        key: [ONE_HOT[at % 2] for at in range(len(codes))]
        for key, codes in labels.items()
    }
    sentences = {key: ["It\x92s me."] * len(codes) for key, codes in labels.items()}
    *train, test, dev = labels
    return [speakers, labels, *features, sentences, train, [test], [dev]]


def whole_corpus(order):
    """Labels of 9,489 utterances, in dialogues of one class each, and their names."""
    names = np.repeat(order, [SIZES[ORDER.index(name)] for name in order])
    codes = np.repeat(np.arange(7), [SIZES[ORDER.index(name)] for name in order])
    ends = list(accumulate([len(codes) - 3, 2, 1]))
    parts = np.split(codes, ends[:-1])
    return {f"1_1_{at}": list(part) for at, part in enumerate(parts)}, names


def test_annotations_give_text_keys_and_labels(folder):
    emory = load_emorynlp(folder)
    assert emory.data["dialogue__id"].tolist() == [
        "train_1_15_1",
        "train_1_15_1",
        "train_1_20_1",
        "dev_1_20_2",
        "test_9_1_1",
    ]
    assert emory.data["dialogue__turn"].tolist() == [0, 1, 0, 0, 0]
    assert emory.data["dialogue__speaker"].tolist() == [
        "Rachel Green",
        "Monica Geller and Ross Geller",
        "#ALL#",
        "",
        "Chandler's Dad",
    ]
    assert emory.data["utterance"].tolist() == [
        "Coffee.",
        "Aww, thank you.",
        "NA",
        "None",
        '"So" it is.',
    ]
    assert emory.target.tolist() == ["Neutral", "Scared", "Joyful", "Mad", "Sad"]
    assert emory.target_names == ORDER
    assert emory.split.tolist() == ["train"] * 3 + ["dev", "test"]
    assert emory.feature_names == ["utterance"]
    assert "9,489 utterances" in emory.DESCR
    assert "Apache-2.0" in emory.license


def test_metadata_tell_the_place_in_the_series(folder):
    metadata = load_emorynlp(folder).metadata
    assert metadata["season"].tolist() == [1, 1, 1, 1, 9]
    assert metadata["episode"].tolist() == [15, 15, 20, 20, 1]
    assert metadata["start"].tolist() == [3.795, 89.798, 3.461, 3.461, 3.461]
    assert metadata["end"].isna().tolist() == [False, True, False, False, False]
    assert metadata["utterance_id"].tolist()[:2] == [
        "sea1_ep15_sc1_utt1",
        "sea1_ep15_sc1_utt3",
    ]


def test_parts_are_chosen_and_files_may_lack(folder):
    X, y = load_emorynlp(folder, split=["dev", "test"], return_X_y=True)
    assert X["dialogue__id"].tolist() == ["dev_1_20_2", "test_9_1_1"]
    assert y.tolist() == ["Mad", "Sad"]
    (folder / "emorynlp_train_final.csv").unlink()
    assert load_emorynlp(folder).split.tolist() == ["dev", "test"]
    assert len(load_emorynlp(folder / "emorynlp_dev_final.csv").target) == 1


@pytest.mark.slow
@pytest.mark.parametrize("order", mostly_slow([ORDER, ORDER[::-1]]))
@pytest.mark.parametrize("protocol", mostly_slow([2, None]))
def test_whole_pickle_tells_its_classes_by_their_sizes(write_pickle, order, protocol):
    labels, names = whole_corpus(order)
    emory = load_emorynlp(write_pickle(cosmic(labels), protocol))
    assert emory.target.tolist() == names.tolist()
    assert emory.target_names == ORDER
    assert emory.split.tolist() == ["train"] * (len(names) - 3) + ["test"] * 2 + ["dev"]
    ids = emory.data["dialogue__id"].unique().tolist()
    assert ids == ["train_1_1_0", "test_1_1_1", "dev_1_1_2"]
    assert emory.data["dialogue__turn"].tolist()[-3:] == [0, 1, 0]
    assert emory.data["dialogue__speaker"].tolist()[:2] == ["speaker0", "speaker1"]
    assert set(emory.data["utterance"]) == {"It’s me."}


def test_small_pickle_needs_the_order_of_its_classes(write_pickle):
    path = write_pickle(cosmic(SMALL))
    with pytest.raises(ValueError, match="codes 0 to 6 1, 1, 0, 1, 0, 0, 1 times.*Joy"):
        load_emorynlp(path)
    assert load_emorynlp(path, class_names=ORDER).target.tolist() == [
        "Neutral",
        "Scared",
        "Joyful",
        "Mad",
    ]
    with pytest.raises(ValueError, match="give Joyful, Mad, Peaceful"):
        load_emorynlp(path, class_names=ORDER[:6])


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.TextEncodingWarning")
def test_dialogues_may_be_called_by_bytes(write_pickle):
    text = load_emorynlp(write_pickle(cosmic(SMALL)), class_names=ORDER)
    same = load_emorynlp(write_pickle(as_bytes(cosmic(SMALL))), class_names=ORDER)
    keys = ["dialogue__id", "dialogue__turn", "dialogue__speaker"]
    pd.testing.assert_frame_equal(same.data[keys], text.data[keys])
    assert same.target.tolist() == text.target.tolist()
    assert same.split.tolist() == text.split.tolist()


def test_layers_of_roberta_are_modalities(write_pickle):
    layers = [
        {key: [np.full(1024, n, "float32")] * len(rows) for key, rows in SMALL.items()}
        for n in range(4)
    ]
    path = write_pickle(cosmic(SMALL, layers))
    emory = load_emorynlp(path, class_names=ORDER)
    blocks = split_frame(emory.data)[1]
    assert list(blocks) == ["text", "text2", "text3", "text4"]
    assert [block.shape for block in blocks.values()] == [(4, 1024)] * 4
    assert [block[0, 0] for block in blocks.values()] == [0, 1, 2, 3]
    X, _ = load_emorynlp(
        path, modalities="text2", class_names=ORDER, return_X_y=True, split="test"
    )
    assert X.shape == (1, 4 + 1024)


def test_members_of_another_order_are_named_by_hand(write_pickle):
    speakers, labels, sentences, *parts = cosmic(SMALL)
    path = write_pickle([sentences, labels, speakers])
    with pytest.raises(ValueError, match="has 3 members"):
        load_emorynlp(path)
    emory = load_emorynlp(
        path, members=["sentences", "labels", "speakers"], class_names=ORDER
    )
    assert emory.data["dialogue__id"].tolist()[:3] == ["1_15_1", "1_15_1", "1_20_1"]
    assert set(emory.split) == {""}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",Emotion,", ",Mood,", "it has no column 'Emotion'"),
        (",Joyful,", ",joyful,", "'Emotion' is 'joyful' in row 2; known are Joyful"),
        ("['#ALL#']", "#ALL#", "'Speaker' is '#ALL#' in row 2, which is no list"),
        ("['#ALL#']", "'Joey'", "'Speaker' is \"'Joey'\" in row 2"),
        ("['#ALL#']", "[1]", r"'Speaker' is '\[1\]' in row 2"),
        ("['#ALL#']", "list()", r"'Speaker' is 'list\(\)' in row 2"),
        (",1,3,1,15,", ",1,3,one,15,", "'Season' is 'one' in row 1"),
        (",1,3,1,15,", ",1,1,1,15,", "train_1_15_1 has the utterance 1 twice"),
        (",00:00:09.842", "", "line 4 has 8 cells, the header 9"),
    ],
)
def test_annotations_that_were_changed_are_refused(folder, old, new, message):
    path = folder / "emorynlp_train_final.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_emorynlp(folder)


def test_list_of_speakers_is_never_executed(folder, tmp_path):
    path = folder / "emorynlp_train_final.csv"
    trap = tmp_path / "trap"
    attack = f"[open(r'{trap}', 'w').name]".replace(",", ";")
    path.write_text(path.read_text().replace("['#ALL#']", attack))
    with pytest.raises(ValueError, match="in row 2, which is no list"):
        load_emorynlp(folder)
    assert not trap.exists()


def test_annotations_of_a_spreadsheet_are_refused(folder):
    path = folder / "emorynlp_train_final.csv"
    path.write_text(path.read_text().replace(",", ";"))
    with pytest.raises(ValueError, match="';' stands between its cells"):
        load_emorynlp(folder)


def test_pickle_that_contradicts_itself_is_refused(write_pickle):
    speakers, labels, sentences, train, test, dev = cosmic(SMALL)
    members = [speakers, labels, sentences, train, test, ["9_9_9"]]
    with pytest.raises(ValueError, match="'dev' lists the dialogue '9_9_9'"):
        load_emorynlp(write_pickle(members), class_names=ORDER)
    members = [speakers, labels, sentences | {"1_15_1": ["Hi."]}, train, test, dev]
    with pytest.raises(ValueError, match="'sentences' has 1 utterances"):
        load_emorynlp(write_pickle(members), class_names=ORDER)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        load_emorynlp(tmp_path / "emorynlp")
    with pytest.raises(FileNotFoundError, match=r"emorynlp_train_final\.csv"):
        load_emorynlp(tmp_path)
