"""CMU-MOSEI from the files that the community shares."""

from collections.abc import Sequence
from typing import Any, Literal

from skmerc._utils.compat import StrOptions
from skmerc._utils.types import FilePath
from skmerc.datasets.corpora._loading import loader
from skmerc.datasets.corpora._sentiment import LABEL_LIST, load_clips, read_clips

_LAYOUTS = [
    LABEL_LIST,
    "ids _ labels text audio visual sentences train test",
    "ids _ labels text audio visual sentences train dev test",
]


@loader(
    label=[StrOptions({"score", "polarity", "seven", "emotions"})], clamp=["boolean"]
)
def load_mosei(
    path: FilePath,
    *,
    modalities: str | Sequence[str] | None = None,
    label: Literal["score", "polarity", "seven", "emotions"] = "score",
    split: str | Sequence[str] | None = None,
    members: Sequence[str] | None = None,
    clamp: bool = False,
    return_X_y: bool = False,
) -> Any:
    """Read CMU-MOSEI, sentiment and emotions in monologues, from a file.

    Parameters
    ----------
    path : str or Path
        A file or folder, see Notes.
    %(choices)s
    label : {"score", "polarity", "seven", "emotions"}, default="score"
        What `target` is: the score from -3 to 3; its sign, where 0 counts as
        positive; the score rounded to a whole number, as text; or which of six
        emotions are there, a column each.
    %(parts)s
    %(members)s
    %(clamp)s
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
    UserWarning
        If frames with NaN or infinity were left out, with their number.

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

    %(clips)s

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
    clips = read_clips(path, _LAYOUTS, members)
    return load_clips("mosei", clips, path, label, modalities, split, clamp, return_X_y)
