"""CMU-MOSI from each kind of file: what is read, and what is refused."""

import warnings

import numpy as np
import pandas as pd
import pytest
from clip_files import as_bytes, label_list, mmsa, mmsa_part, padded, write_pickle
from systems import mostly_slow

from skmerc.datasets import load_mosi
from skmerc.frame import split_frame


@pytest.fixture
def write(tmp_path):
    """A function that writes a pickle and returns its path."""

    def write(content, name="clips.pkl", python2=False):
        return write_pickle(tmp_path / name, content, python2)

    return write


def blocks_of(path, **choices):
    return split_frame(load_mosi(path, **choices).data)[1]


# --- MMSA


def test_mmsa_ids_give_videos_and_turns_in_order(write):
    bunch = load_mosi(write(mmsa()))
    assert bunch.data["dialogue__id"].tolist() == ["b", "a", "a", "c", "d", "d"]
    assert bunch.data["dialogue__turn"].tolist() == [1, 2, 11, 1, 1, 2]
    assert bunch.data["dialogue__speaker"].tolist() == ["b", "a", "a", "c", "d", "d"]
    assert set(bunch.data["dialogue__role"]) == {"utterance"}
    assert bunch.split.tolist() == ["train"] * 3 + ["dev"] + ["test"] * 2
    assert bunch.metadata["utterance"].tolist()[1] == "said a$_$2"


@pytest.mark.parametrize("make", [mmsa, label_list])
def test_all_text_may_be_bytes(write, make):
    text, same = load_mosi(write(make())), load_mosi(write(as_bytes(make()), "b.pkl"))
    pd.testing.assert_frame_equal(
        same.data.drop(columns="utterance", errors="ignore"),
        text.data.drop(columns="utterance", errors="ignore"),
    )
    assert same.metadata["id"].tolist() == text.metadata["id"].tolist()
    assert same.target.tolist() == text.target.tolist()
    assert same.split.tolist() == text.split.tolist()


def test_mmsa_frames_are_averaged_over_their_length(write):
    blocks = blocks_of(write(mmsa()))
    assert list(blocks) == ["text", "audio", "visual"]
    assert blocks["audio"].tolist()[:3] == [[2, 2], [6, 6], [4, 4]]
    assert blocks["visual"].ravel().tolist()[:3] == [20, 60, 40]


def test_mmsa_lengths_that_are_no_numbers_are_named(write):
    path = write(mmsa(audio_lengths=[2, "2", 2]))
    with pytest.raises(ValueError, match=r"'audio_lengths' holds '2' for utterance 1;"):
        load_mosi(path)


def test_an_empty_part_of_mmsa_changes_nothing_of_the_others(write):
    content = mmsa()
    content["valid"] = {key: values[:0] for key, values in content["valid"].items()}
    data = load_mosi(write(content)).data
    whole = load_mosi(write(mmsa()), split=["train", "test"]).data
    pd.testing.assert_frame_equal(data, whole)


def test_mmsa_text_is_averaged_over_its_tokens(write):
    assert np.unique(blocks_of(write(mmsa()))["text"]).tolist() == [2]


def test_without_lengths_frames_of_zeros_do_not_count_wherever_they_are(write):
    audio = np.zeros((3, 4, 2))
    audio[0, 2:] = [[1, 1], [2, 4]]  # padded in front
    audio[1, :1] = 7
    audio[2, [0, 3]] = [[2, 0], [0, 2]]  # nothing found between
    path = write(mmsa(audio=audio, audio_lengths=None))
    assert blocks_of(path)["audio"][[0, 2, 1]].tolist()[:3] == [
        [1.5, 2.5],
        [7, 7],
        [1, 1],
    ]


def test_a_length_that_stops_before_every_frame_is_not_believed(write):
    audio = np.zeros((3, 4, 2))
    audio[:, 2:] = 6
    path = write(mmsa(audio=audio, audio_lengths=[1, 1, 1]))
    assert np.unique(blocks_of(path)["audio"][:3]).tolist() == [6]


def test_an_utterance_without_frames_lacks_the_modality(write):
    audio = mmsa()["train"]["audio"]
    audio[1] = 0
    missing = np.isnan(blocks_of(write(mmsa(audio=audio)))["audio"]).all(axis=1)
    assert missing.tolist() == [False, False, True, False, False, False]


def test_frames_that_are_no_finite_numbers_are_left_out_and_counted_once(write):
    audio, vision = mmsa()["train"]["audio"], mmsa()["train"]["vision"]
    audio[0, 0, 1] = -np.inf
    audio[1, :2] = np.inf
    vision[2, 1] = np.nan
    path = write(mmsa(audio=audio, vision=vision))
    with pytest.warns(UserWarning, match="3 of audio, 1 of visual") as caught:
        blocks = blocks_of(path)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert blocks["audio"][0].tolist() == [3, 3]
    assert np.isnan(blocks["audio"][2]).all()
    assert blocks["visual"][1].tolist() == [30]
    assert not any(np.isinf(block).any() for block in blocks.values())


def test_infinite_padding_is_no_loss_and_no_warning(write):
    audio = mmsa()["train"]["audio"]
    audio[:, 3] = -np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert blocks_of(write(mmsa(audio=audio)))["audio"][0].tolist() == [2, 2]


def test_modalities_that_are_not_read_warn_of_nothing(write):
    audio = mmsa()["train"]["audio"]
    audio[0] = -np.inf
    blocks = blocks_of(write(mmsa(audio=audio)), modalities=["visual", "text"])
    assert list(blocks) == ["visual", "text"]
    assert list(blocks_of(write(mmsa(audio=audio)), modalities="text")) == ["text"]


def test_scores_keep_their_value(write):
    bunch = load_mosi(write(mmsa()))
    expected = [0, 1.6, -2.5, 3, -0.4, 0.5]
    np.testing.assert_allclose(bunch.target, expected, rtol=1e-6)
    np.testing.assert_array_equal(bunch.metadata["score"], bunch.target)
    assert bunch.target_names == []


def test_a_score_of_zero_is_positive(write):
    bunch = load_mosi(write(mmsa()), label="polarity")
    assert bunch.target.tolist() == [
        "positive",
        "positive",
        "negative",
        "positive",
        "negative",
        "positive",
    ]
    assert bunch.target_names == ["negative", "positive"]


def test_seven_classes_round_halves_to_even(write):
    bunch = load_mosi(write(mmsa()), label="seven")
    assert bunch.target.tolist() == ["0", "2", "-2", "3", "0", "0"]
    assert bunch.target_names == ["-3", "-2", "-1", "0", "1", "2", "3"]


def test_parts_are_chosen_by_name(write):
    X, y = load_mosi(write(mmsa()), split=["dev", "test"], return_X_y=True)
    assert X["dialogue__id"].tolist() == ["c", "d", "d"]
    assert len(y) == 3
    with pytest.raises(ValueError, match="train, dev, test"):
        load_mosi(write(mmsa()), split="valid")


def test_the_bunch_describes_what_it_holds(write):
    bunch = load_mosi(write(mmsa()))
    assert bunch.feature_names == list(bunch.data.columns[4:])
    assert "6 utterances of 4 videos (train 3, dev 1, test 2)" in bunch.DESCR
    assert "research" in bunch.license
    assert list(bunch.metadata) == ["utterance", "id", "annotation", "score"]


def test_a_part_alone_is_read(write):
    bunch = load_mosi(write({"test": mmsa()["test"]}))
    assert bunch.split.tolist() == ["test", "test"]


def test_without_features_the_sentences_are_read(write):
    content = mmsa(text=None, audio=None, vision=None)
    path = write({"train": content["train"]})
    assert load_mosi(path).feature_names == ["utterance"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": None}, r"'train' lacks 'id'"),
        ({"regression_labels": None}, r"'train' lacks 'regression_labels'"),
        ({"raw_text": None}, r"'train' lacks 'raw_text'"),
        ({"audio": None}, r"'train' lacks 'audio'"),
        ({"raw_text": ["a"]}, r"'raw_text' has 1 utterances and 'id' 3"),
        ({"audio_lengths": [2]}, r"'audio_lengths' has 1 utterances and 'id' 3"),
        ({"regression_labels": np.ones((3, 4))}, r"one score for each"),
        ({"regression_labels": [1, np.nan, 0]}, r"nan of turn 11 in dialogue 'a'"),
        ({"regression_labels": [1, 3.5, 0]}, r"3\.5 of turn 11 .* from -3 to 3"),
        ({"id": ["a_1", "a_2", "a_3"]}, r"id 'a_1' .* not '<video>\$_\$<number>'"),
        ({"audio": np.ones((3, 2))}, r"'audio' is float64 of shape \(3, 2\)"),
        ({"text": np.full((3, 2, 2), "a")}, r"'text' is <U1 of shape"),
        ({"audio": np.ones((3, 4, 5))}, r"'audio' has 2 and 5 features"),
        ({"text_bert": np.ones((3, 4))}, r"'text_bert' has the shape \(3, 4\)"),
    ],
)
def test_mmsa_parts_that_contradict_themselves_are_refused(write, changes, message):
    path = write(mmsa(**changes))
    with pytest.raises(ValueError, match=message) as caught:
        load_mosi(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("train", "test"), [(["a$_$1", "a$_$1"], ["d$_$1"]), (["a$_$1"], ["a$_$01"])]
)
def test_an_utterance_that_stands_twice_is_refused(write, train, test):
    parts = {"train": train, "test": test}
    content = {n: mmsa_part(ids, [0.5] * len(ids)) for n, ids in parts.items()}
    with pytest.raises(ValueError, match=r"the id 'a\$_\$1' stands 2 times, in 'tr"):
        load_mosi(write(content))


def test_a_video_in_two_parts_is_no_dialogue(write):
    content = mmsa() | {"test": mmsa_part(["d$_$1", "a$_$3"], [1.5, -0.5])}
    with pytest.raises(ValueError, match="video 'a' is in 2 parts.*official file"):
        load_mosi(write(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"language": 1, "labels": 2}, "'language', 'labels'; known are the parts"),
        ({"train": mmsa()["train"], "dev": mmsa()["valid"]}, "'dev'; known .*'valid'"),
        ({}, "known are the parts"),
        ({"train": [1, 2]}, "each a dict"),
        ({"train": mmsa_part([], [])}, "no utterance"),
        ("text", "holds a str"),
    ],
)
def test_other_pickles_are_refused(write, content, message):
    with pytest.raises(ValueError, match=message):
        load_mosi(write(content))


# --- Padded pickles


@pytest.mark.parametrize("python2", [False, True])
def test_padding_is_no_utterance(write, python2):
    path = write(padded(), "audio.pickle", python2)
    bunch = load_mosi(path, label="polarity")
    keys, blocks = split_frame(bunch.data)
    assert keys["dialogue__id"].tolist() == ["train_0"] * 2 + ["train_1"] * 3 + [
        "test_0"
    ]
    assert keys["dialogue__turn"].tolist() == [0, 1, 0, 1, 2, 0]
    assert blocks["audio"][2].tolist() == [7, 8]
    assert bunch.target.tolist() == ["positive", "negative"] + [
        "negative",
        "positive",
        "positive",
    ] + ["positive"]
    assert bunch.split.tolist() == ["train"] * 5 + ["test"]


def test_padded_pickles_of_a_folder_are_joined(write, tmp_path):
    write(padded(width=3), "text.pickle")
    write(padded(), "audio.pickle")
    write(padded(scale=2), "video.pickle")
    (tmp_path / "notes.txt").write_text("read me")
    blocks = blocks_of(tmp_path, label="polarity")
    widths = {name: block.shape for name, block in blocks.items()}
    assert widths == {"text": (6, 3), "audio": (6, 2), "visual": (6, 2)}
    assert list(blocks) == ["text", "audio", "visual"]
    np.testing.assert_array_equal(blocks["visual"], blocks["audio"] * 2)


def test_a_vector_that_is_no_finite_number_is_missing(write):
    content = padded()
    content[0][1, 1, 0] = np.inf
    path = write(content, "audio.pickle")
    with pytest.warns(UserWarning, match="1 of audio"):
        blocks = blocks_of(path, label="polarity")
    assert (
        np.isnan(blocks["audio"]).all(axis=1).tolist()
        == [False] * 3 + [True] + [False] * 2
    )


def test_members_in_another_order_are_named(write):
    train, train_label, test, test_label, _, train_length, test_length = padded()
    content = [test_length, test, test_label, train_length, train, train_label]
    names = [f"{p}_{k}" for p in ("test", "train") for k in ("length", "data", "label")]
    path = write(content, "text.pickle")
    bunch = load_mosi(path, label="polarity", members=names)
    assert bunch.split.tolist() == ["train"] * 5 + ["test"]


def test_a_part_that_is_named_must_fit(write):
    content = [*padded(), np.ones((1, 3, 2)), np.ones((1, 4)), [3]]
    names = [f"{p}_{k}" for p in ("train", "test") for k in ("data", "label")]
    names += ["_", "train_length", "test_length", "dev_data", "dev_label", "dev_length"]
    path = write(content, "audio.pickle")
    with pytest.raises(ValueError, match=r"dev_label has the shape \(1, 4\)"):
        load_mosi(path, label="polarity", members=names)


def test_padded_members_of_unknown_names_are_refused(write):
    names = "train_data train_label valid_data test_data _ train_length test_length"
    with pytest.raises(ValueError, match="valid_data.*among train_data, train_label"):
        load_mosi(write(padded(), "audio.pickle"), members=names.split())


def test_codes_of_three_classes_are_no_scores(write):
    path = write(padded(labels=((1, 0, 0), (0, 2, 1))), "audio_3way.pickle")
    with pytest.raises(ValueError, match="only 0, 1, 2, which are codes of classes"):
        load_mosi(path, label="seven")


def test_a_kind_of_label_that_is_not_there_is_refused(write):
    with pytest.raises(ValueError, match="label='score'.*holds polarity"):
        load_mosi(write(padded(), "audio.pickle"))


def test_files_of_a_folder_that_disagree_are_refused(write, tmp_path):
    write(padded(), "audio.pickle")
    write(padded(labels=((1, 1, 0), (0, 1, 1))), "text.pickle")
    with pytest.raises(ValueError, match=r"audio\.pickle and .*text\.pickle differ"):
        load_mosi(tmp_path, label="polarity")


def test_two_files_of_a_modality_are_refused(write, tmp_path):
    write(padded(), "audio.pickle")
    write(padded(), "audio_2way.pickle")
    with pytest.raises(ValueError, match="two files of audio"):
        load_mosi(tmp_path)


def test_a_folder_without_known_files_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("read me")
    with pytest.raises(ValueError, match=r"no text\.pickle.*but notes\.txt"):
        load_mosi(tmp_path)


def test_padded_arrays_whose_modality_is_unknown_are_refused(write):
    with pytest.raises(ValueError, match="its name does not say which"):
        load_mosi(write(padded(), "unimodal.pickle"))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (5, [2, 4], "lengths count the utterances"),
        (5, [2], r"train_length has the shape \(1,\)"),
        (1, np.zeros((2, 2)), r"train_label has the shape \(2, 2\)"),
        (2, np.zeros((1, 3)), r"test_data has the shape \(1, 3\)"),
        (2, np.full((1, 3, 2), "a"), "known are"),
        (2, np.zeros((1, 3, 4)), "2 and 4 features in different parts"),
    ],
)
def test_padded_members_that_do_not_fit_are_refused(write, place, value, message):
    content = list(padded())
    content[place] = value
    with pytest.raises(ValueError, match=message):
        load_mosi(write(content, "audio.pickle"), label="polarity")


def test_padded_members_of_unknown_number_are_refused(write):
    with pytest.raises(ValueError, match="no list of 7 or 13 members.*its 6 members"):
        load_mosi(write(padded()[:6], "audio.pickle"))


# --- The folder of tables


TRANSCRIPTS = [
    ("b_1", "IT IS, WELL, NEW", "1", "1"),
    ("a_10", "NA", "2", "0"),
    ("a_2", 'HE SAID "NO"', "2", "1"),
    ("c_1", "null", "3", "0"),
]


@pytest.fixture
def tables(tmp_path):
    """The folder of bc-LSTM; rows 0 to 2 to learn from, row 3 to test on."""
    rows = {"train": [0, 1, 2], "test": [3]}
    quoted = {"header": False, "index": False, "quoting": 1, "lineterminator": "\r\n"}
    pd.DataFrame(TRANSCRIPTS).to_csv(tmp_path / "transcripts.csv", **quoted)
    for part, at in rows.items():
        pd.DataFrame({"row": at, "x": 0.5}).to_csv(
            tmp_path / f"text_{part}.csv", **quoted
        )
    for number, name in enumerate(("text", "audio", "video"), start=1):
        (tmp_path / name).mkdir()
        for part, at in rows.items():
            label = [float(TRANSCRIPTS[row][3]) for row in at]
            table = pd.DataFrame({"x": np.array(at) + 0.5, "y": number, "label": label})
            table.to_csv(tmp_path / name / f"{name}_{part}0.csv", **quoted)
    return tmp_path


def test_tables_are_joined_with_the_transcripts(tables):
    bunch = load_mosi(tables, label="polarity")
    keys, blocks = split_frame(bunch.data)
    assert keys["dialogue__id"].tolist() == ["b", "a", "a", "c"]
    assert keys["dialogue__turn"].tolist() == [1, 2, 10, 1]
    assert list(blocks) == ["text", "audio", "visual"]
    assert blocks["audio"].tolist() == [[0.5, 2], [2.5, 2], [1.5, 2], [3.5, 2]]
    assert bunch.target.tolist() == ["positive", "positive", "negative", "negative"]
    assert bunch.metadata["utterance"].tolist() == [
        "IT IS, WELL, NEW",
        'HE SAID "NO"',
        "NA",
        "null",
    ]


def test_the_folder_above_is_as_good(tables, tmp_path_factory):
    above = tmp_path_factory.mktemp("repository")
    tables.rename(above / "data")
    assert load_mosi(above, label="polarity").data.shape == (4, 10)


def test_a_folder_of_features_may_be_absent(tables):
    for path in (tables / "video").iterdir():
        path.unlink()
    (tables / "video").rmdir()
    assert list(blocks_of(tables, label="polarity")) == ["text", "audio"]


def test_an_absent_table_is_named(tables):
    (tables / "audio" / "audio_test0.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"audio_test0\.csv"):
        load_mosi(tables, label="polarity")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    mostly_slow(
        [
            ("audio/audio_test0.csv", "1,2,1\n", r"row 0 is 1, but .* has 0 for 'c_1'"),
            ("audio/audio_test0.csv", "1,2,0\n1,2,0\n", "2 rows, but the part has 1"),
            ("audio/audio_test0.csv", "1,x,0\n", "no finite numbers"),
            ("audio/audio_test0.csv", "1,,0\n", "no finite numbers"),
            ("audio/audio_test0.csv", "1,2,3,0\n", "2 and 3 features"),
            ("audio/audio_test0.csv", "", "cannot be read as CSV"),
            ("audio/audio_test0.csv", "1,0\n1,2,3\n", "cannot be read as CSV"),
            ("text_test.csv", "4\n", "no row of transcripts.csv, which has 4"),
            ("text_test.csv", "x\n", "no row of transcripts.csv"),
            ("text_test.csv", "2\n", "'a_2' stands twice"),
            ("text_train.csv", "0\n1\n", "'a_2' stands nowhere"),
            ("transcripts.csv", "a_1,b\n", "2 columns; known are four"),
            ("transcripts.csv", "a,b,1,1\n", "row 0 has the id 'a'"),
            ("transcripts.csv", "a_1,b,1,-1\n", "the label '-1'"),
        ]
    ),
)
def test_damaged_tables_are_refused(tables, name, text, message):
    (tables / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        load_mosi(tables, label="polarity")


# --- The list of labels


@pytest.mark.parametrize("python2", [False, True])
def test_the_list_of_labels_gives_sentences(write, python2):
    bunch = load_mosi(write(label_list(), python2=python2), label="seven")
    assert list(bunch.data.columns[4:]) == ["utterance"]
    assert bunch.data["utterance"].tolist()[:2] == ["IT WAS GOOD", "NOT ALL OF IT"]
    assert bunch.data["dialogue__turn"].tolist() == [2, 10, 1, 7]
    assert bunch.target.tolist() == ["1", "0", "-3", "0"]
    assert bunch.split.tolist() == ["train", "train", "dev", "test"]


def test_text_of_python_2_is_read_as_it_was_meant(write):
    sentences = {"v1": ["it\x92s", "\xe9"], "v2": ["a"], "v3": ["b"]}
    path = write(label_list(sentences=sentences), python2=True)
    assert load_mosi(path).data["utterance"].tolist()[:2] == ["it’s", "\xe9"]


def test_parts_may_be_lists_or_arrays_and_leave_videos_out(write):
    content = label_list(train=["v1"], dev=[], test=np.array(["v3"]))
    bunch = load_mosi(write(content))
    assert bunch.split.tolist() == ["train", "train", "test", ""]


def test_turns_are_places_where_ids_hold_no_number(write):
    ids = {"v1": ["x", "y"], "v2": ["v2_1"], "v3": ["z"]}
    bunch = load_mosi(write(label_list(ids=ids)))
    assert bunch.data["dialogue__turn"].tolist() == [0, 1, 1, 0]


def test_members_that_are_named_replace_the_known_order(write):
    ids, labels, _, sentences, train, dev, test = label_list()
    path = write([labels, sentences, test, dev, train])
    names = ["labels", "sentences", "test", "dev", "train"]
    assert load_mosi(path, members=names).split.tolist() == ["train"] * 2 + [
        "dev",
        "test",
    ]
    with pytest.raises(ValueError, match="no member is 'labels'"):
        load_mosi(path, members=["ids", "sentences", "test", "dev", "train"])
    with pytest.raises(ValueError, match="among labels, ids, sentences, text,"):
        load_mosi(path, members=["labels", "utterance", "test", "dev", "train"])
    with pytest.raises(ValueError, match="neither features nor sentences"):
        load_mosi(path, members=["labels", "_", "test", "dev", "train"])


def test_modalities_of_a_file_without_features_are_refused(write):
    with pytest.raises(ValueError, match="modalities='text'.*none"):
        load_mosi(write(label_list()), modalities="text")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sentences": {"v1": ["a"], "v2": ["b"], "v3": ["c"]}}, "'v1', 'sentences'"),
        ({"ids": {"v1": ["a", "b"]}}, "'labels' has the dialogue 'v2'"),
        ({"labels": {"v1": [1.4, 4], "v2": [1], "v3": [0]}}, r"4\.0 of turn 10"),
        ({"labels": {"v1": [1, 0], "v2": [1], "v3": [0]}}, "only 0 and 1"),
        ({"labels": {"v1": [1, 0], "v2": [2], "v3": [0]}}, "only 0 and 1 and 2"),
        ({"labels": {"v1": [1.4, "a"], "v2": [1], "v3": [0]}}, r"\['a'\] in utter.* 1"),
        ({"labels": {"v1": [1.4, [1, 2]], "v2": [1], "v3": [0]}}, r"holds \[1, 2\]"),
        ({"labels": {}, "ids": {}, "sentences": {}}, "no dialogue"),
        ({"dev": {"v1"}}, "'v1', which is also in 'train'"),
        ({"dev": {"v9"}}, "'v9', which is not in 'labels'"),
        ({"more": {}}, "8 members"),
    ],
)
def test_members_that_contradict_each_other_are_refused(write, changes, message):
    with pytest.raises(ValueError, match=message):
        load_mosi(write(label_list(**changes)))


def test_videos_without_utterances_are_refused(write):
    empty = {"v1": []}
    changes = {"ids": empty, "labels": empty, "sentences": empty, "speakers": empty}
    content = label_list(**changes, train=["v1"], dev=[], test=[])
    with pytest.raises(ValueError, match="no utterance"):
        load_mosi(write(content))


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.pkl"):
        load_mosi(tmp_path / "absent.pkl")


@pytest.mark.parametrize("choice", [{"label": "emotions"}, {"label": "two"}])
def test_unknown_kinds_of_labels_are_refused(write, choice):
    with pytest.raises(ValueError, match="'label' parameter"):
        load_mosi(write(mmsa()), **choice)


# --- The real files


def test_real_tables_equal_the_real_archive(real_data):
    bunch = load_mosi(real_data / "raw" / "mosi", label="polarity")
    assert np.unique(bunch.split, return_counts=True)[1].tolist() == [752, 1447]
    with np.load(real_data / "mosi_tav.npz", allow_pickle=False) as archive:
        place = {key: row for row, key in enumerate(archive["utterance_id"])}
        rows = [place[key] for key in bunch.metadata["id"]]
        names = archive["label_names"][archive["label"][rows]]
        assert bunch.target.tolist() == names.tolist()
        assert bunch.data["dialogue__id"].tolist() == archive["dialogue"][rows].tolist()
        for name, block in split_frame(bunch.data)[1].items():
            np.testing.assert_allclose(block, archive[name][rows], rtol=1e-6)


def test_the_real_padded_pickle_equals_the_real_tables(real_data):
    tables = load_mosi(real_data / "raw" / "mosi", label="polarity", modalities="audio")
    padded = load_mosi(real_data / "raw" / "mosi" / "input", label="polarity")
    assert set(split_frame(padded.data)[1]) == {"audio"}
    for part, n_rows in (("train", 1447), ("test", 752)):
        found = [described_videos(bunch, part) for bunch in (tables, padded)]
        assert sum(len(labels) for labels, _ in found[0]) == n_rows
        for (labels, audio), (other_labels, other_audio) in zip(*found, strict=True):
            assert labels == other_labels
            np.testing.assert_allclose(audio, other_audio, rtol=1e-4, atol=1e-4)


def described_videos(bunch, part):
    """Labels and audio of each video in the order of turns, the videos sorted."""
    audio = split_frame(bunch.data)[1]["audio"]
    rows = pd.Series(range(len(audio)))[bunch.split == part]
    videos = rows.groupby(bunch.data["dialogue__id"]).apply(list)
    described = [(bunch.target[video].tolist(), audio[video]) for video in videos]
    return sorted(described, key=lambda video: video[1][0].round(2).tolist())
