"""IEMOCAP as its owners release it: a folder of five sessions."""

import re

import numpy as np
import pandas as pd

from skmerc.datasets._corpus import TEXT, Corpus
from skmerc.datasets.formats._files import check_file

EMOTIONS = {
    6: ["hap", "sad", "neu", "ang", "exc", "fru"],
    4: ["hap", "sad", "neu", "ang"],
}
_UNUSED = ["sur", "fea", "dis", "oth", "xxx"]
_NUMBER = r"\d+(?:\.\d+)?"
_EVALUATED = re.compile(
    rf"\[(?P<start>{_NUMBER}) *- *(?P<end>{_NUMBER})\]\s+(?P<utterance_id>\w+)\s+"
    rf"(?P<emotion>{'|'.join(EMOTIONS[6] + _UNUSED)})\s+"
    rf"\[(?P<valence>{_NUMBER}), *(?P<activation>{_NUMBER}), *"
    rf"(?P<dominance>{_NUMBER})\]\s*"
)
# Two spans of blanks side by side would be tried in every division.
_SPOKEN = re.compile(r"(?P<utterance_id>Ses\w+)\s*(?:\[[^\]]*\]\s*)?:\s*(?P<text>.*)")
_FLOATS = ["start", "end", "valence", "activation", "dominance"]


def read_release(folder, n_classes, keep_unlabelled):
    """Read all sessions, in the order of dialogues and of the start of utterances."""
    files = _evaluation_files(folder)
    table = pd.concat([_read_dialogue(file) for file in files], ignore_index=True)
    # The four classes count excitement as happiness.
    emotion = table["emotion"].replace({"exc": "hap"} if n_classes == 4 else {})
    labelled = emotion.isin(EMOTIONS[n_classes])
    if not labelled.any():
        raise ValueError(f"{folder}: no utterance has one of {EMOTIONS[n_classes]}.")
    # Nobody reads the label of context, which only has to be a known one.
    emotion = emotion.where(labelled, emotion[labelled].iloc[0])
    rows = labelled | keep_unlabelled
    return _as_corpus(table[rows], emotion[rows], labelled[rows], n_classes)


def speaker_names(dialogues, genders):
    """Name each speaker by session and gender: ten persons, such as "Ses01_F"."""
    pairs = zip(dialogues, genders, strict=True)
    return np.array([f"{dialogue[:5]}_{gender}" for dialogue, gender in pairs])


def gender_of(utterance_id):
    """Letter of who speaks: "F" in "Ses01M_impro01_F000"."""
    return utterance_id.rpartition("_")[2][:1]


def _as_corpus(table, emotion, labelled, n_classes):
    dialogue = table["dialogue"].to_numpy()
    genders = map(gender_of, table["utterance_id"])
    return Corpus(
        dialogue=dialogue,
        turn=table.groupby("dialogue").cumcount().to_numpy(),
        speaker=speaker_names(dialogue, genders),
        split=np.where(table["dialogue"].str.startswith("Ses05"), "test", "train"),
        labels={"emotion": emotion.to_numpy(dtype=object)},
        metadata=table.drop(columns="dialogue").reset_index(drop=True),
        class_names={"emotion": EMOTIONS[n_classes]},
        role=np.where(labelled, "utterance", "context"),
    )


def _evaluation_files(folder):
    """List the label files, one per dialogue, each with its transcription."""
    files = []
    for number in range(1, 6):
        dialog = folder / f"Session{number}" / "dialog"
        labels, texts = (
            {file.name: file for file in (dialog / kind).glob(f"Ses0{number}*.txt")}
            for kind in ("EmoEvaluation", "transcriptions")
        )
        odd = sorted(labels.keys() ^ texts.keys())
        if odd or not labels:
            missing = odd[0] if odd else f"Ses0{number}*.txt"
            raise FileNotFoundError(
                f"{dialog} lacks {missing} in EmoEvaluation or in transcriptions; the "
                "release has five sessions, and a file in both folders for each "
                "dialogue."
            )
        files += [labels[name] for name in sorted(labels)]
    return files


def _read_dialogue(file):
    table = pd.DataFrame(_evaluations(file))
    table = table.astype(dict.fromkeys(_FLOATS, float))
    table = table.sort_values("start", kind="stable", ignore_index=True)
    texts = _transcription(file.parents[1] / "transcriptions" / file.name)
    silent = [name for name in table["utterance_id"] if name not in texts]
    if silent:
        raise ValueError(
            f"{file} labels the utterance {silent[0]}, which the file of the same "
            "name in transcriptions lacks."
        )
    ids = table["utterance_id"]
    table.insert(0, TEXT, [texts[name] for name in ids])
    session = file.parents[2]
    voices = session / "sentences" / "wav" / file.stem
    film = session / "dialog" / "avi" / "DivX" / f"{file.stem}.avi"
    return table.assign(
        wav=_those_there([voices / f"{name}.wav" for name in ids]),
        video=_those_there([film] * len(ids)),
        dialogue=file.stem,
    )


def _evaluations(file):
    """Read what stands of each utterance in front of the votes of its evaluators."""
    found = {}
    for number, line in enumerate(_lines(file), start=1):
        if not line.startswith("["):
            continue
        match = _EVALUATED.fullmatch(line)
        name = match["utterance_id"] if match else ""
        if name in found or not re.fullmatch(rf"{file.stem}_[FM]\w+", name):
            raise ValueError(
                f"{file}, line {number}: {line!r} is not what evaluates a new "
                f"utterance of this dialogue, '[START - END] {file.stem}_F000 EMOTION "
                "[V, A, D]'; the file is damaged or of another kind."
            )
        found[name] = match.groupdict()
    if not found:
        raise ValueError(
            f"{file} holds no line '[START - END] TURN_NAME EMOTION [V, A, D]'; it is "
            "empty, damaged or of another kind."
        )
    return list(found.values())


def _transcription(file):
    matches = (_SPOKEN.fullmatch(line) for line in _lines(file))
    return {match["utterance_id"]: match["text"] for match in matches if match}


def _lines(file):
    check_file(file)
    content = file.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    return [line.strip() for line in text.split("\n")]


def _those_there(files):
    # As objects, since columns of text would turn None into NaN.
    paths = [str(file) if file.is_file() else None for file in files]
    return pd.Series(paths, dtype=object)
