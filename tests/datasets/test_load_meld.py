"""MELD from annotation files, feature files and both: what is read and refused."""

import pickle
import struct

import numpy as np
import pandas as pd
import pytest
from systems import mostly_slow

from skmerc.datasets import load_meld
from skmerc.frame import mark_validation, split_frame

HEADER = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,"
    "Episode,StartTime,EndTime"
)
LINES = {
    "train": [
        '1,Hi.,Ann,neutral,neutral,0,0,8,21,"00:16:16,059","00:16:21,731"',
        '4,"You’re late, ""Bob"".",Bob,anger,negative,0,3,8,21,'
        '"0:36:59,425","00:37:01,28"',
        '5,None,NA,joy,positive,1,0,9,23,"01:02:03,004","01:02:04,000"',
    ],
    "dev": ['1,NA,Ann,sadness,negative,0,0,4,7,"00:20:57,256","00:21:00,049"'],
    "test": ['1,Oh?,Mark,surprise,positive,0,0,3,19,"00:14:38,127","00:14:40,378"'],
}
PEOPLE = ["Ann", "Bob", "NA", "Ann", "Mark"]
DYADIC_HEADER = (
    "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Old_Dialogue_ID,"
    "Old_Utterance_ID,Season,Episode,StartTime,EndTime"
)
DYADIC_LINES = [
    'Hi.,Ann,neutral,neutral,0,0,1,3,4,4,"00:12:24,660","00:12:30,915"',
    'Hm.,Bob,joy,positive,0,1,1,4,4,4,"00:12:32,334","00:12:33,960"',
    'Hm.,Bob,joy,positive,1,0,1,4,4,4,"00:12:32,334","00:12:33,960"',
]

# The utterances of LINES as a feature file has them: codes of the community, one-hot
# speakers of nine, characters as Python 2 wrote them.
LABELS = {0: [0, 6], 1: [4], 1039: [3], 1153: [1]}
SENTIMENTS = {0: [0, 2], 1: [1], 1039: [2], 1153: [1]}
SENTENCES = {
    0: ["Hi.", 'You\x92re late, "Bob".'],
    1: ["None"],
    1039: ["NA"],
    1153: ["Oh?"],
}
IDS = {key: [f"{key}_{at}" for at in range(len(rows))] for key, rows in LABELS.items()}
TRAIN, DEV, TEST = [0, 1], [1039], [1153]


def one_hot(number):
    return [int(at == number) for at in range(9)]


SPEAKERS = {
    key: [one_hot(at) for at in range(len(rows))] for key, rows in LABELS.items()
}


def features(width, first=0.0, as_arrays=True):
    """A vector for each utterance, that begins with its number in the file."""
    made, number = {}, first
    for key, rows in LABELS.items():
        vectors = np.zeros((len(rows), width), dtype="float32")
        vectors[:, 0] = number + np.arange(len(rows))
        number += len(rows)
        made[key] = vectors if as_arrays else list(vectors)
    return made


ROBERTA = [features(1024, as_arrays=False) for _ in range(4)]
AUDIO, VISUAL = features(300), features(342)
FAMILIES = {
    "cosmic, no features": [
        SPEAKERS,
        LABELS,
        SENTIMENTS,
        SENTENCES,
        TRAIN,
        TEST,
        DEV,
    ],
    "cosmic": [
        SPEAKERS,
        LABELS,
        SENTIMENTS,
        *ROBERTA,
        SENTENCES,
        TRAIN,
        TEST,
        DEV,
    ],
    "dialoguernn": [
        IDS,
        SPEAKERS,
        LABELS,
        features(600),
        AUDIO,
        SENTENCES,
        TRAIN + DEV,
        TEST,
        SENTIMENTS,
    ],
    "mmgcn and joyful": [
        IDS,
        SPEAKERS,
        LABELS,
        features(600),
        AUDIO,
        VISUAL,
        SENTENCES,
        set(TRAIN + DEV),
        set(TEST),
        LABELS,
    ],
    "sdt of twelve": [
        IDS,
        SPEAKERS,
        LABELS,
        *ROBERTA,
        AUDIO,
        VISUAL,
        SENTENCES,
        np.array(TRAIN + DEV),
        np.array(TEST),
    ],
    "sdt": [
        IDS,
        SPEAKERS,
        LABELS,
        *ROBERTA,
        AUDIO,
        VISUAL,
        SENTENCES,
        TRAIN + DEV,
        TEST,
        None,
    ],
    "graphsmile": [
        IDS,
        SPEAKERS,
        LABELS,
        SENTIMENTS,
        *ROBERTA,
        AUDIO,
        VISUAL,
        SENTENCES,
        TRAIN + DEV,
        TEST,
        SENTIMENTS,
    ],
}
ROBERTA_WIDTHS = {"text": 1024, "text2": 1024, "text3": 1024, "text4": 1024}
WIDTHS = {
    "cosmic": ROBERTA_WIDTHS,
    "dialoguernn": {"text": 600, "audio": 300},
    "mmgcn and joyful": {"text": 600, "audio": 300, "visual": 342},
    "sdt of twelve": ROBERTA_WIDTHS | {"audio": 300, "visual": 342},
    "sdt": ROBERTA_WIDTHS | {"audio": 300, "visual": 342},
    "graphsmile": ROBERTA_WIDTHS | {"audio": 300, "visual": 342},
}
WITH_SENTIMENT = ("cosmic, no features", "cosmic", "dialoguernn", "graphsmile")


class Python2Pickler(pickle._Pickler):
    """Writes text as Python 2 wrote its str: bytes of no declared encoding."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_str(self, text):
        data = text.encode("latin-1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)

    dispatch[str] = save_str


@pytest.fixture
def folder(tmp_path):
    """A folder with the three annotation files."""
    for part, lines in LINES.items():
        write_csv(tmp_path / f"{part}_sent_emo.csv", lines)
    return tmp_path


@pytest.fixture
def write_pickle(tmp_path):
    def write(members, protocol=None):
        path = tmp_path / "features.pkl"
        path.write_bytes(pickle.dumps(members, protocol=protocol))
        return path

    return write


def write_csv(path, lines, header=HEADER):
    text = "".join(f"{line}\n" for line in [header, *lines])
    path.write_bytes(text.encode())
    return path


def raw1(**changes):
    """The members of an MMGCN file, some of them replaced."""
    names = "ids speakers labels text audio visual sentences train test rest".split()
    return list(
        (dict(zip(names, FAMILIES["mmgcn and joyful"], strict=True)) | changes).values()
    )


def test_annotations_give_text_keys_and_labels(folder):
    meld = load_meld(folder)
    assert list(meld.data.columns) == [
        "dialogue__id",
        "dialogue__turn",
        "dialogue__speaker",
        "dialogue__role",
        "utterance",
    ]
    assert meld.data["dialogue__id"].tolist() == [
        "train_dia0",
        "train_dia0",
        "train_dia1",
        "dev_dia0",
        "test_dia0",
    ]
    assert meld.data["dialogue__turn"].tolist() == [0, 3, 0, 0, 0]
    assert meld.data["dialogue__speaker"].tolist() == [
        "Ann",
        "Bob",
        "NA",
        "Ann",
        "Mark",
    ]
    assert meld.data["utterance"].tolist() == [
        "Hi.",
        'You’re late, "Bob".',
        "None",
        "NA",
        "Oh?",
    ]
    assert meld.target.tolist() == ["neutral", "anger", "joy", "sadness", "surprise"]
    assert meld.split.tolist() == ["train", "train", "train", "dev", "test"]
    assert meld.feature_names == ["utterance"]
    assert meld.target_names == [
        "neutral",
        "surprise",
        "fear",
        "sadness",
        "joy",
        "disgust",
        "anger",
    ]
    assert "13,708 utterances" in meld.DESCR
    assert "GPL-3.0" in meld.license


def test_metadata_tell_the_place_in_the_series(folder):
    metadata = load_meld(folder).metadata
    assert metadata["season"].tolist() == [8, 8, 9, 4, 3]
    assert metadata["episode"].tolist() == [21, 21, 23, 7, 19]
    assert metadata["start"].tolist() == [
        976.059,
        2219.425,
        3723.004,
        1257.256,
        878.127,
    ]
    assert metadata["end"][[0, 2]].tolist() == [981.731, 3724.0]
    assert metadata["utterance_id"].tolist() == [
        "train_dia0_utt0",
        "train_dia0_utt3",
        "train_dia1_utt0",
        "dev_dia0_utt0",
        "test_dia0_utt0",
    ]


def test_damaged_time_is_not_a_number(folder):
    assert (
        load_meld(folder).metadata["end"].isna().tolist() == [False, True] + [False] * 3
    )


def test_sentiment_is_another_label(folder):
    meld = load_meld(folder, label="sentiment")
    assert meld.target.tolist() == [
        "neutral",
        "negative",
        "positive",
        "negative",
        "positive",
    ]
    assert meld.target_names == ["neutral", "positive", "negative"]


def test_parts_are_chosen_and_rows_numbered_anew(folder):
    meld = load_meld(folder, split=["train", "dev"])
    X, y = load_meld(folder, split="dev", return_X_y=True)
    assert meld.split.tolist() == ["train"] * 3 + ["dev"]
    assert meld.metadata["season"].tolist() == [8, 8, 9, 4]
    assert X["dialogue__id"].to_dict() == {0: "dev_dia0"}
    assert y.tolist() == ["sadness"]
    with pytest.raises(ValueError, match="split='valid'.*train, dev, test"):
        load_meld(folder, split="valid")


def test_official_dev_part_can_be_held_out(folder):
    meld = load_meld(folder, split=["train", "dev"])
    held_out = meld.data["dialogue__id"][meld.split == "dev"].unique()
    X = mark_validation(meld.data, dialogues=held_out)
    assert X["dialogue__role"].tolist() == ["utterance"] * 3 + ["validation"]


def test_some_of_the_files_or_one_of_them_will_do(folder):
    dev = load_meld(folder / "dev_sent_emo.csv")
    assert dev.data["dialogue__id"].tolist() == ["dev_dia0"]
    (folder / "dev_sent_emo.csv").unlink()
    assert load_meld(folder).split.tolist() == ["train"] * 3 + ["test"]


def test_rows_out_of_order_are_sorted_by_turn(folder):
    write_csv(folder / "train_sent_emo.csv", LINES["train"][::-1])
    meld = load_meld(folder, split="train")
    assert meld.data["dialogue__id"].tolist() == ["train_dia1"] + ["train_dia0"] * 2
    assert meld.data["dialogue__turn"].tolist() == [0, 0, 3]
    assert meld.target.tolist() == ["joy", "neutral", "anger"]


def test_mark_of_byte_order_is_no_part_of_the_header(folder):
    path = folder / "dev_sent_emo.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_meld(path).target.tolist() == ["sadness"]


def test_dyadic_files_have_dialogues_of_their_own(tmp_path):
    path = tmp_path / "dev_sent_emo_dya.csv"
    write_csv(path, DYADIC_LINES, header=DYADIC_HEADER)
    for given in (tmp_path, path):
        meld = load_meld(given)
        ids = meld.data["dialogue__id"].tolist()
        assert ids == ["dev_dya0", "dev_dya0", "dev_dya1"]
        assert meld.data["dialogue__turn"].tolist() == [0, 1, 0]
        assert meld.metadata["utterance_id"].tolist() == [
            "dev_dia1_utt3",
            "dev_dia1_utt4",
            "dev_dia1_utt4",
        ]


@pytest.mark.parametrize("family", mostly_slow(FAMILIES))
@pytest.mark.parametrize("protocol", mostly_slow([2, None]))
def test_feature_file_gives_features_labels_and_official_parts(
    write_pickle, family, protocol
):
    meld = load_meld(write_pickle(FAMILIES[family], protocol))
    keys, blocks = split_frame(meld.data.drop(columns="utterance", errors="ignore"))
    expected = {name: (5, width) for name, width in WIDTHS.get(family, {}).items()}
    assert {name: block.shape for name, block in blocks.items() if expected} == expected
    for name in expected:
        assert blocks[name][:, 0].tolist() == [0, 1, 2, 3, 4]
    assert keys["dialogue__id"].tolist() == [
        "train_dia0",
        "train_dia0",
        "train_dia1",
        "dev_dia0",
        "test_dia0",
    ]
    assert keys["dialogue__turn"].tolist() == [0, 1, 0, 0, 0]
    assert (
        keys["dialogue__speaker"].tolist()
        == ["speaker0", "speaker1"] + ["speaker0"] * 3
    )
    assert meld.target.tolist() == ["neutral", "anger", "joy", "sadness", "surprise"]
    assert meld.split.tolist() == ["train"] * 3 + ["dev", "test"]
    assert meld.metadata.columns.tolist() == ["utterance"]
    assert meld.metadata["utterance"][1] == 'You’re late, "Bob".'


@pytest.mark.parametrize("family", FAMILIES)
def test_feature_file_gives_sentiment_where_it_has_it(write_pickle, family):
    path = write_pickle(FAMILIES[family])
    if family in WITH_SENTIMENT:
        assert load_meld(path, label="sentiment").target[1] == "negative"
    else:
        with pytest.raises(ValueError, match="label='sentiment': .* holds emotion"):
            load_meld(path, label="sentiment")


@pytest.mark.parametrize("said", ["You\x92re", "You’re".encode().decode("latin-1")])
def test_text_of_python_2_is_read_as_it_was_meant(tmp_path, said):
    path = tmp_path / "features.pkl"
    with path.open("wb") as file:
        members = raw1(sentences=SENTENCES | {1: [said]})
        Python2Pickler(file, protocol=2).dump(members)
    assert said.encode("latin-1") in path.read_bytes()
    meld = load_meld(path)
    assert meld.metadata["utterance"][2] == "You’re"
    assert meld.data["audio__0"].tolist() == [0, 1, 2, 3, 4]


def test_speaker_that_is_none_of_the_nine_is_unknown(write_pickle):
    path = write_pickle(raw1(speakers=SPEAKERS | {0: [one_hot(8), [0] * 9]}))
    speakers = load_meld(path).data["dialogue__speaker"]
    assert speakers.tolist()[:3] == ["speaker8", "", "speaker0"]


def test_sequences_are_averaged_and_empty_ones_missing(write_pickle):
    audio = {**AUDIO, 0: [np.array([[1.0, 2.0], [3.0, 6.0]]), np.ones((0, 2))]}
    audio |= {key: [[5.0, 5.0]] for key in (1, 1039, 1153)}
    X, _ = load_meld(write_pickle(raw1(audio=audio)), return_X_y=True)
    block = split_frame(X)[1]["audio"]
    assert block[[0, 2]].tolist() == [[2, 4], [5, 5]]
    assert np.isnan(block[1]).all()


def test_modalities_are_chosen_in_order(write_pickle):
    path = write_pickle(raw1())
    X, _ = load_meld(path, modalities=["visual", "text"], return_X_y=True)
    assert list(split_frame(X)[1]) == ["visual", "text"]
    assert load_meld(path, modalities="audio").feature_names[0] == "audio__0"
    with pytest.raises(ValueError, match="among text, audio, visual"):
        load_meld(path, modalities=["face"])


def test_members_of_another_order_are_named_by_hand(write_pickle):
    members = [LABELS, SPEAKERS, "1.0", features(3)]
    with pytest.raises(ValueError, match="has 4 members"):
        load_meld(write_pickle(members))
    names = ["labels", "speakers", "_", "face"]
    meld = load_meld(write_pickle(members), members=names)
    assert meld.feature_names == ["face__0", "face__1", "face__2"]
    assert meld.split.tolist() == ["train"] * 3 + ["dev", "test"]
    with pytest.raises(ValueError, match="no member is called 'labels'"):
        load_meld(write_pickle(members), members=["text", "speakers", "_", "face"])
    with pytest.raises(ValueError, match="members=.*give different names"):
        load_meld(
            write_pickle([*members, features(3)]),
            members=["labels", "speakers", "_", "face", "face"],
        )


def test_folder_of_multiemo_is_read_from_its_four_files(folder, tmp_path):
    place = tmp_path / "MELD"
    place.mkdir()
    contents = {
        "Speakers": raw1(),
        "TextFeatures": features(768),
        "AudioFeatures": features(512),
        "VisualFeatures": features(1000),
    }
    for name, content in contents.items():
        (place / f"{name}.pkl").write_bytes(pickle.dumps(content))
    for meld in (load_meld(place), load_meld(folder, features=place)):
        blocks = split_frame(meld.data)[1]
        widths = {name: block.shape[1] for name, block in blocks.items()}
        assert widths == {"text": 768, "audio": 512, "visual": 1000}
        assert blocks["visual"][:, 0].tolist() == [0, 1, 2, 3, 4]
    (place / "AudioFeatures.pkl").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ValueError, match="AudioFeatures.pkl holds a list"):
        load_meld(place)


@pytest.mark.parametrize("family", mostly_slow(WIDTHS))
def test_features_are_joined_to_the_annotations(folder, write_pickle, family):
    meld = load_meld(folder, features=write_pickle(FAMILIES[family]))
    keys, blocks = split_frame(meld.data)
    assert list(blocks) == list(WIDTHS[family])
    assert blocks["text"][:, 0].tolist() == [0, 1, 2, 3, 4]
    assert keys["dialogue__turn"].tolist() == [0, 3, 0, 0, 0]
    assert keys["dialogue__speaker"].tolist() == PEOPLE
    assert meld.metadata["utterance_id"][1] == "train_dia0_utt3"
    pd.testing.assert_frame_equal(meld.metadata, load_meld(folder).metadata)


def test_dialogues_are_joined_whatever_their_order(folder, write_pickle):
    def turned(member):
        return dict(reversed(member.items())) if isinstance(member, dict) else member

    path = write_pickle([turned(member) for member in raw1()])
    meld = load_meld(folder, features=path)
    assert meld.data["audio__0"].tolist() == [0, 1, 2, 3, 4]
    assert load_meld(path).data["audio__0"].tolist() == [4, 3, 2, 0, 1]


def test_features_of_parts_without_annotations_are_left_out(folder, write_pickle):
    path = write_pickle(raw1())
    meld = load_meld(folder / "dev_sent_emo.csv", features=path)
    assert meld.data["audio__0"].tolist() == [3]


def test_dialogue_that_the_feature_file_lacks_has_missing_modalities(
    folder, write_pickle
):
    members = [
        {key: rows for key, rows in member.items() if key != 1}
        if isinstance(member, dict)
        else member
        for member in raw1(train=[0, 1039])
    ]
    path = write_pickle(members)
    with pytest.warns(
        UserWarning, match="lacks 1 of the 4.*first train_dia1"
    ) as caught:
        meld = load_meld(folder, features=path)
    assert caught[0].filename == __file__
    for block in split_frame(meld.data)[1].values():
        assert np.isnan(block).all(axis=1).tolist() == [
            False,
            False,
            True,
            False,
            False,
        ]
        assert np.isnan(block).any(axis=1).sum() == 1
    assert meld.target[2] == "joy"
    assert meld.data["audio__0"].dropna().tolist() == [0, 1, 3, 4]


def with_dialogue(key, change):
    """Members in which one dialogue is changed, in all dicts alike."""
    return [
        member | change(member, key) if isinstance(member, dict) else member
        for member in raw1()
    ]


@pytest.mark.parametrize(
    ("members", "message"),
    mostly_slow(
        [
            (
                with_dialogue(5, lambda member, key: {key: member[1]}),
                "'labels' has the dialogue train_dia5, which the annotations lack",
            ),
            (
                with_dialogue(1, lambda member, key: {key: [member[key][0]] * 2}),
                "'labels' has 2 utterances in dialogue train_dia1, "
                "the annotations have 1",
            ),
            (
                raw1(labels=LABELS | {0: [0, 5]}),
                "'labels' has disgust in dialogue train_dia0 for the utterance 3, the "
                "annotations have anger",
            ),
            (
                [*FAMILIES["dialoguernn"][:-1], SENTIMENTS | {1039: [1]}],
                "'sentiments' has positive in dialogue dev_dia0",
            ),
            (FAMILIES["cosmic, no features"], "holds no features"),
        ]
    ),
)
def test_features_that_contradict_the_annotations_are_refused(
    folder, write_pickle, members, message
):
    with pytest.raises(ValueError, match=message):
        load_meld(folder, features=write_pickle(members))


def test_features_of_other_parts_alone_are_refused(folder, write_pickle):
    members = [
        {1153: member[1153]} if isinstance(member, dict) else member
        for member in raw1(train=[], test=[1153])
    ]
    with pytest.raises(ValueError, match="no dialogue of the annotated parts"):
        load_meld(folder / "dev_sent_emo.csv", features=write_pickle(members))


def test_two_feature_files_are_refused(write_pickle):
    path = write_pickle(raw1())
    with pytest.raises(ValueError, match="is a feature file already"):
        load_meld(path, features=path)


def test_features_cannot_be_joined_to_dyadic_dialogues(tmp_path, write_pickle):
    write_csv(tmp_path / "dev_sent_emo_dya.csv", DYADIC_LINES, header=DYADIC_HEADER)
    with pytest.raises(ValueError, match="dev_dia0, which the annotations lack"):
        load_meld(tmp_path, features=write_pickle(raw1()))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (raw1(train=[0, 1, 1153], test=[1039]), "'train' lists the dialogue 1153"),
        (raw1(test=[1]), "'test' lists the dialogue 1, which is also in 'train'"),
        (raw1(test=[7]), "'test' lists the dialogue 7, which is not in 'labels'"),
        (
            raw1(labels=LABELS | {1: [7]}),
            "'labels' has 7 in utterance 2; known are 0 to 6",
        ),
        (raw1(labels=LABELS | {1: [4, 4]}), "in dialogue 1, .* has 1 utterances"),
        (raw1(text=AUDIO | {1: np.zeros((1, 3))}), "'text' has features of shape"),
        (raw1(audio={0: AUDIO[0]}), "'labels' has the dialogue .*'audio' lacks"),
        (raw1(sentences=LABELS), "'sentences' holds something else than text"),
        (
            raw1(labels=LABELS | {1: [one_hot(4)]}),
            "'labels' has a list in utterance 0 of dialogue 1; known is one number",
        ),
        (raw1(labels=AUDIO), "'labels' has a ndarray .*parameter members"),
        (raw1(visual=[1, 2]), "has 10 members"),
        (raw1(train=5), "has 10 members"),
        (raw1()[:5], "has 5 members"),
        ({"train": []}, "holds a dict"),
    ],
)
def test_feature_file_that_contradicts_itself_is_refused(
    write_pickle, members, message
):
    with pytest.raises(ValueError, match=message):
        load_meld(write_pickle(members))


@pytest.mark.parametrize("key", ["Ses01F_impro01", 1433, -1])
def test_feature_file_of_another_corpus_is_refused(write_pickle, key):
    members = [
        {key: member[0]} if isinstance(member, dict) else member
        for member in raw1(train=[key], test=[])
    ]
    with pytest.raises(ValueError, match=f"dialogue {key!r}; .* another corpus"):
        load_meld(write_pickle(members))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",Emotion,", ",Mood,", "it has no column 'Emotion', only Sr No., Utt"),
        (",joy,", ",Joy,", "'Emotion' is 'Joy' in row 2; known are neutral"),
        (",positive,", ",good,", "'Sentiment' is 'good' in row 2"),
        (",1,0,9,", ",one,0,9,", "'Dialogue_ID' is 'one' in row 2"),
        (",0,3,8,", ",0,3.0,8,", "'Utterance_ID' is '3.0' in row 1"),
        (",9,23,", ",,23,", "'Season' is '' in row 2"),
        (",0,3,8,", ",0,0,8,", "dialogue train_dia0 has the utterance 0 twice"),
        ("Hi.,Ann", "Hi.,Ann,Bob", "line 2 has 12 cells, the header 11"),
        ('"01:02:03,004","01:02:04,000"\n', "", "line 4 has 10 cells"),
        (HEADER, "version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
    ],
)
def test_annotations_that_were_changed_are_refused(folder, old, new, message):
    path = folder / "train_sent_emo.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_meld(folder)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_separators_of_a_spreadsheet_are_named(folder, separator):
    path = folder / "train_sent_emo.csv"
    pd.read_csv(path).to_csv(path, sep=separator, index=False)
    with pytest.raises(ValueError, match="stands between its cells, .*spreadsheet"):
        load_meld(folder)


def test_encoding_of_a_spreadsheet_is_refused(folder):
    path = folder / "train_sent_emo.csv"
    path.write_bytes(path.read_bytes().decode().encode("cp1252"))
    with pytest.raises(ValueError, match="not UTF-8 \\(byte 0x92\\), so a spreadsheet"):
        load_meld(folder)


def test_annotations_without_rows_are_refused(folder):
    path = write_csv(folder / "train_sent_emo.csv", [])
    with pytest.raises(ValueError, match="has no rows"):
        load_meld(folder)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="not the CSV file that was published"):
        load_meld(folder)


def test_file_of_an_unknown_part_is_refused(folder):
    path = folder / "dev_sent_emo.csv"
    path = path.rename(folder / "meld.csv")
    with pytest.raises(ValueError, match="does not say which part it is"):
        load_meld(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        load_meld(tmp_path / "MELD")
    with pytest.raises(FileNotFoundError, match=r"train_sent_emo\.csv, dev_sent"):
        load_meld(tmp_path)


COUNTS = {
    "neutral": [4710, 470, 1256],
    "surprise": [1205, 150, 281],
    "fear": [268, 40, 50],
    "sadness": [683, 111, 208],
    "joy": [1743, 163, 402],
    "disgust": [271, 22, 68],
    "anger": [1109, 153, 345],
}


@pytest.fixture
def real_meld(real_data):
    folder = real_data / "raw" / "meld"
    if not folder.is_dir():
        pytest.skip("no original files of MELD")
    return folder


def test_real_annotations_have_the_published_counts(real_meld):
    meld = load_meld(real_meld)
    parts = [meld.split == part for part in ("train", "dev", "test")]
    assert [part.sum() for part in parts] == [9989, 1109, 2610]
    ids = meld.data["dialogue__id"]
    assert [ids[part].nunique() for part in parts] == [1038, 114, 280]
    assert "train_dia60" not in set(ids)
    counts = {name: [(meld.target[p] == name).sum() for p in parts] for name in COUNTS}
    assert counts == COUNTS
    turns = meld.data["dialogue__turn"]
    assert turns.max() == 32
    assert (turns != turns.groupby(ids).cumcount()).groupby(ids).any().sum() == 76
    assert meld.metadata.isna().sum().to_dict()["end"] == 3
    assert not meld.metadata.drop(columns="end").isna().any(axis=None)
    assert (meld.metadata["end"] < meld.metadata["start"]).sum() == 0
    assert meld.metadata["utterance_id"].is_unique


@pytest.mark.slow
def test_real_feature_file_has_the_labels_of_the_annotations(real_meld):
    for label in ("emotion", "sentiment"):
        annotated = load_meld(real_meld, label=label)
        cosmic = load_meld(real_meld / "cosmic_meld.pkl", label=label)
        ids = annotated.data["dialogue__id"]
        assert cosmic.data["dialogue__id"].equals(ids)
        assert (cosmic.target == annotated.target).all()
        assert (cosmic.split == annotated.split).all()
    # COSMIC kept five hard spaces that the annotations write as soft ones.
    said = cosmic.metadata["utterance"].str.replace("\xa0", " ")
    assert said.equals(annotated.metadata["utterance"])
    people = pd.DataFrame(
        {
            "dialogue": ids,
            "name": annotated.data["dialogue__speaker"],
            "number": cosmic.data["dialogue__speaker"],
        }
    )
    pairs = people.drop_duplicates()
    for column in ("name", "number"):
        assert len(people[["dialogue", column]].drop_duplicates()) == len(pairs)


@pytest.mark.slow
def test_real_annotations_take_features_of_their_shape(real_meld, write_pickle):
    with (real_meld / "cosmic_meld.pkl").open("rb") as file:
        cosmic = pickle.load(file, encoding="latin1")
    made = {key: np.ones((len(rows), 2), "float32") for key, rows in cosmic[1].items()}
    members = [*cosmic[:3], *[made] * 4, *cosmic[3:]]
    meld = load_meld(real_meld, features=write_pickle(members), modalities="text")
    assert meld.data.shape == (13708, 6)
    assert not meld.data.isna().any(axis=None)
