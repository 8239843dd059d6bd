"""
Did the generator converge?
===========================

A generative adversarial network has no loss that falls. Two players pull at each
other, and a good run and a broken one may show the same curve for a while. The first
thing to check before using synthetic utterances is therefore whether the game holds a
balance, and what comes out of it. This example shows one run that does and one that
does not.
"""

import matplotlib.pyplot as plt
import pandas as pd

from skmerc import MultimodalGANSampler
from skmerc.datasets import make_conversations
from skmerc.frame import drop_keys
from skmerc.metrics import sample_quality

STEPS = [25, 50, 100, 200, 400, 800]  # after which to look at what is written

# %%
# Two runs
# --------
#
# *Anger* is the rare emotion of these conversations. Both runs learn from the same
# table with the same seed. The second has a learning rate 25 times as high.
#
# The sampler keeps the losses of every epoch in ``history_``. To see what the
# generator writes on the way, we stop it early several times: with the same seed a
# shorter run is the beginning of a longer one.

X, y = make_conversations(80, imbalance=10, random_state=0)
real = drop_keys(X[y == "anger"])


def watch(lr):
    """Return the losses of the longest run, and the quality after each number."""
    quality = {}
    for n_steps in STEPS:
        sampler = MultimodalGANSampler(
            sampling_strategy="mean", lr=lr, n_steps=n_steps, random_state=0
        )
        X_more, y_more = sampler.fit_resample(X, y)
        written = X_more["dialogue__role"] == "synthetic"
        anger = drop_keys(X_more[written & (y_more == "anger")])
        quality[n_steps] = sample_quality(real, anger, random_state=0)
        quality[n_steps]["accepted"] = sampler.acceptance_rate_["anger"]
    history = pd.DataFrame(sampler.history_)
    history.index = (history.index + 1) * STEPS[-1] / len(history)
    return history, pd.DataFrame(quality).T


runs = {"balanced (lr=2e-4)": watch(2e-4), "broken (lr=5e-3)": watch(5e-3)}
columns = ["two_sample_auc", "recall", "coverage", "copy_rate", "accepted"]
for name, (history, quality) in runs.items():
    print(f"\n{name}\n{quality[columns].round(2).to_string()}")
    print(f"spread after the last step: {history['spread'].iloc[-1]:.2f}")

# %%
# What to look for
# ----------------
#
# Above, the losses of the two players that argue about the target class. Least
# squares put the balance near 1.5 for the discriminators of three modalities and 0.75
# for the generators: there they can only guess. Curves that stay within reach of it,
# or drift apart slowly, are what one gets; curves that leave by orders of magnitude
# mean that one player has won for good.
#
# Below, the area under the curve of a classifier that tells synthetic from real
# utterances. Near 0.5 it cannot; at 1.0 it always can. A generator that has seen
# few utterances of a class rarely gets down to 0.5.

figure, axes = plt.subplots(
    2, 2, figsize=(10, 5.5), sharex=True, sharey="row", layout="constrained"
)
players = {"discriminator_target": "discriminators", "generator_target": "generators"}
for (name, (history, quality)), (above, below) in zip(
    runs.items(), axes.T, strict=True
):
    for column, player in players.items():
        above.plot(history.index, history[column], label=player)
    above.set(title=name, yscale="log")
    below.plot(quality.index, quality["two_sample_auc"], "o-", color="#1f4e79")
    below.axhline(0.5, color="0.7", linestyle=":")
    below.set(xlabel="steps", ylim=(0.4, 1.05))
axes[0, 0].set_ylabel("adversarial loss")
axes[0, 0].legend(frameon=False)
axes[1, 0].set_ylabel("AUC, real against synthetic")
# sphinx_gallery_start_ignore
if plt.get_backend().lower() == "agg":  # there is no window to show it in
    figure.savefig("skmerc_gan_convergence.png", dpi=110)
else:
    plt.show()
# sphinx_gallery_end_ignore

# %%
# What to do
# ----------
#
# * **Losses explode, or ``spread`` in the history moves far from 1** (the spread of
#   synthetic utterances over that of real ones): lower ``lr``, keep
#   ``standardize=True``, and keep ``cycle_weight`` up, which ties a translation to
#   its source.
# * **``spread`` sinks towards 0 and recall with it**: the generator writes one and the
#   same utterance. Raise ``diversity`` or ``dropout``, or train for fewer steps.
# * **``acceptance_rate_`` is near 0**: the classifier of the gate does not recognise
#   the class in what is written. Train for more steps; after the few of a first try,
#   the quota is filled with rejected ones.
# * **The copy rate is high and ``change`` is small**: what is written are the
#   originals. Train for more steps, raise ``diversity``, or start from other
#   utterances with ``source="any"``.
# * **The area under the curve stays at 1.0 although losses look well**: compare with
#   :class:`skmerc.DialogueSampler` around SMOTE, and take that if it does as well.
