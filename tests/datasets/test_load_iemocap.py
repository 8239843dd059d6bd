"""IEMOCAP in feature files of the community: what is read, and what is refused."""

import pickle
import struct
import sys
from types import ModuleType

import joblib
import numpy as np
import pandas as pd
import pytest
from clip_files import as_bytes
from systems import mostly_slow

from skmerc.datasets import load_iemocap
from skmerc.frame import mark_validation, split_frame

GENDERS = {"Ses01F_impro01": "FMF", "Ses05M_script01_1": "MF", "Ses02M_impro02": "FM"}
LABELS = {
    "Ses01F_impro01": [2, 5, 0],
    "Ses05M_script01_1": [3, 4],
    "Ses02M_impro02": [1, 2],
}
EMOTIONS = ["neu", "fru", "hap", "ang", "exc", "sad", "neu"]
TRAIN, TEST, DEV = ["Ses01F_impro01"], ["Ses05M_script01_1"], ["Ses02M_impro02"]


def named(**changes):
    """The members of all layouts, by name; a change replaces one."""
    members = {
        "ids": {
            name: [f"{name}_{gender}{turn:03}" for turn, gender in enumerate(genders)]
            for name, genders in GENDERS.items()
        },
        "speakers": {name: list(genders) for name, genders in GENDERS.items()},
        "labels": LABELS,
        "sentences": {
            name: [f"{name} says {turn}" for turn in range(len(genders))]
            for name, genders in GENDERS.items()
        },
        "test": TEST,
        "dev": DEV,
    }
    widths = {"text": 3, "text2": 3, "text3": 3, "text4": 3, "audio": 2, "visual": 4}
    for offset, (modality, width) in enumerate(widths.items()):
        members[modality] = {
            name: [np.arange(width) + 10.0 * offset + turn for turn in range(len(rows))]
            for name, rows in LABELS.items()
        }
    return members | changes


def content(layout, **changes):
    """A file of this layout; where it has no part of its own, dev is in train."""
    train = TRAIN if "dev" in layout else TRAIN + DEV
    members = named(**{"train": train, **changes})
    return tuple(members[name] for name in layout.split())


NINE = "ids speakers labels text audio visual sentences train test"
COSMIC = "speakers labels text text2 text3 text4 sentences train test dev"
TWELVE = "ids speakers labels text text2 text3 text4 audio visual sentences train test"
COSMIC_PLAIN = "speakers labels sentences train test dev"
GCNET = "ids labels speakers sentences train test"


@pytest.fixture
def write(tmp_path):
    def write(thing, name="IEMOCAP_features.pkl"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps(thing))
        return path

    return write


@pytest.fixture
def nine(write):
    return write(content(NINE))


@pytest.mark.parametrize(
    ("layout", "changes"),
    [
        (NINE, {}),
        (TWELVE, {}),
        (GCNET, {"train": set(TRAIN + DEV), "test": set(TEST)}),
        (COSMIC, {}),
        (COSMIC_PLAIN, {"train": np.array(TRAIN)}),
    ],
    ids=["DialogueRNN", "SDT", "GCNet", "COSMIC", "COSMIC without features"],
)
def test_every_layout_reads_keys_labels_and_features(write, layout, changes):
    corpus = load_iemocap(write(content(layout, **changes)))
    keys = corpus.data.iloc[:, :4]
    assert keys["dialogue__id"].tolist() == np.repeat(list(GENDERS), [3, 2, 2]).tolist()
    assert keys["dialogue__turn"].tolist() == [0, 1, 2, 0, 1, 0, 1]
    assert keys["dialogue__speaker"].tolist() == [
        *("Ses01_F", "Ses01_M", "Ses01_F"),
        *("Ses05_M", "Ses05_F"),
        *("Ses02_F", "Ses02_M"),
    ]
    assert set(keys["dialogue__role"]) == {"utterance"}
    assert corpus.target.tolist() == EMOTIONS
    last = "dev" if "dev" in layout else "train"
    assert corpus.split.tolist() == ["train"] * 3 + ["test"] * 2 + [last] * 2
    assert corpus.metadata["utterance"][4] == "Ses05M_script01_1 says 1"
    assert ("utterance_id" in corpus.metadata) == ("ids" in layout)

    modalities = [n for n in layout.split() if n.startswith(("text", "aud", "vis"))]
    if not modalities:
        assert corpus.data["utterance"].equals(corpus.metadata["utterance"])
        return
    blocks = split_frame(corpus.data)[1]
    assert list(blocks) == modalities
    for name, block in blocks.items():
        expected = np.concatenate(list(named()[name].values()))
        np.testing.assert_array_equal(block, expected.astype("float32"))


def test_bunch_says_what_it_holds(nine):
    corpus = load_iemocap(nine, modalities=["audio"])
    assert corpus.feature_names == ["audio__0", "audio__1"]
    assert corpus.target_names == ["hap", "sad", "neu", "ang", "exc", "fru"]
    assert "7 utterances in 3 dialogues (train 5, dev 0, test 2)" in corpus.DESCR
    assert "hap 1, sad 1, neu 2, ang 1, exc 1, fru 1." in corpus.DESCR
    assert str(nine) in corpus.DESCR
    assert "research only" in corpus.license
    assert corpus.metadata["utterance_id"][1] == "Ses01F_impro01_M001"


def test_x_and_y_alone_equal_those_of_the_bunch(nine):
    X, y = load_iemocap(nine, return_X_y=True)
    corpus = load_iemocap(nine)
    pd.testing.assert_frame_equal(X, corpus.data)
    assert y.tolist() == corpus.target.tolist()


class Python2Pickler(pickle._Pickler):
    """Writes text, bytes and arrays as Python 2 did: as byte strings."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, string):
        raw = string.encode("latin-1") if isinstance(string, str) else string
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(string)

    dispatch[str] = dispatch[bytes] = save_string


def write_as_python_2(path, thing):
    with path.open("wb") as file:
        Python2Pickler(file, protocol=2).dump(thing)
    data = path.read_bytes().replace(b"cnumpy._core.", b"cnumpy.core.")
    path.write_bytes(data)


def test_pickles_of_python_2_read_the_same(nine, tmp_path):
    thing = content(NINE)
    thing[6]["Ses02M_impro02"][0] = "na\xefve"
    path = tmp_path / "old.pkl"
    write_as_python_2(path, thing)
    assert b"numpy._core" not in path.read_bytes()
    old, new = load_iemocap(path), load_iemocap(nine)
    pd.testing.assert_frame_equal(old.data, new.data)
    assert old.target.tolist() == new.target.tolist()
    assert old.metadata["utterance"][5] == "na\xefve"


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.TextEncodingWarning")
@pytest.mark.parametrize("layout", [NINE, COSMIC, TWELVE, COSMIC_PLAIN, GCNET])
def test_all_text_may_be_bytes(write, layout):
    text = load_iemocap(write(content(layout)))
    same = load_iemocap(write(as_bytes(content(layout)), "bytes.pkl"))
    pd.testing.assert_frame_equal(same.data, text.data)
    pd.testing.assert_frame_equal(same.metadata, text.metadata)
    assert same.target.tolist() == text.target.tolist()
    assert same.split.tolist() == text.split.tolist()


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.TextEncodingWarning")
def test_records_may_have_bytes_for_text(write):
    record = {"vid": TRAIN[0], "speakers": ["F", "M"], "labels": [0, 1]}
    record |= {"sentence": ["a", "b"], "text": np.eye(2)}
    text = load_iemocap(write({"train": [record]}))
    same = load_iemocap(write(as_bytes({"train": [record]}), "bytes.pkl"))
    pd.testing.assert_frame_equal(same.data, text.data)
    assert same.split.tolist() == ["train"] * 2


@pytest.mark.parametrize("none", ["xxx", b"xxx"])
def test_labels_that_are_no_class_may_be_bytes(write, none):
    labels = {key: list(codes) for key, codes in LABELS.items()}
    labels[TRAIN[0]][1] = none
    path = write(content(NINE, labels=labels))
    with pytest.raises(ValueError, match="'labels' has 'xxx', which is no class, in 1"):
        load_iemocap(path)
    roles = load_iemocap(path, keep_unlabelled=True).data["dialogue__role"].tolist()
    assert roles == ["utterance", "context"] + ["utterance"] * 5


def test_a_dialogue_as_text_and_as_bytes_is_refused(write):
    labels = LABELS | {TRAIN[0].encode(): [0]}
    with pytest.raises(ValueError, match=f"'{TRAIN[0]}' twice: as text and as bytes"):
        load_iemocap(write(content(NINE, labels=labels)))


def test_bytes_in_place_of_a_list_are_refused(write):
    labels = LABELS | {TRAIN[0]: b"\0\1\2"}
    with pytest.raises(ValueError, match=r"for the dialogue 'Ses01F.*give a list"):
        load_iemocap(write(content(NINE, labels=labels)))


FOUR = {
    "Ses01F_impro01": [2, 3, 0],
    "Ses05M_script01_1": [3, 0],
    "Ses02M_impro02": [1, 2],
}


def test_four_classes_are_told_from_six_by_the_codes(write):
    corpus = load_iemocap(write(content(NINE, labels=FOUR)))
    assert corpus.target_names == ["hap", "sad", "neu", "ang"]
    assert corpus.target.tolist() == ["neu", "ang", "hap", "ang", "hap", "sad", "neu"]


def test_number_of_classes_can_be_told(write, nine):
    corpus = load_iemocap(write(content(NINE, labels=FOUR), "four.pkl"), n_classes=6)
    assert len(corpus.target_names) == 6
    with pytest.raises(
        ValueError, match=r"'labels' has .*5.*; known are 0 to 3 \(hap,"
    ):
        load_iemocap(nine, n_classes=4)


def test_modalities_come_in_the_order_asked_for(nine):
    X, _ = load_iemocap(nine, modalities=["visual", "text"], return_X_y=True)
    assert list(split_frame(X)[1]) == ["visual", "text"]


def test_a_part_has_the_rows_of_its_dialogues(write):
    path = write(content(COSMIC))
    corpus = load_iemocap(path, modalities="text", split=["train", "dev"])
    assert set(corpus.data["dialogue__id"]) == {*TRAIN, *DEV}
    assert len(corpus.metadata) == len(corpus.target) == len(corpus.split) == 5
    assert corpus.metadata["utterance"][4] == "Ses02M_impro02 says 1"


def test_the_dev_part_serves_as_validation(write):
    corpus = load_iemocap(write(content(COSMIC)), split=["train", "dev"])
    held_out = corpus.data.loc[corpus.split == "dev", "dialogue__id"].unique()
    X = mark_validation(corpus.data, dialogues=held_out)
    assert X["dialogue__role"].tolist() == ["utterance"] * 3 + ["validation"] * 2


def test_a_dialogue_of_no_part_has_an_empty_split(write):
    corpus = load_iemocap(write(content(NINE, train=TRAIN)))
    assert corpus.split.tolist() == ["train"] * 3 + ["test"] * 2 + [""] * 2


def test_features_of_several_frames_become_their_mean(write):
    audio = named()["audio"]
    audio["Ses01F_impro01"][1] = np.array([[1.0, 2.0], [3.0, 6.0]])
    X, _ = load_iemocap(write(content(NINE, audio=audio)), return_X_y=True)
    assert X.loc[1, ["audio__0", "audio__1"]].tolist() == [2.0, 4.0]


@pytest.mark.parametrize("nothing", [None, np.nan, [], np.empty((0, 3))])
def test_an_utterance_without_features_lacks_the_modality(write, nothing):
    name = next(iter(LABELS))
    text = named()["text"]
    text[name] = [nothing, *text[name][1:]]
    expected = load_iemocap(write(content(NINE))).data
    data = load_iemocap(write(content(NINE, text=text))).data
    columns = [column for column in data if column.startswith("text__")]
    lacking = (data["dialogue__id"] == name) & (data["dialogue__turn"] == 0)
    assert lacking.sum() == 1
    expected.loc[lacking, columns] = np.nan
    pd.testing.assert_frame_equal(data, expected)
    empty = {key: [nothing] * len(rows) for key, rows in text.items()}
    with pytest.raises(ValueError, match="'text' has no features in any utterance"):
        load_iemocap(write(content(NINE, text=empty)))


def test_absent_features_are_paid_for(write):
    n, name = 40_000, "Ses01F_impro01"
    members = {
        "ids": {name: [f"{name}_F{turn:03}" for turn in range(n)]},
        "speakers": {name: ["F"] * n},
        "labels": {name: [0] * n},
        "text": {name: [np.ones(1000)] + [None] * (n - 1)},
        "sentences": {name: ["Hm."] * n},
        "audio": {name: np.ones((n, 1))},
        "visual": {name: np.ones((n, 1))},
        "train": [name],
        "test": [],
    }
    path = write(tuple(members[name] for name in NINE.split()))
    assert path.stat().st_size < 4e6
    with pytest.raises(ValueError, match="'text' of utterances without it"):
        load_iemocap(path)


def test_what_single_precision_cannot_hold_is_refused(write):
    text = named()["text"]
    text[next(iter(text))][1] = np.array([1.0, 1e39, 2.0])
    with pytest.raises(
        ValueError, match=r"'text' holds 1e\+39.* too large for float32"
    ):
        load_iemocap(write(content(NINE, text=text)))


def test_array_of_a_dialogue_reads_as_its_rows(write, nine):
    text = {name: np.stack(rows) for name, rows in named()["text"].items()}
    corpus = load_iemocap(write(content(NINE, text=text), "arrays.pkl"))
    pd.testing.assert_frame_equal(corpus.data, load_iemocap(nine).data)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"modalities": ["face"]}, "modalities=.*face.*text, audio, visual"),
        ({"split": "dev"}, "split='dev'.*train, test"),
        ({"label": "valence"}, "label='valence'.*emotion"),
        ({"n_classes": 5}, "n_classes"),
    ],
)
def test_what_the_file_has_not_is_refused(nine, choice, message):
    with pytest.raises(ValueError, match=message):
        load_iemocap(nine, **choice)


# Records of JOYFUL, COGMEN and CORECT.


def fields(name, plural=False):
    members = named()
    ending = "s" if plural else ""
    return {
        "vid": name,
        f"speaker{ending}": members["speakers"][name],
        f"label{ending}": members["labels"][name],
        "text": members["text"][name],
        "audio": members["audio"][name],
        "visual": members["visual"][name],
        "sentence": members["sentences"][name],
    }


def dict_records(**changes):
    parts = {"train": TRAIN, "dev": DEV, "test": TEST}
    records = {k: [fields(n, plural=True) for n in v] for k, v in parts.items()}
    return records | changes


@pytest.fixture(params=["cogmen", "joyful"])
def object_records(request, monkeypatch):
    """Objects of the class that is called ``<package>.Sample.Sample`` there."""
    module = ModuleType(f"{request.param}.Sample")
    module.Sample = type("Sample", (), {"__module__": module.__name__})
    monkeypatch.setitem(sys.modules, request.param, ModuleType(request.param))
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def record(name):
        sample = module.Sample()
        sample.__dict__ |= fields(name)
        sample.sbert_sentence_embeddings = np.ones((len(LABELS[name]), 5), "float32")
        return sample

    parts = {"train": TRAIN, "dev": DEV, "test": TEST}
    return {part: [record(name) for name in names] for part, names in parts.items()}


def test_records_of_objects_read_with_sentence_embeddings(write, object_records):
    corpus = load_iemocap(write(object_records))
    assert list(split_frame(corpus.data)[1]) == ["text", "audio", "visual", "sbert"]
    assert corpus.data.filter(like="sbert").shape == (7, 5)
    assert corpus.split.tolist() == ["train"] * 3 + ["dev"] * 2 + ["test"] * 2
    assert corpus.target.tolist() == ["neu", "fru", "hap", "sad", "neu", "ang", "exc"]
    assert corpus.data["dialogue__speaker"].tolist()[-2:] == ["Ses05_M", "Ses05_F"]


def test_records_of_dicts_read_the_same_but_for_embeddings(write, object_records):
    dicts = load_iemocap(write(dict_records()))
    objects = load_iemocap(
        write(object_records), modalities=["text", "audio", "visual"]
    )
    pd.testing.assert_frame_equal(dicts.data, objects.data)
    assert dicts.target.tolist() == objects.target.tolist()
    assert dicts.metadata.equals(objects.metadata)


def without(record, name):
    return {key: value for key, value in record.items() if key != name}


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({"dev": [fields(TRAIN[0])]}, "'dev' has a record of 'Ses01F_impro01' again"),
        ({"dev": [{"labels": [1]}]}, "'dev' has a record that names no dialogue"),
        ({"dev": [[1, 2]]}, "'dev' has a record that names no dialogue"),
        (
            {"dev": [without(fields(DEV[0]), "audio")]},
            "'labels' has the dialogue 'Ses02M_impro02', which 'audio' lacks",
        ),
        (
            {"dev": [without(fields(DEV[0]), "sentence")]},
            "'labels' has the dialogue 'Ses02M_impro02', which 'sentences' lacks",
        ),
        ({"dev": 1}, "nor lists of records"),
        ({"valid": []}, r"a dict of \['train', 'dev', 'test', 'valid'\]"),
        ({"train": [], "dev": [], "test": []}, "no dialogue"),
    ],
)
def test_records_that_disagree_are_refused(write, records, message):
    with pytest.raises(ValueError, match=message):
        load_iemocap(write(dict_records(**records)))


def test_records_need_no_members(write):
    with pytest.raises(ValueError, match="need no members"):
        load_iemocap(write(dict_records()), members=NINE.split())


# MultiEMO's folder.


@pytest.fixture
def multiemo(write, tmp_path):
    # Its Speakers.pkl carries features of others along, or anything.
    write(content(NINE, text=None, audio={}, visual=0), "Speakers.pkl")
    for file, name in (("Text", "text"), ("Audio", "audio"), ("Visual", "visual")):
        write(named()[name], f"{file}Features.pkl")
    return tmp_path


def test_folder_of_files_reads_like_one_file(multiemo, nine):
    folder, single = load_iemocap(multiemo), load_iemocap(nine)
    pd.testing.assert_frame_equal(folder.data, single.data[folder.data.columns])
    assert folder.target.tolist() == single.target.tolist()


def test_folder_that_lacks_a_file_is_refused(multiemo):
    (multiemo / "AudioFeatures.pkl").unlink()
    with pytest.raises(FileNotFoundError, match=r"AudioFeatures\.pkl"):
        load_iemocap(multiemo)


def test_folder_whose_files_disagree_is_refused(multiemo, write):
    audio = named()["audio"]
    del audio["Ses02M_impro02"][1]
    write(audio, "AudioFeatures.pkl")
    with pytest.raises(ValueError, match="'audio' has 1 utterances and 'labels' 2"):
        load_iemocap(multiemo)
    write([1, 2], "AudioFeatures.pkl")
    with pytest.raises(
        ValueError, match=r"AudioFeatures\.pkl holds a list, not a dict"
    ):
        load_iemocap(multiemo)


def test_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither .*Session1.* nor .*Speakers"):
        load_iemocap(tmp_path)


# Features in folders, as of GCNet.


@pytest.fixture
def labels_only(write):
    return write(content(GCNET))


@pytest.fixture
def folder(tmp_path):
    """A vector of two numbers for each utterance."""
    folder = tmp_path / "wav2vec"
    folder.mkdir()
    ids = [name for names in named()["ids"].values() for name in names]
    for row, name in enumerate(ids):
        np.save(folder / f"{name}.npy", np.array([row, row + 0.5]))
    return folder


def test_folder_of_vectors_becomes_a_modality(labels_only, folder):
    np.save(folder / "Ses01F_impro01_M001.npy", np.array([[[1.0, 2.0], [3.0, 6.0]]]))
    corpus = load_iemocap(labels_only, features={"audio": folder})
    assert corpus.feature_names == ["audio__0", "audio__1"]
    assert corpus.data["audio__0"].tolist() == [0, 2, 2, 3, 4, 5, 6]
    assert corpus.data["audio__1"][1] == 4.0


def test_folder_adds_to_the_modalities_of_a_file(nine, folder):
    X, _ = load_iemocap(nine, features={"speech": str(folder)}, return_X_y=True)
    assert list(split_frame(X)[1]) == ["text", "audio", "visual", "speech"]
    with pytest.raises(ValueError, match="itself has 'audio'"):
        load_iemocap(nine, features={"audio": folder})


def test_faces_of_the_speaker_count_and_without_any_the_row_is_missing(
    labels_only, folder
):
    for name in ("Ses01F_impro01_M001", "Ses05M_script01_1_F001"):
        (folder / f"{name}.npy").unlink()
        (folder / name).mkdir()
        np.save(folder / name / "F_0.npy", np.array([50.0, 60.0]))
        np.save(folder / name / "F_1.npy", np.array([70.0, 80.0]))
    X, _ = load_iemocap(labels_only, features={"visual": folder}, return_X_y=True)
    assert X.filter(like="visual").loc[4].tolist() == [60.0, 70.0]
    assert X.filter(like="visual").isna().all(axis=1).tolist() == [0, 1, 0, 0, 0, 0, 0]


def test_features_are_found_by_utterance_id_only(write, folder):
    with pytest.raises(ValueError, match="no utterance ids"):
        load_iemocap(write(content(COSMIC)), features={"audio": folder})


NAME = "Ses01F_impro01_M001"


def damage(folder):
    (folder / f"{NAME}.npy").write_bytes(b"\x93NUMPY damaged")


def objects(folder):
    np.save(folder / f"{NAME}.npy", np.array([{}], dtype=object), allow_pickle=True)


def text(folder):
    np.save(folder / f"{NAME}.npy", np.array(["a", "b"]))


def empty(folder):
    np.save(folder / f"{NAME}.npy", np.zeros((0, 2)))


def longer(folder):
    np.save(folder / f"{NAME}.npy", np.zeros(3))


def nobody(folder):
    (folder / f"{NAME}.npy").unlink()
    (folder / NAME).mkdir()
    np.save(folder / NAME / "face.npy", np.zeros(2))


def uneven(folder):
    nobody(folder)
    (folder / NAME / "face.npy").unlink()
    np.save(folder / NAME / "M_0.npy", np.zeros(2))
    np.save(folder / NAME / "M_1.npy", np.zeros(3))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damage, f"{NAME}.npy cannot be read"),
        (objects, f"{NAME}.npy cannot be read"),
        (text, f"{NAME}.npy cannot be read"),
        (empty, rf"{NAME}.npy has the shape \(0, 2\)"),
        (longer, f"different lengths .*3 in {NAME}"),
        (nobody, "neither 'F' nor 'M'"),
        (uneven, f"{NAME} holds vectors of different lengths"),
    ],
)
def test_damaged_features_are_refused(labels_only, folder, spoil, message):
    spoil(folder)
    with pytest.raises(ValueError, match=message):
        load_iemocap(labels_only, features={"audio": folder})


def test_utterance_without_features_is_named(labels_only, folder):
    (folder / f"{NAME}.npy").unlink()
    with pytest.raises(FileNotFoundError, match=f"neither .*{NAME}.npy"):
        load_iemocap(labels_only, features={"audio": folder})


# Files of another make, and damaged ones.


def test_unknown_order_can_be_spelt_out(write, nine):
    thing = [{"a": 1}, *content("sentences text labels ids speakers test train")]
    names = ["_", *"sentences text labels ids speakers test train".split()]
    path = write(thing, "mine.pkl")
    corpus = load_iemocap(path, members=names)
    expected = load_iemocap(nine, modalities="text")
    pd.testing.assert_frame_equal(corpus.data, expected.data)
    for wrong in (names[1:], None):
        with pytest.raises(ValueError, match=r"8 members \(0 dict, .*members=\["):
            load_iemocap(path, members=wrong)


def test_members_are_different_and_have_what_is_needed(nine):
    with pytest.raises(ValueError, match="members=.*labels, sentences, speakers must"):
        load_iemocap(nine, members=["labels", "speakers"])
    with pytest.raises(ValueError, match="members=.*give different names"):
        load_iemocap(nine, members=["labels", "speakers", "sentences", "labels"])


def shorter(name):
    member = named()[name]
    return {name: member | {"Ses02M_impro02": member["Ses02M_impro02"][:1]}}


def replaced(name, dialogue, rows):
    return {name: named()[name] | {dialogue: rows}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (shorter("text"), "'text' has 1 utterances and 'labels' 2"),
        (shorter("speakers"), "'speakers' has 1 utterances and 'labels' 2"),
        (shorter("ids"), "'ids' has 1 utterances and 'labels' 2"),
        (
            {"audio": {TRAIN[0]: named()["audio"][TRAIN[0]]}},
            "'labels' has the dialogue .*which 'audio' lacks",
        ),
        (
            {"visual": named()["visual"] | {"Ses03F_impro01": []}},
            "'visual' has the dialogue 'Ses03F_impro01', which 'labels' lacks",
        ),
        ({"labels": {}}, "holds no dialogue"),
        ({"train": ["Ses04F_impro01"]}, "'train' lists .*Ses04F_impro01.*not in"),
        ({"test": TRAIN}, "'test' lists .*also in 'train'"),
        (replaced("labels", TEST[0], [3, 7]), r"'labels' has .*7.*; known are 0 to"),
        (replaced("labels", TEST[0], [0.5, 1.0]), r"'labels' has .*0\.5"),
        (
            replaced("speakers", TEST[0], ["M", "M"]),
            "'speakers' has 'M' for an utterance of Ses05M_script01_1, row 4",
        ),
        (replaced("speakers", TEST[0], [[1, 0], [0, 1]]), r"'speakers' has \[1, 0\]"),
        (
            replaced("audio", TEST[0], [np.zeros(2), np.zeros(3)]),
            r"'audio' has features of shape \(3,\) in utterance 1 of dialogue 'Ses05M",
        ),
        (replaced("labels", TEST[0], 3), "'labels' has 3 for the dialogue 'Ses05M"),
        (replaced("audio", TEST[0], "ab"), "'audio' has 'ab' for the dialogue 'Ses05M"),
        (
            replaced("audio", TEST[0], ["Hello.", "Hi."]),
            "'audio' has no numbers in utterance 0 of dialogue 'Ses05M_script01_1'",
        ),
    ],
)
def test_members_that_disagree_are_refused(write, changes, message):
    with pytest.raises(ValueError, match=message):
        load_iemocap(write(content(NINE, **changes)))


def test_speakers_without_ids_are_checked_too(write):
    speakers = named()["speakers"] | {TEST[0]: ["M", "X"]}
    with pytest.raises(ValueError, match="'speakers' has 'X'.*known are 'F' and 'M'"):
        load_iemocap(write(content(COSMIC, speakers=speakers)))


def test_other_corpora_are_refused(write):
    members = [{7: rows} for rows in (["a"], [[1, 0]], [0], [[1.0]], [[1.0]], [[1.0]])]
    with pytest.raises(ValueError, match="dialogue 7; .*another corpus"):
        load_iemocap(write([*members, {7: ["Hi."]}, [7], []]))


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (content(NINE)[:8], "8 members"),
        ([1, 2, 3], r"3 members \(0 int"),
        ("text", "holds a str"),
        ({"a": 1}, r"a dict of \['a'\]"),
    ],
)
def test_pickles_of_something_else_are_refused(write, thing, message):
    with pytest.raises(ValueError, match=message):
        load_iemocap(write(thing))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pkl"):
        load_iemocap(tmp_path / "nowhere.pkl")


# Real files.


@pytest.fixture
def real_files(real_data):
    folder = real_data / "raw" / "iemocap"
    if not folder.is_dir():
        pytest.skip("no original files of IEMOCAP")
    return folder


@pytest.mark.parametrize(
    ("file", "train", "test", "counts"),
    mostly_slow(
        [
            (
                "IEMOCAP_features_raw_6way.pkl",
                *(5810, 1623),
                {
                    "hap": 648,
                    "sad": 1084,
                    "neu": 1708,
                    "ang": 1103,
                    "exc": 1041,
                    "fru": 1849,
                },
            ),
            (
                "IEMOCAP_features_raw_4way.pkl",
                *(4290, 1241),
                {"hap": 1636, "sad": 1084, "neu": 1708, "ang": 1103},
            ),
        ]
    ),
)
def test_real_files_have_the_published_counts(real_files, file, train, test, counts):
    corpus = load_iemocap(real_files / file)
    assert dict(pd.Series(corpus.target).value_counts()) == counts
    assert dict(pd.Series(corpus.split).value_counts()) == {
        "train": train,
        "test": test,
    }
    assert corpus.data["dialogue__id"].nunique() == 151
    assert corpus.data["dialogue__speaker"].nunique() == 10
    tested = corpus.data.loc[corpus.split == "test", "dialogue__id"]
    assert tested.nunique() == 31
    assert tested.str.startswith("Ses05").all()


def test_real_file_agrees_with_the_table_made_from_it(real_files, real_data):
    corpus = load_iemocap(real_files / "IEMOCAP_features_raw_6way.pkl")
    mine = corpus.data.assign(
        label=corpus.target, utterance_id=corpus.metadata["utterance_id"]
    ).sort_values(["dialogue__id", "dialogue__turn"], ignore_index=True)
    with np.load(real_data / "iemocap6_ta.npz") as file:
        table = pd.DataFrame(
            {
                "dialogue__id": file["dialogue"],
                "dialogue__turn": file["turn"],
                "dialogue__speaker": file["speaker"],
                "utterance_id": file["utterance_id"],
                "label": file["label_names"][file["label"]],
            }
        ).sort_values(["dialogue__id", "dialogue__turn"], ignore_index=True)
    pd.testing.assert_frame_equal(mine[table.columns], table, check_dtype=False)


# --- All turns, of which some have no label


@pytest.mark.parametrize(
    "none", mostly_slow([-1, None, np.nan, np.int64(-1), -1.0, "xxx", ""])
)
@pytest.mark.parametrize(
    "make", mostly_slow([list, lambda x: np.array(x, dtype=object)])
)
def test_turns_without_a_label_are_context(write, none, make):
    name, codes = TRAIN[0], [2, none, 5]
    path = write(content(NINE, labels=named()["labels"] | {name: make(codes)}))
    with pytest.raises(ValueError, match=r"features\.pkl: .*keep_unlabelled=True"):
        load_iemocap(path)
    corpus = load_iemocap(path, keep_unlabelled=True)
    roles = corpus.data["dialogue__role"].tolist()
    assert roles == ["utterance", "context"] + ["utterance"] * 5
    assert corpus.data["dialogue__turn"][:3].tolist() == [0, 1, 2]
    assert corpus.target[[0, 1, 2]].tolist() == ["neu", "neu", "fru"]
    assert "context 1." in corpus.DESCR


def test_records_may_lack_labels_too(write):
    record = {"vid": TRAIN[0], "speakers": ["F", "M"], "labels": [None, 1]}
    record |= {"sentence": ["a", "b"], "text": np.eye(2)}
    path = write({"train": [record]})
    corpus = load_iemocap(path, keep_unlabelled=True)
    assert corpus.data["dialogue__role"].tolist() == ["context", "utterance"]


def test_a_file_without_any_label_is_told(write):
    labels = {key: [-1] * len(rows) for key, rows in named()["labels"].items()}
    path = write(content(NINE, labels=labels))
    with pytest.raises(ValueError, match=r"features\.pkl: no utterance has a label"):
        load_iemocap(path, keep_unlabelled=True)


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("xz", 3)])
def test_a_file_of_joblib_reads_as_a_pickle(nine, tmp_path, compress):
    path = tmp_path / "joblib.pkl"
    joblib.dump(content(NINE), path, compress=compress)
    pd.testing.assert_frame_equal(load_iemocap(path).data, load_iemocap(nine).data)
