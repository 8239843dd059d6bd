"""
A table of utterances, from augmentation to emotions
====================================================

A conversation is a table here: one row per utterance, four key columns that say
where it stands, and the features of its text, voice and face. This example takes
such a table through the three steps of CBERL. A generative adversarial network
writes utterances of the rare emotions, a joint variational autoencoder fuses the
modalities, and a classifier reads whole dialogues as graphs.

The conversations here are generated. Name a file of your own in ``DATA``: it needs a
column of labels, and features that are called after their modality, such as
``text__0``; see :func:`skmerc.datasets.load_table`.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from imblearn.pipeline import Pipeline
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skmerc import CBERLClassifier, DJVAEFuser, MultimodalGANSampler
from skmerc.datasets import load_table, make_conversations
from skmerc.frame import drop_keys, mark_validation
from skmerc.metrics import recognition_report
from skmerc.model_selection import DialogueShuffleSplit
from skmerc.plotting import ConversationDisplay

DATA = None  # such as "calls.csv", "features.npz" or "features.parquet"
MODALITIES = None  # which blocks of it to read, such as ["text", "audio"]
LABEL = "label"  # its column of labels
SEED = 0

# %%
# The table
# ---------
#
# Whole dialogues go to training or to test, never single rows. Some training
# dialogues get the role "validation": no step learns from them, and from 300 utterances
# on the classifier stops where it recognises them best. A table that comes with an
# official split keeps it.


def read_table(path, modalities, label):
    """Read a table and tell the official split of each row, where there is one."""
    if path is None:
        X, y = make_conversations(150, imbalance=8, information=1.2, random_state=SEED)
        return X, y, np.full(len(X), "")
    return load_table(path, modalities=modalities, label=label, return_split=True)


def divide(X, y, split):
    """Divide whole dialogues into training (with validation) and test."""
    test = split == "test"
    if not test.any():
        division = DialogueShuffleSplit(1, test_size=0.25, random_state=SEED)
        _, rows = next(division.split(X, y))
        test = np.isin(np.arange(len(X)), rows)
    held_out = X["dialogue__id"][split == "dev"].unique()
    if len(held_out):
        X = mark_validation(X, dialogues=held_out)
    else:
        marked = mark_validation(X[~test], fraction=0.2, random_state=SEED)
        X = pd.concat([marked, X[test]]).loc[X.index]
    return X[~test], y[~test], X[test], y[test]


X_train, y_train, X_test, y_test = divide(*read_table(DATA, MODALITIES, LABEL))
print(f"{len(X_train)} training and {len(X_test)} test utterances")
print(X_train.iloc[:4, :6].to_string(index=False))
print(pd.Series(y_train).value_counts().to_string())

# %%
# Three steps
# -----------
#
# The sampler raises every class below the mean to the mean. It acts in ``fit``
# alone; ``predict`` sees real utterances only.

pipeline = Pipeline(
    [
        ("augment", MultimodalGANSampler(sampling_strategy="mean", random_state=SEED)),
        ("fuse", DJVAEFuser(random_state=SEED)),
        ("recognise", CBERLClassifier(random_state=SEED)),
    ]
)
pipeline.fit(X_train, y_train)

sampler = pipeline["augment"]
for label, rate in sampler.acceptance_rate_.items():
    count = sampler.sampling_strategy_[label]
    print(f"{count} utterances of {label} generated, {rate:.0%} of the drafts accepted")

# %%
# Is it any good?
# ---------------
#
# A score means nothing alone. Next to it stand the trivial answer and a logistic
# regression that sees one utterance at a time. Both learn from the validation
# dialogues too, since they have nothing to stop.

row_wise = make_pipeline(
    FunctionTransformer(drop_keys),
    SimpleImputer(keep_empty_features=True),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=1000),
)
models = {
    "most frequent": DummyClassifier().fit(X_train, y_train),
    "logistic regression": row_wise.fit(X_train, y_train),
    "CBERL": pipeline,
}
reports = {}
for name, model in models.items():
    reports[name] = recognition_report(y_test, model.predict(X_test))
    print(f"\n{name}\n{reports[name].round(3).to_string(na_rep='')}")

# %%
# What comes out
# --------------
#
# On the left the score of each emotion; on the right one dialogue of the test
# set, turn by turn: what the model believes, and what is true. It is neither among
# the best recognised nor among the worst, and has the most different emotions of the
# others. :class:`skmerc.plotting.ConversationDisplay` draws it.

emotions = list(pipeline.classes_)
figure, (left, right) = plt.subplots(
    1, 2, figsize=(12, 4.2), width_ratios=(1, 1.4), layout="constrained"
)
scores = pd.DataFrame({name: report["f1"] for name, report in reports.items()})
rows = [*emotions, "weighted F1"]
scores.reindex(rows).plot.barh(ax=left, color=["#c7c7c7", "#8fb3d9", "#1f4e79"])
left.invert_yaxis()
left.set(xlabel="F1 on test dialogues", xlim=(0, 1))
left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)

dialogues = pd.DataFrame({"id": X_test["dialogue__id"].to_numpy(), "emotion": y_test})
dialogues["right"] = pipeline.predict(X_test) == y_test
dialogues = dialogues.groupby("id").agg(
    turns=("right", "size"), right=("right", "mean"), emotions=("emotion", "nunique")
)
short = dialogues[dialogues["turns"] <= 30]
distance = (short["right"] - short["right"].median()).abs()
typical = distance.nsmallest(1 + len(short) // 2).index
chosen = short.loc[typical, "emotions"].idxmax()
ConversationDisplay.from_estimator(pipeline, X_test, y_test, dialogue=chosen, ax=right)
# sphinx_gallery_start_ignore
if plt.get_backend().lower() == "agg":  # there is no window to show it in
    figure.savefig("skmerc_quickstart.png", dpi=130)
else:
    plt.show()
# sphinx_gallery_end_ignore
