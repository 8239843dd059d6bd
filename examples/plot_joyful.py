"""
Joint fusion and contrasted views of a conversation
===================================================

JOYFUL fuses modalities twice, in their dialogue and each on a basis that all share,
and lets a graph network read two altered copies of every dialogue, in which an
utterance must find itself again. One estimator trains all of it; no step comes before.

The conversations here are generated. A file of your own, named in ``DATA``, needs the
parts train, dev and test, as in :func:`skmerc.datasets.load_table`.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmerc import JoyfulClassifier, UtteranceClassifier
from skmerc.datasets import load_table, make_conversations
from skmerc.frame import mark_validation
from skmerc.inspection import modality_importance
from skmerc.metrics import recognition_report, weighted_f1_scorer
from skmerc.model_selection import DialogueShuffleSplit

DATA = None  # such as "features.npz"
MODALITIES = None  # which blocks of it to read, such as ["text", "audio"]
SEED = 0

# %%
# Training, validation and test dialogues
# ---------------------------------------
#
# Some training dialogues have the role "validation": from 300 utterances on, training
# stops where they are recognised best.

if DATA:
    X, y, part = load_table(DATA, modalities=MODALITIES, return_split=True)
    train, test = np.flatnonzero(part != "test"), np.flatnonzero(part == "test")
    dev = X.loc[part == "dev", "dialogue__id"].unique()
else:
    X, y = make_conversations(150, imbalance=4, information=1.2, random_state=SEED)
    split = DialogueShuffleSplit(1, test_size=0.25, random_state=SEED)
    train, test = next(split.split(X))
    dev = []
how = {"dialogues": dev} if len(dev) else {"fraction": 0.2}
X_train = mark_validation(X.iloc[train], random_state=SEED, **how)
y_train, X_test, y_test = y[train], X.iloc[test], y[test]

# %%
# Beside two who see one utterance at a time
# ------------------------------------------

row_wise = make_pipeline(
    SimpleImputer(keep_empty_features=True),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=2000),
)
models = {
    "most frequent": UtteranceClassifier(DummyClassifier()),
    "logistic regression": UtteranceClassifier(row_wise),
    "JOYFUL": JoyfulClassifier(random_state=SEED),
}
scores = {}
for name, model in models.items():
    report = recognition_report(y_test, model.fit(X_train, y_train).predict(X_test))
    print(f"\n{name}\n{report.round(3).to_string(na_rep='')}")
    scores[name] = report["f1"]
joyful = models["JOYFUL"]

# %%
# A conversation that still goes on
# ---------------------------------
#
# With ``window_future=0`` nothing looks ahead. What such a model says of a turn does
# not change when the next turns are spoken, so it can listen to a call.

live = JoyfulClassifier(window_future=0, random_state=SEED).fit(X_train, y_train)
call = X_test[X_test["dialogue__id"] == X_test["dialogue__id"].iloc[0]]
call = call.sort_values("dialogue__turn")
so_far, whole = live.predict_proba(call.iloc[:3]), live.predict_proba(call)
print(f"\nlargest change once it is over: {np.abs(so_far - whole[:3]).max():.1e}")
print(
    f"weighted F1 without looking ahead: {weighted_f1_scorer(live, X_test, y_test):.3f}"
)

# %%
# What it listens to
# ------------------
#
# Shuffling a whole modality among the utterances tells how much of the score rests on
# it; taking every utterance out of its dialogue tells what context brings.

importance = modality_importance(
    joyful, X_test, y_test, scoring=weighted_f1_scorer, random_state=SEED
)
print("\n" + importance[["mean", "std"]].round(3).to_string())

# %%
# Scores, losses and what they rest on
# ------------------------------------

figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(13, 4), layout="constrained"
)
table = pd.DataFrame(scores).reindex([*joyful.classes_, "weighted F1"])
table.plot.barh(ax=left, color=["#c7c7c7", "#8fb3d9", "#1f4e79"])
left.invert_yaxis()
left.set(xlabel="F1 on test dialogues", xlim=(0, 1), ylabel="")
left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)

history = pd.DataFrame(joyful.history_).set_index("epoch")
losses = history.filter(regex="(task|fusion|contrastive)_loss")
losses.rename(columns=lambda name: name.replace("_", " ")).plot(ax=middle)
history["valid_weighted_f1"].plot(ax=middle, color="black", label="validation F1")
middle.axvline(history["valid_weighted_f1"].idxmax(), color="#c7c7c7", zorder=0)
middle.set(xlabel="epoch", title="training; the grey line is the epoch that was kept")
middle.legend(frameon=False)

importance["mean"].plot.barh(ax=right, xerr=importance["std"], color="#8fb3d9")
right.invert_yaxis()
right.set(xlabel="loss of weighted F1 without it", ylabel="")
for axes in (middle, right):
    axes.title.set_fontsize("medium")
# sphinx_gallery_start_ignore
if plt.get_backend().lower() == "agg":  # there is no window to show it in
    figure.savefig("skmerc_joyful.png", dpi=130)
else:
    plt.show()
# sphinx_gallery_end_ignore
