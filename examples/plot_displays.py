"""
Pictures of a table, a training and its answers
===============================================

:mod:`skmerc.plotting` has displays in scikit-learn's form. ``from_estimator`` asks a
fitted model, ``from_labels`` and ``from_predictions`` take what is there already, and
each takes axes to draw into (``ax=``). Their patterns can be told apart in black and
white, too.
"""

import matplotlib.pyplot as plt
from imblearn.over_sampling import SMOTE

from skmerc import CBERLClassifier, DialogueSampler
from skmerc.datasets import make_conversations
from skmerc.inspection import explain
from skmerc.model_selection import DialogueShuffleSplit
from skmerc.plotting import (
    ClassBalanceDisplay,
    ConversationDisplay,
    DialogueConfusionMatrixDisplay,
    EmotionTransitionDisplay,
    ExplanationDisplay,
    LossDisplay,
    ModalityDisplay,
    ReliabilityDisplay,
    SampleQualityDisplay,
)

# %%
# The table
# ---------
#
# How often each emotion occurs, before and after a sampler, and which one follows which
# where the same person goes on.

X, y = make_conversations(60, imbalance=4, information=1.2, random_state=0)
sampler = DialogueSampler(SMOTE(random_state=0))
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
ClassBalanceDisplay.from_estimator(sampler, X, y, ax=left)
EmotionTransitionDisplay.from_labels(X, y, speaker="same", ax=right)

# %%
# The training
# ------------
#
# Losses stand on the left axis, and the score of the validation dialogues on the right
# one.

split = DialogueShuffleSplit(1, test_size=0.25, random_state=0)
train, test = next(split.split(X))
X_test, y_test = X.iloc[test], y[test]
model = CBERLClassifier(
    hidden_size=32, max_epochs=15, validation_fraction=0.2, random_state=0
)
model.fit(X.iloc[train], y[train])
LossDisplay.from_estimator(model)

# %%
# The answers
# -----------
#
# Which emotion is taken for which, and whether the probabilities are as sure as they
# may be.

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
DialogueConfusionMatrixDisplay.from_estimator(model, X_test, y_test, ax=left)
ReliabilityDisplay.from_estimator(model, X_test, y_test, ax=right)

# %%
# One conversation, turn by turn, with a lane for each speaker.

ConversationDisplay.from_estimator(model, X_test, y_test)

# %%
# What they rest on
# -----------------
#
# On the left the score that is lost without each modality, on the right what moved the
# answer for one utterance. Turns, speakers and words are drawn by ``part=``.

explanation = explain(model, X_test, X_test.index[5])
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
ModalityDisplay.from_estimator(model, X_test, y_test, random_state=0, ax=left)
ExplanationDisplay(explanation).plot(right, part="modalities")

# %%
# Utterances that were made up
# ----------------------------
#
# The shorter a bar, the better: it leads from the best value to the one that was
# measured.

X_more, y_more = sampler.fit_resample(X, y)
written = X_more["dialogue__role"] == "synthetic"
anger = X_more[written & (y_more == "anger")]
SampleQualityDisplay.from_samples(X[y == "anger"], anger, random_state=0)
# sphinx_gallery_start_ignore
if plt.get_backend().lower() != "agg":
    plt.show()
# sphinx_gallery_end_ignore
