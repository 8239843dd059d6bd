"""What the logits of a network say: classes, sets of labels, values."""

import numpy as np
from scipy.special import expit, softmax


class ReadClasses:
    """One class for each row.

    Parameters
    ----------
    labels : ndarray of shape (n_classes,), default=None
        What the classes are called; by default numbers.
    """

    def __init__(self, labels=None):
        self.labels = labels

    def classes(self, logits):
        """Return the classes."""
        return np.arange(logits.shape[1]) if self.labels is None else self.labels

    def predict(self, logits):
        """Return the most probable class of each row."""
        return self.classes(logits)[logits.argmax(axis=1)]

    def predict_proba(self, logits):
        """Return the probabilities of all classes."""
        return softmax(logits.astype(float), axis=1)

    def truth(self, target):
        """Return the classes of numbers that the network learns."""
        return target if self.labels is None else self.labels[target]


class ReadLabelSets:
    """Any number of labels for each row, as an indicator matrix."""

    def classes(self, logits):
        """Return the numbers of the labels."""
        return np.arange(logits.shape[1])

    def predict(self, logits):
        """Return which labels are there."""
        return (logits > 0).astype(int)

    def predict_proba(self, logits):
        """Return the probability of each label."""
        return expit(logits.astype(float))

    def truth(self, target):
        """Return the matrix."""
        return target.astype(int)


class ReadValues:
    """One value for each row.

    Parameters
    ----------
    mean, unit : float
        What 0 means, and what 1 adds to it.
    """

    def __init__(self, mean=0.0, unit=1.0):
        self.mean, self.unit = mean, unit

    def predict(self, logits):
        """Return the values."""
        return self.truth(logits[:, 0])

    def truth(self, target):
        """Return values on the scale of the user."""
        return self.mean + self.unit * target.astype(float)
