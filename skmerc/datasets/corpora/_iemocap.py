"""IEMOCAP: ten actors in dialogues of two."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, Literal

import numpy as np

from skmerc._utils.compat import Options
from skmerc._utils.types import FilePath
from skmerc.datasets._corpus import PARTS
from skmerc.datasets.corpora._iemocap_features import read_features
from skmerc.datasets.corpora._iemocap_release import EMOTIONS, gender_of, read_release
from skmerc.datasets.corpora._loading import as_bunch, loader
from skmerc.datasets.formats._feature_folders import read_feature_folders
from skmerc.datasets.formats._members import SPEAKERS_FILE

_COPY = """
This copy
~~~~~~~~~

Read from {path}: {n_utterances} utterances in {n_dialogues} dialogues ({parts});
{emotions}.
"""


@loader(
    features=[dict, None],
    label=[str],
    n_classes=[Options(Integral, set(EMOTIONS)), None],
    keep_unlabelled=["boolean"],
)
def load_iemocap(
    path: FilePath,
    *,
    features: Mapping[str, FilePath] | None = None,
    modalities: str | Sequence[str] | None = None,
    label: Literal["emotion"] = "emotion",
    n_classes: Literal[4, 6] | None = None,
    split: str | Sequence[str] | None = None,
    members: Sequence[str] | None = None,
    keep_unlabelled: bool = False,
    return_X_y: bool = False,
) -> Any:
    """Read IEMOCAP from a feature file of the community or from its release.

    Parameters
    ----------
    path : str or Path
        One of

        - a pickle of DialogueRNN, DialogueGCN, MMGCN, MM-DFN, COGMEN, JOYFUL or
          CORECT (9 members), COSMIC or M3NET (10, or 6 without features), SDT or
          GraphSmile (12), or GCNet (6, without features);
        - ``data_iemocap.pkl`` or ``data_iemocap_4.pkl`` as written by JOYFUL, COGMEN
          or CORECT;
        - MultiEMO's folder with ``Speakers.pkl`` and three files of features;
        - ``IEMOCAP_full_release``, the folder of the corpus with ``Session1`` to
          ``Session5``, of which ``dialog/EmoEvaluation`` and
          ``dialog/transcriptions`` are read.

        Pickles are read without running what stands in them.
    features : dict of str to path, default=None
        More modalities, each from a folder with ``<utterance id>.npy`` for every
        utterance: a vector, or a sequence of which the mean is taken. In place of
        such a file there may be a folder ``<utterance id>`` of faces, with "F" or "M"
        in their names; those of the speaker count, and without any the modality is
        missing. Needs utterance ids, which COSMIC's files lack.
    %(choices)s
    label : {"emotion"}, default="emotion"
        The kind of label.
    n_classes : {4, 6}, default=None
        The classes 0 to 3 are hap (with exc), sad, neu and ang; exc and fru follow
        where there are six. By default a pickle has six if one of these two occurs,
        and the release six.
    %(parts)s
    %(members)s
    keep_unlabelled : bool, default=False
        Whether to keep the utterances of the release with no label of these classes,
        and those of a pickle with the label -1, None or "xxx" (which is refused
        otherwise). Their role is ``"context"``: the utterances around them read
        their features, and their label (that of the first labelled utterance) is
        ignored.
    %(return_X_y)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s

    Warns
    -----
    %(warns)s

    See Also
    --------
    load_table : Conversations from parquet, CSV and NumPy files.

    Notes
    -----
    Speakers are the ten persons, such as "Ses01_F". The release has 7380 utterances of
    six classes, the files of the community 7433; ``DESCR`` says what is known of the
    difference. To make features of sound, take the paths along as a column of X:
    ``corpus.data.assign(wav=corpus.metadata["wav"])``.

    The member of a pickle that holds ids of utterances is called ``ids``.

    `metadata` has the utterance, and ``utterance_id`` where known. From the release it
    also has ``emotion`` (as released), ``start`` and ``end`` (seconds), ``valence``,
    ``activation`` and ``dominance`` (means of ratings from 1 to 5), ``wav`` and
    ``video`` (paths, None where there is no file).

    Examples
    --------
    >>> import pickle, tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skmerc.datasets import load_iemocap
    >>> name = "Ses01F_impro01"
    >>> text, audio, visual = ({name: list(np.eye(2, width))} for width in (3, 2, 4))
    >>> content = (
    ...     {name: [f"{name}_F000", f"{name}_M000"]},
    ...     {name: ["F", "M"]},
    ...     {name: [2, 5]},
    ...     *(text, audio, visual),
    ...     {name: ["Excuse me.", "Do you have your forms?"]},
    ...     *([name], []),
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "IEMOCAP_features.pkl"
    ...     _ = path.write_bytes(pickle.dumps(content))
    ...     corpus = load_iemocap(path, modalities=["text", "audio"])
    >>> corpus.data["dialogue__speaker"].tolist(), corpus.target.tolist()
    (['Ses01_F', 'Ses01_M'], ['neu', 'fru'])
    >>> corpus.feature_names
    ['text__0', 'text__1', 'text__2', 'audio__0', 'audio__1']
    """
    if _is_release(path):
        _refuse(members, path)
        corpus = read_release(path, n_classes or 6, keep_unlabelled)
    else:
        corpus = read_features(path, members, n_classes, keep_unlabelled)
    if features is not None:
        corpus = _add_features(corpus, path, features)
    copy = _describe_copy(corpus, path)
    return as_bunch("iemocap", corpus, path, label, modalities, split, return_X_y, copy)


def _is_release(path):
    if not path.is_dir() or (path / SPEAKERS_FILE).is_file():
        return False
    if not any(path.glob("Session[1-5]")):
        raise FileNotFoundError(
            f"{path} has neither the folders Session1 to Session5 of the release nor "
            f"MultiEMO's file {SPEAKERS_FILE}."
        )
    return True


def _refuse(members, path):
    if members:
        raise ValueError(
            f"members={members!r} does not apply to {path}: members are those of a "
            "pickle, and this is the release."
        )


def _add_features(corpus, path, folders):
    if "utterance_id" not in corpus.metadata:
        raise ValueError(f"{path} has no utterance ids, by which features are found.")
    twice = sorted(folders.keys() & corpus.blocks.keys())
    if twice:
        raise ValueError(f"features: {path} itself has {twice[0]!r}; take a new name.")
    ids = corpus.metadata["utterance_id"].tolist()
    blocks = read_feature_folders(folders, ids, [gender_of(name) for name in ids])
    return replace(corpus, blocks=corpus.blocks | blocks)


def _describe_copy(corpus, path):
    scored = corpus.role == "utterance"
    emotions = corpus.labels["emotion"][scored]
    counts = {name: np.sum(emotions == name) for name in corpus.class_names["emotion"]}
    counts |= {} if scored.all() else {"context": np.sum(~scored)}
    parts = {name: np.sum(corpus.split == name) for name in PARTS}
    return _COPY.format(
        path=path,
        n_utterances=len(scored),
        n_dialogues=len(set(corpus.dialogue)),
        parts=", ".join(f"{name} {count}" for name, count in parts.items()),
        emotions=", ".join(f"{name} {count}" for name, count in counts.items()),
    )
