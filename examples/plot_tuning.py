"""
Which settings suit these conversations?
========================================

No setting is best everywhere. A search tries some, judges each by conversations that
the model has not learned from, and stops those early that promise little. Here Optuna
proposes settings of CBERL's classifier, :class:`skmerc.tuning.DialogueObjective` scores
them over folds of dialogues, and Optuna's own pictures tell what the search has found,
and how far to trust it.
"""

import warnings

import matplotlib.pyplot as plt
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.visualization.matplotlib import (
    plot_optimization_history,
    plot_param_importances,
    plot_slice,
)
from sklearn.base import clone

from skmerc import CBERLClassifier
from skmerc.datasets import make_conversations
from skmerc.metrics import weighted_f1_scorer
from skmerc.model_selection import DialogueShuffleSplit
from skmerc.tuning import DialogueObjective, search_space

N_TRIALS = 16
STORAGE = None  # such as "sqlite:///study.db", to go on later

# %%
# What is searched
# ----------------
#
# A quarter of the conversations is put aside: the search picks the best of many
# scores, and the best of many is partly luck, so that the score that counts must come
# from conversations that no trial has seen.
#
# The ranges come in the order of what they are worth. Four parameters are enough for
# sixteen trials.

X, y = make_conversations(
    60, n_turns=(6, 14), imbalance=4, information=1.2, random_state=0
)
train, test = next(DialogueShuffleSplit(1, test_size=0.25, random_state=0).split(X, y))
X_train, y_train, X_test, y_test = X.iloc[train], y[train], X.iloc[test], y[test]

model = CBERLClassifier(max_epochs=10, validation_fraction=0.25, random_state=0)
space = dict(list(search_space(model).items())[:4])
for name, distribution in space.items():
    print(name, distribution)

# %%
# The search
# ----------
#
# Each trial is three fits, one per fold. With ``report="epoch"`` the validation
# dialogues that the classifier holds out tell after every epoch how it goes, and a
# trial that has never been better than the median of the others at the same point is
# pruned. A tenth of thirty dialogues would be three, which is too few to judge by, so
# that a quarter is held out here. The first trial has the defaults, so that there is
# something to beat.

optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(
    study_name="calls",
    storage=STORAGE,
    load_if_exists=True,
    direction="maximize",
    sampler=optuna.samplers.TPESampler(seed=0),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=6),
)
defaults = {name: model.get_params()[name] for name in space}
study.enqueue_trial(defaults, skip_if_exists=True)
study.optimize(
    DialogueObjective(model, X_train, y_train, space, cv=3, report="epoch"),
    n_trials=N_TRIALS,
)

columns = ["number", "state", "value", "params_lr", "params_dropout"]
print(study.trials_dataframe()[columns].round(4).to_string(index=False))
states = [trial.state.name for trial in study.trials]
reports = sum(len(trial.intermediate_values) for trial in study.trials)
most = len(states) * 3 * (model.max_epochs + 1)
print(f"{states.count('PRUNED')} of {len(states)} trials were pruned,")
print(f"{reports} of {most} reports made")

# %%
# What it found
# -------------
#
# The best settings go back into the model by ``set_params``. Then, and only then, the
# conversations that were put aside are asked.

for name, settings in {"defaults": {}, "tuned": study.best_params}.items():
    fitted = clone(model).set_params(**settings).fit(X_train, y_train)
    score = weighted_f1_scorer(fitted, X_test, y_test)
    print(f"{name}: weighted F1 {score:.3f} on {len(X_test)} test utterances")
print(f"the best trial had {study.best_value:.3f}")

# %%
# Three pictures
# --------------
#
# The history tells whether more trials would help: a line that has long been flat
# has found what there is. The importances tell which parameters moved the score in
# these ranges; search those further, and leave the others. The slices tell where in its
# range each parameter did well: points that crowd at an end ask for a wider one.

pictures = {
    "history": plot_optimization_history,
    "importances": plot_param_importances,
    "slices": plot_slice,
}
with warnings.catch_warnings():
    # Optuna calls these plots experimental.
    warnings.simplefilter("ignore", ExperimentalWarning)
    for name, plot in pictures.items():
        plot(study)
        figure = plt.gcf()
        figure.set_size_inches(12 if name == "slices" else 7, 4)
        # sphinx_gallery_start_ignore
        if plt.get_backend().lower() == "agg":  # there is no window to show it in
            figure.savefig(f"skmerc_tuning_{name}.png", dpi=110, bbox_inches="tight")
        # sphinx_gallery_end_ignore
# sphinx_gallery_start_ignore
if plt.get_backend().lower() != "agg":
    plt.show()
# sphinx_gallery_end_ignore

# %%
# How far to trust it
# -------------------
#
# * **Differences of a point are noise** with so few conversations. Run the best few
#   settings with several seeds before you believe in one.
# * **The score of the best trial is too good**, since it was picked. Report that of the
#   test conversations.
# * **A search without a baseline proves nothing.** Logistic regression, and the
#   defaults, belong beside it.
# * With ``STORAGE = "sqlite:///study.db"`` the study is kept: run the script again, and
#   it goes on where it stood. See the guide on tuning for several processes.
