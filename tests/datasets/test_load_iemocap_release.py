"""IEMOCAP's own release: what is read of its folders, and what is refused."""

import numpy as np
import pytest
from systems import mostly_slow

from skmerc.datasets import load_iemocap
from skmerc.frame import split_frame

HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
# The file lists one speaker behind the other; in time they take turns. Lines of
# evaluators (C: categories, A: attributes) follow each utterance.
IMPRO = f"""{HEADER}\
[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
C-E3:\tNeutral;\t()
C-F1:\tNeutral;\t(curious)
A-E3:\tval 3; act 2; dom  2;\t()
A-F1:\tval 3; act 2; dom  ;\t([sic] mildly aggravated)

[14.8872 - 18.0175]\tSes01F_impro01_F001\txxx\t[2.5000, 3.0000, 3.0000]
C-E2:\tNeutral; Surprise;\t()
A-E3:\tval 2; act 3; dom  3;\t()

[27.4600 - 31.4900]\tSes01F_impro01_F002\texc\t[4.6667, 3.3333, 5.0000]
C-E2:\tExcited;\t()

[7.5712 - 10.4750]\tSes01F_impro01_M000\tfru\t[2.5000, 2.0000, 2.5000]
C-E2:\tFrustration;\t()

[40.0000 - 41.5000]\tSes01F_impro01_M001\tsur\t[3.0000, 4.0000, 3.0000]
C-E2:\tSurprise;\t()

"""
TEXT = """\
Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
Ses01F_impro01_M000 [007.5712-010.4750]: Do you have your forms?
M: [LAUGHTER]
Ses01F_impro01_F001 [014.8872-018.0175]: Yeah: all of them.
Ses01F_impro01_FXX0 [018.1000-018.2000]: Mhm.
Ses01F_impro01_F002 [027.4600-031.4900]: Great [LAUGHTER]

Ses01F_impro01_M001: Oh.
"""
SCRIPT = f"""{HEADER}\
[0.5000 - 2.0000]\t{{0}}_M000\thap\t[4.0000, 3.5000, 3.0000]
C-E1:\tHappiness;\t()

[2.2500 - 3.0000]\t{{0}}_F000\t{{1}}\t[2.0000, 2.5000, 3.0000]
C-E1:\tSadness;\t()

"""
SPOKEN = "{0}_M000 [000.5000-002.0000]: Hello.\n{0}_F000 [002.2500-003.0000]: Hi.\n"
OTHERS = {2: "sad", 3: "ang", 4: "xxx", 5: "neu"}


def write_dialogue(folder, name, labels, text, encoding="utf-8"):
    dialog = folder / f"Session{name[4]}" / "dialog"
    for kind, content in (("EmoEvaluation", labels), ("transcriptions", text)):
        (dialog / kind).mkdir(parents=True, exist_ok=True)
        (dialog / kind / f"{name}.txt").write_bytes(content.encode(encoding))


@pytest.fixture
def release(tmp_path):
    folder = tmp_path / "IEMOCAP_full_release"
    write_dialogue(folder, "Ses01F_impro01", IMPRO, TEXT)
    for session, emotion in OTHERS.items():
        name = f"Ses0{session}M_script01_1"
        write_dialogue(folder, name, SCRIPT.format(name, emotion), SPOKEN.format(name))
    return folder


def test_labelled_utterances_come_in_the_order_of_time(release):
    corpus = load_iemocap(release, split="train")
    assert corpus.metadata["utterance_id"].tolist() == [
        *(f"Ses01F_impro01_{turn}" for turn in ("F000", "M000", "F002")),
        *(f"Ses02M_script01_1_{turn}" for turn in ("M000", "F000")),
        *(f"Ses03M_script01_1_{turn}" for turn in ("M000", "F000")),
        "Ses04M_script01_1_M000",
    ]
    assert corpus.target.tolist() == "neu fru exc hap sad hap ang hap".split()
    keys = corpus.data.iloc[:, :4]
    assert keys["dialogue__id"].tolist()[2:4] == ["Ses01F_impro01", "Ses02M_script01_1"]
    # The place among all that were evaluated: the third is not labelled.
    assert keys["dialogue__turn"].tolist() == [0, 1, 2, 0, 1, 0, 1, 0]
    assert keys["dialogue__speaker"].tolist()[:5] == [
        *("Ses01_F", "Ses01_M", "Ses01_F", "Ses02_M", "Ses02_F")
    ]
    assert set(keys["dialogue__role"]) == {"utterance"}


def test_last_session_is_the_test_part_and_no_dev_part_is_made_up(release):
    corpus = load_iemocap(release)
    is_last = corpus.data["dialogue__id"].str.startswith("Ses05")
    assert corpus.split.tolist() == np.where(is_last, "test", "train").tolist()
    with pytest.raises(ValueError, match="split='dev'.*train, test"):
        load_iemocap(release, split="dev")


def test_what_was_said_stands_in_x_and_the_rest_in_the_metadata(release):
    corpus = load_iemocap(release)
    said = ["Excuse me.", "Do you have your forms?", "Great [LAUGHTER]", "Hello."]
    assert corpus.data["utterance"].tolist()[:4] == said
    first = corpus.metadata.iloc[2]
    assert first[["start", "end"]].tolist() == [27.46, 31.49]
    ratings = first[["valence", "activation", "dominance"]].tolist()
    assert ratings == [4.6667, 3.3333, 5.0]
    assert first["emotion"] == "exc"
    assert corpus.metadata["start"].dtype == float
    assert corpus.target_names == ["hap", "sad", "neu", "ang", "exc", "fru"]
    assert "10 utterances in 5 dialogues (train 8, dev 0, test 2)" in corpus.DESCR
    assert "call 53 more utterances hap" in corpus.DESCR


def test_four_classes_count_excitement_as_happiness(release):
    corpus = load_iemocap(release, n_classes=4)
    assert corpus.target.tolist() == "neu hap hap sad hap ang hap hap neu".split()
    assert corpus.metadata["emotion"].tolist()[:2] == ["neu", "exc"]
    assert corpus.target_names == ["hap", "sad", "neu", "ang"]


def test_unlabelled_utterances_can_stay_as_context(release):
    X, y = load_iemocap(release, keep_unlabelled=True, return_X_y=True)
    assert X["dialogue__turn"].tolist()[:5] == [0, 1, 2, 3, 4]
    assert X["utterance"][2] == "Yeah: all of them."
    roles = X["dialogue__role"].tolist()
    assert roles[:5] == ["utterance", "utterance", "context", "utterance", "context"]
    assert len(X) == 13
    labelled = X["dialogue__role"] == "utterance"
    expected = load_iemocap(release)
    assert y[labelled].tolist() == expected.target.tolist()
    assert set(y[~labelled]) == {"neu"}
    kept = load_iemocap(release, keep_unlabelled=True)
    assert kept.metadata["emotion"][2] == "xxx"
    assert "context 3" in kept.DESCR


def test_frustration_is_context_beside_four_classes(release):
    X, _ = load_iemocap(release, n_classes=4, keep_unlabelled=True, return_X_y=True)
    assert X["dialogue__role"].tolist()[:4] == [
        "utterance",
        *["context"] * 2,
        "utterance",
    ]


def test_paths_of_sound_and_film_are_given_where_they_exist(release):
    session = release / "Session1"
    wav = session / "sentences" / "wav" / "Ses01F_impro01" / "Ses01F_impro01_M000.wav"
    video = session / "dialog" / "avi" / "DivX" / "Ses01F_impro01.avi"
    for file in (wav, video):
        file.parent.mkdir(parents=True)
        file.touch()
    metadata = load_iemocap(str(release)).metadata
    assert metadata["wav"].tolist() == [None, str(wav)] + [None] * 8
    assert metadata["video"].tolist() == [str(video)] * 3 + [None] * 7


def test_features_are_found_by_utterance_id(release, tmp_path):
    for row, name in enumerate(load_iemocap(release).metadata["utterance_id"]):
        np.save(tmp_path / f"{name}.npy", np.array([row, 1.0]))
    X, _ = load_iemocap(release, features={"audio": tmp_path}, return_X_y=True)
    assert split_frame(X)[1]["audio"][:, 0].tolist() == list(range(10))


def test_files_of_other_kinds_in_the_folders_are_left_alone(release):
    before = load_iemocap(release)
    labels = release / "Session1" / "dialog" / "EmoEvaluation"
    (labels / "._Ses01F_impro01.txt").write_bytes(b"\x00\x05\x16\x07\x00[1.0 - ")
    (labels / "Categorical").mkdir()
    (labels / "Categorical" / "Ses01F_impro01_e1_cat.txt").write_text("other")
    (labels / "Ses01F_impro01.anvil").write_text("<xml/>")
    (release / "README.txt").write_text("read me")
    (release / "Documentation").mkdir()
    assert load_iemocap(release).data.equals(before.data)


@pytest.mark.parametrize("encoding", mostly_slow(["utf-8", "utf-8-sig", "cp1252"]))
def test_line_ends_and_encodings_do_not_matter(release, encoding):
    before = load_iemocap(release)
    text = TEXT.replace("Excuse me.", "Excus\xe9 me\u2026").replace("\n", "\r\n")
    labels = IMPRO.replace("curious", "na\xefve").replace("\n", "\r\n").rstrip()
    write_dialogue(release, "Ses01F_impro01", labels, text, encoding)
    corpus = load_iemocap(release)
    assert corpus.data["utterance"][0] == "Excus\xe9 me\u2026"
    assert (
        corpus.data["utterance"].tolist()[1:] == before.data["utterance"].tolist()[1:]
    )
    assert corpus.target.tolist() == before.target.tolist()


F000 = "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\tneu\t", "\tnex\t", r"Ses01F_impro01\.txt, line 3: .*nex.* is not what"),
        ("[2.5000, 2.5000, 2.5000]\n", "[2.5000, 2.5\n", "line 3"),
        ("[6.2901 - 8.2357]", "[6.2901 - ]", "line 3"),
        ("Ses01F_impro01_F000", "Ses01F_impro02_F000", "line 3.*of this dialogue"),
        ("Ses01F_impro01_F000", "Ses01F_impro01_X000", "line 3"),
        (F000, F000 + F000, "line 4.*a new utterance"),
        (IMPRO, HEADER, r"Ses01F_impro01\.txt holds no line '\[START"),
        (IMPRO, "", r"Ses01F_impro01\.txt holds no line '\[START"),
    ],
)
def test_damaged_labels_are_refused(release, old, new, message):
    assert old in IMPRO
    write_dialogue(release, "Ses01F_impro01", IMPRO.replace(old, new, 1), TEXT)
    with pytest.raises(ValueError, match=message):
        load_iemocap(release)


def test_utterance_that_nobody_transcribed_is_refused(release):
    text = TEXT.replace("Ses01F_impro01_M000", "M000")
    write_dialogue(release, "Ses01F_impro01", IMPRO, text)
    with pytest.raises(ValueError, match="utterance Ses01F_impro01_M000, .* lacks"):
        load_iemocap(release)


@pytest.mark.parametrize("kind", ["EmoEvaluation", "transcriptions"])
def test_dialogue_that_lacks_a_file_is_refused(release, kind):
    (release / "Session3" / "dialog" / kind / "Ses03M_script01_1.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"Session3.* lacks Ses03M_script01_1"):
        load_iemocap(release)


def test_folder_that_lacks_a_session_is_refused(release):
    (release / "Session4").rename(release / "Session 4")
    with pytest.raises(FileNotFoundError, match=r"Session4.* lacks .*five sessions"):
        load_iemocap(release)


def test_release_without_one_of_the_classes_is_refused(release):
    for dialogue in release.glob("Session*/dialog/EmoEvaluation/*.txt"):
        labels = dialogue.read_text()
        for emotion in ("neu", "fru", "exc", "hap", "sad", "ang"):
            labels = labels.replace(f"\t{emotion}\t", "\txxx\t")
        dialogue.write_text(labels)
    with pytest.raises(ValueError, match="no utterance has one of"):
        load_iemocap(release)


def test_members_are_those_of_a_pickle(release):
    with pytest.raises(ValueError, match="members=.* does not apply"):
        load_iemocap(release, members=["labels"])
