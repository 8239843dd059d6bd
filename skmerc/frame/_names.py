"""What a column holds, guessed by its name, for messages and never for reading."""

import re
from typing import Any

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_GLUED = re.compile("(.+)id")
_OF_PANDAS = re.compile(r"Unnamed: \d+(\.\d+)*|level_\d+")
"""How pandas calls an index that was written along."""
_WORD = re.compile(r"[^\W_]+")
_ID_WORDS = set("id ids uuid guid key no nr num number name ref sid".split())
_COUNTS = _ID_WORDS - {"name", "ref"} | {"index"}
_IDS = set("id ids idx index uuid guid rowid rownum".split())
_KINDS = {
    "label": "annotation affect category class emotion emotions feeling label labels "
    "mood sentiment target",
    "speaker": "agent author caller character customer from nickname participant party "
    "person role sender speaker speakers spk user username who",
    "timestamp": "begin created date datetime fecha datum heure hora moment offset "
    "onset sent start time timestamp ts uhrzeit zeit",
    "turn": "idx lineno position seq sequence turn turns",
    "text": "body comment content message msg phrase said sentence text transcript "
    "transcription utt utterance words",
    "dialogue": "call case chat conv conversation contact dialog dialogue episode "
    "interaction interview meeting scene session thread ticket",
}
_KINDS_OF_WORDS = {
    word: kind for kind, words in _KINDS.items() for word in words.split()
}
_PARTS = set("line message msg segment sentence step utt utterance row".split())
"""What is counted in a dialogue; its number is a turn."""
_NO_MOMENT = set("birth duration end handle handling length response wait zone".split())
_DIALOGUES = set(_KINDS["dialogue"].split())


def words_of(name: Any) -> list[str]:
    """Words of a name, in lower case: "StartTime" and "start_time" have the same."""
    if not isinstance(name, str):
        return []
    words = _WORD.findall(_CAMEL.sub(" ", name).lower().lstrip("\ufeff"))
    parts = [_GLUED.fullmatch(word) for word in words]
    return [w for word, p in zip(words, parts, strict=True) for w in _split(word, p)]


def _split(word: str, parts: re.Match | None) -> tuple[str, ...]:
    known = parts and (parts[1] in _KINDS_OF_WORDS or parts[1] in _PARTS)
    return (parts[1], "id") if parts and known else (word,)


def kind_of(name: Any) -> str | None:
    """Tell what a column seems to hold: a key, "text", "label", or None."""
    words = words_of(name)
    kinds = [_KINDS_OF_WORDS.get(word) for word in words]
    if words == ["name"]:
        return "speaker"
    if words in (["order"], ["line"], ["index"], ["step"]):
        return "turn"
    if _PARTS.intersection(words) and _COUNTS.intersection(words):
        return "turn"
    for kind in ("label", "speaker", "turn", "timestamp", "dialogue"):
        if kind in kinds and _fits(kind, words):
            return kind
    return "text" if "text" in kinds else None


def _fits(kind: str, words: list[str]) -> bool:
    if kind == "dialogue":
        return _DIALOGUES | _ID_WORDS >= {*words}
    return kind != "timestamp" or not _NO_MOMENT.intersection(words)


def looks_like_id(name: Any) -> bool:
    """Tell whether a column is named like an id, or as pandas calls an index."""
    if not isinstance(name, str):
        return False
    words = words_of(name.rpartition("__")[2])
    if not words:
        return False
    alone = len(words) == 1 and words[0] in _DIALOGUES | {"speaker"}
    of_pandas = _OF_PANDAS.fullmatch(name.rpartition("__")[2])
    return alone or bool(of_pandas) or words[-1] in _IDS
