"""CMU-MOSEI from the files that the community shares."""

from pathlib import Path

from skmerc._utils.compat import StrOptions, validate_params
from skmerc.datasets.corpora._sentiment import LABEL_LIST, load_clips, read_clips
from skmerc.datasets.formats._border import reader

_LAYOUTS = [
    LABEL_LIST,
    "ids _ labels text audio visual sentences train test",
    "ids _ labels text audio visual sentences train dev test",
]

_DESCRIPTION = """\
CMU-MOSEI: sentiment and emotion in 22 860 utterances of 3228 videos
=====================================================================

Each video from YouTube is one person who gives an opinion; its utterances are the turns
of a dialogue with one speaker. Annotators scored the sentiment from -3 to 3 and the
strength of six emotions from 0 to 3.

The official split has about 16 327, 1871 and 4662 utterances; copies differ by a few,
by how they were aligned. Fear and surprise are so rare that never to name them gives a
weighted F1 of about 88 and 86 % for them: report macro F1 beside it.

Source: Zadeh, Liang, Poria, Cambria and Morency, "Multimodal Language Analysis in the
Wild: CMU-MOSEI Dataset and Interpretable Dynamic Fusion Graph", ACL 2018.
"""
_LICENCE = (
    "CMU-MOSEI is for research under the terms of Carnegie Mellon University. Most "
    "repositories that share features of it name no licence."
)


@validate_params(
    {
        "path": [str, Path],
        "modalities": [str, "array-like", None],
        "label": [StrOptions({"score", "polarity", "seven", "emotions"})],
        "split": [str, "array-like", None],
        "members": ["array-like", None],
        "clamp": ["boolean"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
@reader
def load_mosei(
    path,
    *,
    modalities=None,
    label="score",
    split=None,
    members=None,
    clamp=False,
    return_X_y=False,
):
    """Read CMU-MOSEI, sentiment and emotions in monologues, from a file.

    Parameters
    ----------
    path : str or Path
        A file or folder, see Notes.
    modalities : str or list of str, default=None
        Those to read of ``"text"``, ``"audio"`` and ``"visual"``; by default all
        that there are.
    label : {"score", "polarity", "seven", "emotions"}, default="score"
        What `target` is: the score from -3 to 3; its sign, where 0 counts as
        positive; the score rounded to a whole number, as text; or which of six
        emotions are there, a column each.
    split : str or list of str, default=None
        The official parts to read: ``"train"``, ``"dev"``, ``"test"``. By
        default all.
    members : list of str, default=None
        What the members of a pickle are, in their order, if it is of no known
        layout: ``"labels"``, ``"ids"``, ``"sentences"``, ``"text"``,
        ``"audio"``, ``"visual"``, ``"train"``, ``"dev"``, ``"test"``, and
        ``"_"`` for those to ignore. For padded arrays ``"train_data"``,
        ``"train_label"``, ``"train_length"`` and so on.
    clamp : bool, default=False
        Whether to take scores above 3 for 3 and below -3 for -3. Early files of MOSEI
        hold a few up to 5, averaged over too few ratings, and its authors clamp them.
        By default such a score is an error.
    return_X_y : bool, default=False
        Whether to return `data` and `target` alone.

    Returns
    -------
    bunch : Bunch
        With the attributes

        data : DataFrame of shape (n_utterances, 4 + n_features)
            Keyed table, see :func:`skmerc.frame.make_frame`. Where the file
            holds no features, its only other column is ``"utterance"``, what
            was said.
        target : ndarray of shape (n_utterances,) or (n_utterances, 6)
            The labels; for ``"emotions"`` a matrix of 0 and 1.
        feature_names : list of str
            Columns of `data` behind the keys.
        target_names : list of str
            The classes in their order, or the emotions; empty for scores.
        split : ndarray of str of shape (n_utterances,)
            The official part of each utterance.
        metadata : DataFrame of shape (n_utterances, n_columns)
            What else the file tells: the utterance, its id, its score.
        DESCR : str
            Description of the corpus and of this copy.
        licence : str
            Terms of use.
    (data, target) : tuple
        With ``return_X_y=True``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or of another kind, its parts contradict each
        other, a score is beyond -3 to 3 (see `clamp`), or it does not hold the
        label, modality or part asked for.

    Warns
    -----
    UserWarning
        If frames with NaN or infinity were left out, or texts decoded, with their
        number.

    See Also
    --------
    load_mosi : The same for CMU-MOSI.

    Notes
    -----
    What is read:

    - the pickles of MMSA (``aligned_50.pkl``, ``unaligned_50.pkl``), and those of
      MulT, MISA and others who keep scores under ``labels``;
    - the padded pickles of bc-LSTM with 13 members (``text_2way.pickle`` and so
      on): one of them, or the folder that holds them. Their labels tell scores,
      or the polarity alone where they are only 0 and 1; codes of more classes
      are refused. Members 2, 3 and 8 are read as the dev part if they have its
      shape;
    - the pickle of GraphSmile with nine members;
    - ``tbje_mosei_*.pkl`` of COGMEN and JOYFUL with ten members. Labels of one
      number are scores, of six emotions, of seven a score and emotions;
    - the list of labels of GCNet (``CMUMOSEI_features_raw_2way.pkl``), without
      features.

    The ``.csd`` files of CMU-MultimodalSDK are not read.

    A video is a dialogue of one speaker, and the number of an utterance in its
    video is the turn; where the file has no numbers, its place is.

    Sequences of frames are averaged: in MMSA's pickles over the length that the
    file gives, or over the frames that are not all zero. Frames with infinity
    or NaN do not count. An utterance without a frame left lacks the modality:
    its features are NaN.

    A score of 0 counts as positive, as in COGMEN and in the two-class accuracy
    of MMSA that keeps zeros; the other convention drops these utterances:
    ``bunch.metadata["score"] != 0``. The seven classes are rounded scores,
    halves to the even number, as in MMSA; COGMEN and GraphSmile round away from
    0 instead. An emotion is there if its strength is above 0. The order of the
    columns is that of the files: happy, sad, angry, surprise, disgust, fear.

    Pickles are read with an allow-list and never run code.

    Examples
    --------
    >>> import pickle, tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skmerc.datasets import load_mosei
    >>> part = {
    ...     "id": ["v1$_$0", "v1$_$1"],
    ...     "raw_text": ["i would not go", "it is fine"],
    ...     "audio": np.array([[[1.0], [3.0], [0.0]], [[5.0], [0.0], [0.0]]]),
    ...     "audio_lengths": [2, 1],
    ...     "regression_labels": np.array([-1.6667, 0.3333]),
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "unaligned_50.pkl"
    ...     _ = path.write_bytes(pickle.dumps({"train": part}))
    ...     mosei = load_mosei(path, label="seven")
    >>> mosei.data["audio__0"].tolist(), mosei.target.tolist()
    ([2.0, 5.0], ['-2', '0'])
    """
    path = Path(path)
    return load_clips(
        path,
        read_clips(path, _LAYOUTS, members),
        label=label,
        modalities=modalities,
        split=split,
        clamp=clamp,
        return_X_y=return_X_y,
        description=_DESCRIPTION,
        licence=_LICENCE,
    )
