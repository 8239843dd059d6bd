"""Community feature files: lists of members, each a dict from dialogue to rows."""

from functools import partial

import numpy as np
import pandas as pd

from skmerc.datasets._corpus import PARTS, TEXT
from skmerc.datasets.formats._budget import Budget
from skmerc.datasets.formats.pickles._unpickle import read_pickle
from skmerc.frame._texts import decode, decode_latin, is_missing, name_of

IGNORED = "_"
# MultiEMO keeps features in files of their own.
SPEAKERS_FILE = "Speakers.pkl"
_FEATURE_FILES = {
    "text": "TextFeatures.pkl",
    "audio": "AudioFeatures.pkl",
    "visual": "VisualFeatures.pkl",
}
_ABOUT = {"ids", "speakers", "labels", "sentiments", "acts", *PARTS}


def read_members(path, layouts, members):
    """Read a pickle and name its members, by the first of the layouts that fits.

    A layout is text: names of members with spaces between, ``_`` to ignore one. Those
    called train, dev and test hold dialogues, the others a dict from dialogue to its
    utterances. `members` gives the order in this file, if it is none of the known ones.
    """
    return name_members(path, read_content(path), layouts, members)


def read_content(path):
    """Read a pickle whose dicts may have bytes for names, as from Python 2."""
    return _with_text_keys(path, read_pickle(path))


def _with_text_keys(path, content, depth=2):
    """Decode the names in dicts: members, dialogues, parts, and fields of records."""
    go_on = partial(_with_text_keys, path, depth=depth - 1)
    if depth < 0 or not isinstance(content, dict | list | tuple):
        return content
    if not isinstance(content, dict):
        return type(content)(map(go_on, content)) if depth else content
    named = {}
    for key, value in content.items():
        name = decode(key) if isinstance(key, bytes) else key
        if name in named:
            raise ValueError(f"{path} has {name!r} twice: as text and as bytes.")
        named[name] = go_on(value)
    return named


def name_members(path, content, layouts, members):
    """Name the members of a file that is read already, see `read_members`."""
    if not isinstance(content, list | tuple):
        raise ValueError(
            f"{path} holds a {type(content).__name__}, not a list of members such as "
            f"{layouts[0].split()}."
        )
    known = [layout.split() for layout in layouts]
    if members is None:
        fitting = [names for names in known if _fits(names, content)]
        if not fitting:
            raise ValueError(_unknown(path, content, known))
        members = fitting[0]
    else:
        check_names(members)
        if not _fits(members, content):
            raise ValueError(_unknown(path, content, [list(members)]))
    named = zip(members, content, strict=True)
    return {name: value for name, value in named if name != IGNORED}


def check_names(members, known=None):
    """Demand that the names given to members are different, and known ones."""
    names = [name for name in members if name != IGNORED]
    strange = set(names) - set(names if known is None else known)
    if strange or len(set(names)) < len(names):
        among = "" if known is None else f" among {', '.join(known)}"
        raise ValueError(
            f"members={list(members)!r}: give different names{among}, and "
            f"{IGNORED!r} for what is to be ignored."
        )


def read_folder(folder, layout, members):
    """Read MultiEMO's folder: a file of members, and one for each modality."""
    named = read_members(folder / SPEAKERS_FILE, [layout], members)
    for modality, file in _FEATURE_FILES.items():
        named[modality] = read_content(folder / file)
        if not isinstance(named[modality], dict):
            raise ValueError(
                f"{folder / file} holds a {type(named[modality]).__name__}, not a dict "
                "from dialogue to features."
            )
    return named


def _fits(names, content):
    pairs = zip(names, content, strict=False)
    return len(names) == len(content) and all(_suits(*pair) for pair in pairs)


def _suits(name, member):
    """Whether a member can have a name: parts list dialogues, others are dicts."""
    if name in PARTS:
        return np.iterable(member) and not isinstance(member, dict | str | bytes)
    return name == IGNORED or isinstance(member, dict)


def _unknown(path, content, known):
    found = ", ".join(
        f"{number} {type(member).__name__}" for number, member in enumerate(content)
    )
    orders = "; ".join(", ".join(names) for names in known)
    return (
        f"{path} has {len(content)} members ({found}), which is no order known here "
        f"({orders}). Say what they are with members=[...], '_' for those to ignore; "
        "train, dev and test list dialogues, all others are dicts from dialogue to "
        "utterances."
    )


def check_lengths(path, members):
    """Demand that all dicts have the same dialogues, each of the same length."""
    if "labels" not in members:
        raise ValueError(f"{path}: no member is 'labels', only {', '.join(members)}.")
    rows_of = members["labels"].items()
    lengths = {key: _length(path, "labels", key, rows) for key, rows in rows_of}
    if not lengths:
        raise ValueError(f"{path} holds no dialogue.")
    for name, member in members.items():
        if not isinstance(member, dict):
            continue
        odd = set(member) ^ set(lengths)
        if odd:
            key = min(odd, key=str)
            has, lacks = (name, "labels") if key in member else ("labels", name)
            raise ValueError(
                f"{path}: {has!r} has the dialogue {key!r}, which {lacks!r} lacks."
            )
        for key, length in lengths.items():
            found = _length(path, name, key, member[key])
            if found != length:
                raise ValueError(
                    f"{path}: in dialogue {key!r}, {name!r} has {found} utterances and "
                    f"'labels' {length}."
                )


def _length(path, name, key, rows):
    if isinstance(rows, str | bytes) or not np.iterable(rows):
        raise ValueError(
            f"{path}: {name!r} has {rows!r} for the dialogue {key!r}; give a list, one "
            "item per utterance."
        )
    return len(rows)


def in_order(members, name):
    """Put the utterances of a member behind each other, in the order of labels."""
    return [row for key in members["labels"] for row in members[name][key]]


def stack_features(path, members, name):
    """Features of a member: array (n_utterances, n_features).

    An utterance may hold a sequence of vectors, of which the mean is taken; where the
    sequence is empty, or None stands in its place, the modality is missing.
    """
    rows = [
        _as_vector(path, members, name, at, row)
        for at, row in enumerate(in_order(members, name))
    ]
    there = {at: row for at, row in enumerate(rows) if row is not None}
    if not there:
        raise ValueError(f"{path}: {name!r} has no features in any utterance.")
    shapes = {at: row.shape for at, row in there.items()}
    first = next(iter(shapes.values()))
    odd = [at for at, shape in shapes.items() if shape != first or len(shape) != 1]
    if odd:
        key, place = _locate(members, odd[0])
        raise ValueError(
            f"{path}: {name!r} has features of shape {shapes[odd[0]]} in utterance "
            f"{place} of dialogue {key!r}, and of shape {first} before."
        )
    # What is not there takes no bytes of the file, and as much memory as what is.
    n_absent = (len(rows) - len(there)) * first[0]
    Budget(path.stat().st_size).claim(n_absent, f"{name!r} of utterances without it")
    kinds = {row.dtype for row in there.values()}
    stacked = np.full((len(rows), *first), np.nan, np.result_type(*kinds))
    stacked[[*there]] = np.stack([*there.values()])
    return stacked


def _as_vector(path, members, name, at, row):
    """Read the features of an utterance; None where it has none."""
    if is_missing(row):
        return None
    try:
        values = floats_of(row)
    except (ValueError, TypeError) as error:
        key, place = _locate(members, at)
        raise ValueError(
            f"{path}: {name!r} has no numbers in utterance {place} of dialogue "
            f"{key!r} ({error})."
        ) from error
    if not values.size:
        return None
    return values.mean(axis=0) if values.ndim == 2 else values


def floats_of(values):
    """Make an array of single precision, or of double where numbers may need it."""
    values = np.asarray(values)
    is_number = values.dtype.kind in "fiub"
    kind = np.result_type(np.float32, values.dtype) if is_number else float
    return values.astype(kind, copy=False)


def _locate(members, at):
    for key, rows in members["labels"].items():
        if at < len(rows):
            return key, at
        at -= len(rows)


def part_of(path, members):
    """Find the part that each dialogue belongs to: dict of dialogue to part."""
    parts = {}
    for part in PARTS:
        for key in map(decode, members.get(part, ())):
            if key not in members["labels"] or key in parts:
                why = f"also in {parts[key]!r}" if key in parts else "not in 'labels'"
                raise ValueError(
                    f"{path}: {part!r} lists the dialogue {key!r}, which is {why}."
                )
            parts[key] = part
    return parts


def codes_of(path, members, name):
    """Codes of classes of a member, one for each utterance: (n_utterances,)."""
    codes = list(map(decode, in_order(members, name)))
    for at, code in enumerate(codes):
        if np.iterable(code) and not isinstance(code, str):
            key, place = _locate(members, at)
            raise ValueError(
                f"{path}: {name!r} has a {type(code).__name__} in utterance {place} of "
                f"dialogue {key!r}; known is one number, the code of its class. If "
                "that is another member, see the parameter members."
            )
    return as_array(codes)


def named_labels(path, name, codes, class_names):
    """Turn numbers of classes into their names."""
    wrong = np.flatnonzero(~np.isin(codes, np.arange(len(class_names))))
    if len(wrong):
        raise ValueError(
            f"{path}: {name!r} has {codes.tolist()[wrong[0]]!r} in utterance "
            f"{wrong[0]}; known are 0 to {len(class_names) - 1} "
            f"({', '.join(class_names)})."
        )
    return np.asarray(class_names, dtype=object)[codes.astype(int)]


def as_array(value):
    """Make an array of numbers in lists; texts stay objects, each of its own width."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, list | tuple) and all(map(_is_numbers, value)):
        return np.asarray(value)
    objects = np.asarray(value, dtype=object)
    if any(isinstance(part, str | bytes) for part in objects.flat):
        return objects
    return np.asarray(value)


def _is_numbers(value):
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiub"


def speaker_name(speaker):
    """Name a speaker given as text, a number, or a one-hot list (empty: all zero)."""
    speaker = decode(speaker)
    if isinstance(speaker, str) or is_missing(speaker):
        return speaker if isinstance(speaker, str) else ""
    speaker = as_array(speaker)
    if speaker.ndim:
        return f"speaker{int(np.argmax(speaker))}" if np.any(speaker) else ""
    return f"speaker{int(speaker)}"


def read_transcripts(path, layouts, members):
    """Read a pickle of a whole corpus: its members by name, and its utterances."""
    named = read_members(path, layouts, members)
    check_members(path, named)
    return named, as_frame(named, _places_of(path, named))


def check_members(path, members):
    """Demand what every reader needs, and that all members have the same lengths."""
    lacking = [name for name in ("speakers", "labels") if name not in members]
    if not members.keys() - _ABOUT:
        lacking.append("sentences")
    if lacking:
        raise ValueError(
            f"{path}: no member is called {lacking[0]!r}; see the parameter members."
        )
    check_lengths(path, members)
    for key, sentences in members.get("sentences", {}).items():
        if not all(map(_is_text, sentences)):
            raise ValueError(
                f"{path}: 'sentences' holds something else than text in dialogue "
                f"{key!r}; see the parameter members."
            )


def _is_text(sentence):
    return is_missing(sentence) or isinstance(decode(sentence), str)


def _places_of(path, members):
    """Tell the part of each dialogue, and an id: the part and the file's own name."""
    parts = part_of(path, members)
    return {
        key: (parts[key], f"{parts[key]}_{name_of(key)}")
        if key in parts
        else ("", name_of(key))
        for key in members["labels"]
    }


def as_frame(members, places):
    """Put utterances into a frame; places has the part and the id of each dialogue."""
    lengths = [len(rows) for rows in members["labels"].values()]
    parts, ids = zip(*(places[key] for key in members["labels"]), strict=True)
    keys = {
        # As objects, or each would take as much as the longest of all.
        "dialogue": np.repeat(np.array(ids, dtype=object), lengths),
        "turn": np.concatenate([np.arange(length) for length in lengths]),
        "speaker": [speaker_name(name) for name in in_order(members, "speakers")],
        "split": np.repeat(parts, lengths),
    }
    if "sentences" in members:
        keys[TEXT] = list(map(decode_latin, in_order(members, "sentences")))
    return pd.DataFrame(keys)


def features_of(path, members):
    """Stack the features of all members that hold some: dict of modality to array."""
    modalities = [name for name in members if name not in {*_ABOUT, "sentences"}]
    return {name: stack_features(path, members, name) for name in modalities}


def name_codes(path, members, name, sizes, class_names):
    """Name the codes of a member, whose order differs between files.

    `sizes` tells the classes apart by their utterances in the whole corpus; other
    files need `class_names`, the classes in the order of their codes.
    """
    codes = codes_of(path, members, name)
    if class_names is None:
        counts = [int((codes == code).sum()) for code in range(len(sizes))]
        class_of = {size: name for name, size in sizes.items()}
        class_names = [class_of.get(count) for count in counts]
        if None in class_names:
            raise ValueError(
                f"{path}: {name!r} has the codes 0 to {len(sizes) - 1} "
                f"{', '.join(map(str, counts))} times, which is not the whole corpus, "
                "so nothing tells which class is which. Name them in the order of "
                f"their codes: class_names=[...] of {', '.join(sizes)}."
            )
    elif sorted(class_names) != sorted(sizes):
        raise ValueError(
            f"class_names={list(class_names)!r}: give {', '.join(sizes)}, in the order "
            "of the codes of the file."
        )
    return named_labels(path, name, codes, list(class_names)).astype(str)
