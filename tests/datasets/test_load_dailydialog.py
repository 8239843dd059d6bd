"""DailyDialog from its release and from pickles: what is read and what is refused."""

import pickle

import numpy as np
import pytest
from systems import mostly_slow

from skmerc.datasets import load_dailydialog
from skmerc.frame import split_frame

TEXTS = {
    "train": [
        "Say , Jim , how about a few beers after dinner ? __eou__ You know that is "
        "tempting . __eou__ What ’ s that ? __eou__",
        "None __eou__ NA __eou__",
    ],
    "validation": ["Good morning , sir . __eou__ Good\u2028day . __eou__"],
    "test": ["Hey man , you wanna buy some weed ? __eou__ No . __eou__"],
}
EMOTIONS = {"train": ["0 4 6 ", "0 1 "], "validation": ["0 0 "], "test": ["2 3 "]}
ACTS = {"train": ["3 4 2 ", "1 1 "], "validation": ["2 3 "], "test": ["3 2 "]}
ORDER = [
    "no emotion",
    "anger",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
]
SIZES = [85572, 1022, 353, 174, 12885, 1150, 1823]
# The orders of COSMIC and InstructERC.
ORDERS = [[4, 0, 1, 5, 3, 6, 2], [0, 4, 5, 6, 1, 3, 2]]
ACT_ORDER = ["inform", "question", "directive", "commissive"]

SMALL = {"tr_c0": [0, 4, 6], "tr_c1": [0, 1], "va_c0": [0, 0], "te_c0": [2, 3]}
SMALL_ACTS = {"tr_c0": [2, 3, 1], "tr_c1": [0, 0], "va_c0": [1, 2], "te_c0": [2, 1]}
SPEAKERS = {key: [str(at % 2) for at in range(len(r))] for key, r in SMALL.items()}
SENTENCES = {key: ["Well ,\x92 yes"] * len(rows) for key, rows in SMALL.items()}
VECTORS = {
    key: np.arange(len(rows) * 3, dtype="float32").reshape(-1, 3)
    for key, rows in SMALL.items()
}
TOKENS = {key: [np.arange(250)] * len(rows) for key, rows in SMALL.items()}
PARTS = [{"tr_c0", "tr_c1"}, {"te_c0"}, {"va_c0"}]
FAMILIES = {
    "cosmic": [SPEAKERS, SMALL, SENTENCES, *PARTS],
    "roberta": [SPEAKERS, SMALL, *[VECTORS] * 4, SENTENCES, *PARTS],
    "features": [SPEAKERS, VECTORS, SMALL_ACTS, SMALL, *PARTS],
    "tokens": [
        SPEAKERS,
        TOKENS,
        dict.fromkeys(SMALL, 9),
        SMALL_ACTS,
        SMALL,
        *PARTS,
    ],
}
WIDTHS = {
    "cosmic": {},
    "roberta": {"text": 3, "text2": 3, "text3": 3, "text4": 3},
    "features": {"text": 3},
    "tokens": {"tokens": 250},
}


def write_lines(path, lines):
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


@pytest.fixture
def folder(tmp_path):
    """A folder as the release unpacks to."""
    for name in TEXTS:
        part = tmp_path / name
        part.mkdir()
        write_lines(part / f"dialogues_{name}.txt", TEXTS[name])
        write_lines(part / f"dialogues_emotion_{name}.txt", EMOTIONS[name])
        write_lines(part / f"dialogues_act_{name}.txt", ACTS[name])
    return tmp_path


@pytest.fixture
def write_pickle(tmp_path):
    def write(members, protocol=None):
        path = tmp_path / "dailydialog.pkl"
        path.write_bytes(pickle.dumps(members, protocol=protocol))
        return path

    return write


def test_a_byte_order_mark_is_no_word(folder):
    expected = load_dailydialog(folder)
    for file in folder.rglob("*.txt"):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    marked = load_dailydialog(folder)
    assert marked.data.equals(expected.data)
    assert marked.target.tolist() == expected.target.tolist()


def test_release_gives_text_keys_and_labels(folder):
    daily = load_dailydialog(folder)
    assert daily.data["dialogue__id"].tolist() == [
        *["train_dia0"] * 3,
        *["train_dia1"] * 2,
        *["dev_dia0"] * 2,
        *["test_dia0"] * 2,
    ]
    assert daily.data["dialogue__turn"].tolist() == [0, 1, 2, 0, 1, 0, 1, 0, 1]
    speakers = daily.data["dialogue__speaker"].tolist()
    assert speakers[:5] == ["speaker0", "speaker1", "speaker0", "speaker0", "speaker1"]
    assert daily.data["utterance"].tolist()[:5] == [
        "Say , Jim , how about a few beers after dinner ?",
        "You know that is tempting .",
        "What ’ s that ?",
        "None",
        "NA",
    ]
    assert daily.data["utterance"][6] == "Good\u2028day ."
    assert daily.target.tolist() == [
        "no emotion",
        "happiness",
        "surprise",
        "no emotion",
        "anger",
        "no emotion",
        "no emotion",
        "disgust",
        "fear",
    ]
    assert daily.target_names == ORDER
    assert daily.split.tolist() == ["train"] * 5 + ["dev"] * 2 + ["test"] * 2
    assert daily.metadata["utterance"].equals(daily.data["utterance"])
    assert "102,979 utterances" in daily.DESCR
    assert "CC BY-NC-SA" in daily.license


def test_act_is_another_label(folder):
    daily = load_dailydialog(folder, label="act", split="train")
    assert daily.target.tolist() == [
        "directive",
        "commissive",
        "question",
        "inform",
        "inform",
    ]
    assert daily.target_names == ACT_ORDER


def test_parts_are_chosen_and_folders_may_lack(folder):
    X, y = load_dailydialog(folder, split="dev", return_X_y=True)
    assert X["dialogue__id"].tolist() == ["dev_dia0"] * 2
    assert y.tolist() == ["no emotion"] * 2
    (folder / "train").rename(folder / "elsewhere")
    assert set(load_dailydialog(folder).split) == {"dev", "test"}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("protocol", [2, None])
def test_pickles_give_features_and_labels(write_pickle, family, protocol):
    path = write_pickle(FAMILIES[family], protocol)
    daily = load_dailydialog(path, class_names=ORDER)
    numbers = daily.data.drop(columns="utterance", errors="ignore")
    widths = {n: block.shape[1] for n, block in split_frame(numbers)[1].items()}
    assert {name: n for name, n in widths.items() if n} == WIDTHS[family]
    ids = daily.data["dialogue__id"].unique().tolist()
    assert ids == ["train_tr_c0", "train_tr_c1", "dev_va_c0", "test_te_c0"]
    speakers = daily.data["dialogue__speaker"].tolist()
    assert speakers[:4] == ["speaker0", "speaker1", "speaker0", "speaker0"]
    assert daily.target.tolist() == [ORDER[c] for rows in SMALL.values() for c in rows]
    assert daily.split.tolist() == ["train"] * 5 + ["dev"] * 2 + ["test"] * 2


def test_text_of_a_pickle_is_decoded(write_pickle):
    daily = load_dailydialog(write_pickle(FAMILIES["cosmic"]), class_names=ORDER)
    assert set(daily.data["utterance"]) == {"Well ,’ yes"}


@pytest.mark.parametrize("family", ["features", "tokens"])
def test_pickles_with_acts_give_them(write_pickle, family):
    path = write_pickle(FAMILIES[family])
    daily = load_dailydialog(path, label="act", class_names=ACT_ORDER)
    assert daily.target.tolist()[:3] == ["directive", "commissive", "question"]
    assert daily.target_names == ACT_ORDER


def test_pickle_without_acts_says_so(write_pickle):
    with pytest.raises(ValueError, match="label='act': .* has no member 'acts'"):
        load_dailydialog(write_pickle(FAMILIES["cosmic"]), label="act")


@pytest.mark.slow
@pytest.mark.parametrize("order", mostly_slow(ORDERS))
def test_whole_pickle_tells_its_classes_by_their_sizes(write_pickle, order):
    names = [ORDER[position] for position in order]
    labels = {
        f"c{code}": [code] * SIZES[position] for code, position in enumerate(order)
    }
    speakers = {key: ["0"] * len(rows) for key, rows in labels.items()}
    members = [speakers, labels, speakers, list(labels), [], []]
    _, y = load_dailydialog(write_pickle(members), return_X_y=True)
    assert y[np.cumsum([0, *map(len, labels.values())])[:-1]].tolist() == names
    assert dict(zip(*np.unique(y, return_counts=True), strict=True)) == dict(
        zip(ORDER, SIZES, strict=True)
    )


def test_small_pickle_needs_the_order_of_its_classes(write_pickle):
    path = write_pickle(FAMILIES["features"])
    with pytest.raises(ValueError, match="'labels' has the codes 0 to 6 4, 1, 1, 1, 1"):
        load_dailydialog(path)
    with pytest.raises(ValueError, match="'acts' has the codes 0 to 3 .* of inform"):
        load_dailydialog(path, label="act")
    with pytest.raises(ValueError, match="give no emotion, anger"):
        load_dailydialog(path, class_names=ACT_ORDER)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("dialogues_train", " NA __eou__", " NA", "line 2 does not end with __eou__"),
        ("dialogues_train", "What ’ s that ? __eou__", "", "2 utterances in line 1"),
        ("dialogues_train", "None __eou__ NA __eou__\n", "", "1 dialogues, .* has 2"),
        ("dialogues_train", "\nNone", "\n\nNone", "line 2 does not end with __eou__"),
        (
            "dialogues_emotion_train",
            "0 4 6",
            "0 4 7",
            "label '7' in line 1; known are 0",
        ),
        ("dialogues_emotion_train", "0 4 6", "0 4", "in line 1, .* has 2 labels"),
        ("dialogues_emotion_train", "0 1 \n", "", "2 dialogues, .* has 1"),
    ],
)
def test_release_that_was_changed_is_refused(folder, file, old, new, message):
    path = folder / "train" / f"{file}.txt"
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new).encode())
    with pytest.raises(ValueError, match=message):
        load_dailydialog(folder)


def test_acts_count_from_one(folder):
    path = folder / "test" / "dialogues_act_test.txt"
    write_lines(path, ["0 2 "])
    with pytest.raises(ValueError, match="label '0' in line 1; known are 1, 2, 3, 4"):
        load_dailydialog(folder, label="act")
    assert len(load_dailydialog(folder).target) == 9


def test_empty_and_undecodable_files_are_refused(folder):
    path = folder / "test" / "dialogues_test.txt"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="has no lines"):
        load_dailydialog(folder)
    path.write_bytes(b"What \x92 s that ? __eou__\n")
    with pytest.raises(ValueError, match="is not UTF-8"):
        load_dailydialog(folder)


def test_missing_files_are_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        load_dailydialog(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"train/dialogues_train\.txt"):
        load_dailydialog(folder / "train")
    (folder / "test" / "dialogues_emotion_test.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"dialogues_emotion_test\.txt"):
        load_dailydialog(folder)


def test_pickle_of_another_corpus_is_refused(write_pickle):
    labels = {0: ["Hi.", "Ho."]}
    members = [{0: ["0", "1"]}, labels, labels, labels, [0], [], []]
    with pytest.raises(ValueError, match="codes 0 to 6 0, 0, 0, 0, 0, 0, 0 times"):
        load_dailydialog(write_pickle(members))
    with pytest.raises(ValueError, match="has 5 members"):
        load_dailydialog(write_pickle(members[:5]))
