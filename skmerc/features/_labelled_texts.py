"""Which texts are learned from, what they teach, and how they are dealt to folds."""

import numpy as np
from sklearn.model_selection import GroupKFold
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from skmerc.frame._columns import source_ids
from skmerc.frame._labels import read_labels

IN_NO_FOLD = -1


def read_classes(y, texts, role):
    """Read what there is to learn.

    Parameters
    ----------
    y : array-like of shape (n_texts,)
        The emotion of each text.
    texts : list of str or None
        The texts, None where one is missing.
    role : Series of str of shape (n_texts,)
        The role of each row.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        The labels.
    label : ndarray of int of shape (n_texts,)
        Number of the class of each row that is learned from, -1 in others.

    Raises
    ------
    ValueError
        If a label is missing, labels are no classes, or fewer than two are left.
    """
    if y is None:
        raise ValueError(
            "requires y to be passed, but the target y is None: there is nothing "
            "to fine-tune to. TextEmbedder needs no labels."
        )
    check_consistent_length(texts, y)
    y = read_labels(y, (role == "context").to_numpy())
    if y.ndim > 1 and y.shape[1] > 1:
        raise ValueError(
            f"y has the shape {y.shape}; FineTunedTextEmbedder takes one emotion "
            "for each text. Give it the most telling one, or use TextEmbedder."
        )
    has_text = np.array([text is not None for text in texts], bool)
    learned = has_text & (role == "utterance").to_numpy()
    known = y.ravel()[learned]
    if len(known):
        check_classification_targets(known)
    label = np.full(len(texts), -1)
    classes, label[learned] = np.unique(known, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{len(known)} rows can be learned from, those of the role 'utterance' "
            f"with a text, and they have {len(classes)} classes; two are needed."
        )
    return classes, label


def deal_dialogues(dialogue, label, n_folds, seed):
    """Deal the dialogues that are learned from to folds, at random.

    Parameters
    ----------
    dialogue : Series of str of shape (n_texts,)
        The dialogue of each row; a synthetic one goes with its source.
    label : ndarray of int of shape (n_texts,)
        Number of the class of each row that is learned from, -1 in others.
    n_folds : int or None
        Number of folds; with None there are none.
    seed : int
        What draws them.

    Returns
    -------
    ndarray of int of shape (n_texts,)
        The fold of each row, also of those rows of a dialogue that are not learned
        from; -1 in dialogues without any that is.

    Raises
    ------
    ValueError
        If there are fewer dialogues than folds, or one class outside a fold.
    """
    if n_folds is None:
        return np.full(len(label), IN_NO_FOLD)
    source = source_ids(dialogue)
    groups = source[label >= 0]
    if groups.nunique() < n_folds:
        raise ValueError(
            f"There are {groups.nunique()} dialogues to learn from, fewer than "
            f"cv={n_folds}. Lower cv, or set cv=None to train one model on all."
        )
    folds, fold = GroupKFold(n_folds, shuffle=True, random_state=seed), {}
    for number, (kept, held_out) in enumerate(folds.split(groups, groups=groups)):
        if len(np.unique(label[label >= 0][kept])) < 2:
            raise ValueError(
                f"Without {groups.iloc[held_out].nunique()} of {groups.nunique()} "
                "dialogues one class is left to learn: the others are in these alone. "
                "Give more dialogues, another random_state, or cv=None."
            )
        fold |= dict.fromkeys(groups.iloc[held_out], number)
    return source.map(fold).fillna(IN_NO_FOLD).to_numpy(int)
