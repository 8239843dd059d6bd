"""IEMOCAP: ten actors in dialogues of two."""

from dataclasses import replace
from numbers import Integral
from pathlib import Path

import numpy as np

from skmerc._utils.compat import Options, validate_params
from skmerc.datasets._corpus import PARTS, as_bunch
from skmerc.datasets.corpora._iemocap_features import read_features
from skmerc.datasets.corpora._iemocap_release import EMOTIONS, gender_of, read_release
from skmerc.datasets.formats._border import reader
from skmerc.datasets.formats._feature_folders import read_feature_folders
from skmerc.datasets.formats._members import SPEAKERS_FILE

LICENCE = (
    "IEMOCAP is released by USC SAIL against a signed form, for research only, and may "
    "not be passed on (https://sail.usc.edu/iemocap). Files of features made from it "
    "are bound by these terms; most carry no licence of their own."
)
DESCRIPTION = """\
IEMOCAP, the interactive emotional dyadic motion capture database
(C. Busso and others, Language Resources and Evaluation 42, 2008, 335-359)

Five sessions, in each of which an actress and an actor play scripts and improvise.

Read from {path}:
{n_utterances} utterances in {n_dialogues} dialogues ({parts});
{emotions}.

Labels
    An utterance has the emotion on which the majority of its evaluators agreed. The
    release has 10039 utterances in 151 dialogues: 1849 fru, 1708 neu, 1103 ang, 1084
    sad, 1041 exc, 595 hap, 107 sur, 40 fea, 3 oth, 2 dis, and 2507 xxx, on which there
    was no majority.
    Four classes, where hap stands for hap and exc, are 5531 utterances in the release
    and in the files of the community.
    Six classes are 7380 utterances in the release, and 7433 in the files of the
    community: these call 53 more utterances hap, 52 of sessions 1 to 3 and one of
    session 5, all improvised, which the release calls xxx. By which rule they were
    chosen was not published, so reading the release leaves them out. The 5531
    utterances of the four classes do not include them either.

Split
    Session 5 is the test part (31 dialogues, 1623 utterances of six classes in the
    files of the community, 1241 of four). Only some files set a part "dev" aside from
    the others: COSMIC's names 12 dialogues; JOYFUL, COGMEN and CORECT take the first
    tenth of the training dialogues in the order of their own file, so that "dev" can
    be other dialogues in another file. Elsewhere there is none, and none is made up.
    To stop early and to select on dialogues held out of the training part, load
    split="train", or ["train", "dev"], and mark them with
    skmerc.frame.mark_validation(X, fraction=0.1, random_state=0), or by their ids.

Caveats
    A turn is the place among the utterances that are read. Those without a label are
    left out, but for the release with keep_unlabelled=True.
    Features of some files come from networks fitted on the training part of this
    split, and are too good for any other split.
    text to text4 of COSMIC, SDT and GraphSmile are four layers of one network.
    In the release a video shows both persons, for a whole dialogue.
"""


@validate_params(
    {
        "path": [str, Path],
        "features": [dict, None],
        "modalities": [str, "array-like", None],
        "label": [str],
        "n_classes": [Options(Integral, set(EMOTIONS)), None],
        "split": [str, "array-like", None],
        "members": ["array-like", None],
        "keep_unlabelled": ["boolean"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
@reader
def load_iemocap(
    path,
    *,
    features=None,
    modalities=None,
    label="emotion",
    n_classes=None,
    split=None,
    members=None,
    keep_unlabelled=False,
    return_X_y=False,
):
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
    modalities : str or list of str, default=None
        The modalities to return, in the order wanted; by default all.
    label : {"emotion"}, default="emotion"
        The kind of label.
    n_classes : {4, 6}, default=None
        The classes 0 to 3 are hap (with exc), sad, neu and ang; exc and fru follow
        where there are six. By default a pickle has six if one of these two occurs,
        and the release six.
    split : str or list of str, default=None
        The parts to return: "train", "dev" or "test"; by default all. Nothing is
        marked as validation; see :func:`skmerc.frame.mark_validation`.
    members : list of str, default=None
        What the members of a pickle are, if it is none of the above: ``labels``,
        ``speakers``, ``sentences``, perhaps ``ids``, names of modalities, ``train``,
        ``dev`` and ``test`` for lists of dialogues, and ``_`` for what to ignore.
    keep_unlabelled : bool, default=False
        Whether to keep the utterances of the release with no label of these classes,
        and those of a pickle with the label -1, None or "xxx" (which is refused
        otherwise). Their role is ``"context"``: the utterances around them read
        their features, and their label (that of the first labelled utterance) is
        ignored.
    return_X_y : bool, default=False
        Whether to return X and y alone.

    Returns
    -------
    corpus : :class:`~sklearn.utils.Bunch`
        With the attributes

        - ``data``: DataFrame of shape (n_utterances, 4 + n_features), the keyed
          table, see :func:`skmerc.frame.make_frame`. Without features it has one
          column behind the keys, ``utterance``: what was said.
        - ``target``: ndarray of shape (n_utterances,), "hap", "sad" and so on.
        - ``feature_names``, ``target_names``: list of str.
        - ``split``: ndarray of shape (n_utterances,), the official part, or "".
        - ``metadata``: DataFrame of shape (n_utterances, n_columns) with
          ``utterance``, and ``utterance_id`` where known. From the release also
          ``emotion`` (as released), ``start`` and ``end`` (seconds), ``valence``,
          ``activation`` and ``dominance`` (means of ratings from 1 to 5), ``wav`` and
          ``video`` (paths, None where there is no file).
        - ``DESCR``, ``licence``: str.
    (X, y) : tuple
        ``data`` and ``target``, with ``return_X_y=True``.

    Raises
    ------
    FileNotFoundError
        If a file or folder is not there.
    ValueError
        If the file is of another kind or damaged, its members disagree, or it has no
        such modality, label or part.

    Warns
    -----
    TextEncodingWarning
        If texts were bytes, or held control characters that Windows-1252 has quotation
        marks and dashes for, with their number: they were decoded and mended.

    See Also
    --------
    load_table : Conversations from parquet, CSV and NumPy files.

    Notes
    -----
    Speakers are the ten persons, such as "Ses01_F". The release has 7380 utterances of
    six classes, the files of the community 7433; ``DESCR`` says what is known of the
    difference. To make features of sound, take the paths along as a column of X:
    ``corpus.data.assign(wav=corpus.metadata["wav"])``.

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
    path = Path(path)
    if _is_release(path):
        _refuse(members, path)
        corpus = read_release(path, n_classes or 6, keep_unlabelled)
    else:
        corpus = read_features(path, members, n_classes, keep_unlabelled)
    if features is not None:
        corpus = _add_features(corpus, path, features)
    return as_bunch(
        corpus,
        path,
        label=label,
        modalities=modalities,
        split=split,
        return_X_y=return_X_y,
        description=_describe(corpus, path),
        licence=LICENCE,
    )


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


def _describe(corpus, path):
    scored = corpus.role == "utterance"
    emotions = corpus.labels["emotion"][scored]
    counts = {name: np.sum(emotions == name) for name in corpus.class_names["emotion"]}
    counts |= {} if scored.all() else {"context": np.sum(~scored)}
    parts = {name: np.sum(corpus.split == name) for name in PARTS}
    return DESCRIPTION.format(
        path=path,
        n_utterances=len(scored),
        n_dialogues=len(set(corpus.dialogue)),
        parts=", ".join(f"{name} {count}" for name, count in parts.items()),
        emotions=", ".join(f"{name} {count}" for name, count in counts.items()),
    )
