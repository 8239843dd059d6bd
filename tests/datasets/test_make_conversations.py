"""Artificial conversations: what the knobs do, and that the ceiling is exact."""

import itertools
import time

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.linear_model import LogisticRegression
from systems import mostly_slow
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from skmerc.datasets import make_conversations
from skmerc.datasets._generated import _Features
from skmerc.frame import KEYS, drop_keys, split_frame


def ceiling_of(n_dialogues=300, random_state=0, **knobs):
    return make_conversations(
        n_dialogues, return_ceiling=True, random_state=random_state, **knobs
    )[2]


@pytest.fixture(scope="module")
def default_conversations():
    """Default settings; the first 100 dialogues train, the other 300 test."""
    X, y, ceiling = make_conversations(400, return_ceiling=True, random_state=0)
    train = X["dialogue__id"].isin([f"dia{i}" for i in range(100)]).to_numpy()
    best = {
        name: ceiling[f"posterior_{name}"][~train].max(axis=1).mean()
        for name in ("with_context", "without_context")
    }
    return (X[train], y[train]), (X[~train], y[~train]), best


def test_table_has_keys_and_float32_blocks():
    X, y = make_conversations(7, n_turns=(2, 5), n_speakers=3, random_state=0)
    assert list(X.columns[:4]) == list(KEYS)
    assert set(X["dialogue__id"]) == {f"dia{i}" for i in range(7)}
    assert set(X["dialogue__speaker"]) <= {"A", "B", "C"}
    _, blocks = split_frame(X)
    assert {n: b.shape[1] for n, b in blocks.items()} == {
        "text": 16,
        "audio": 8,
        "visual": 8,
    }
    assert (drop_keys(X).dtypes == np.float32).all()
    assert X.groupby("dialogue__id").size().between(2, 5).all()
    assert len(y) == len(X)
    assert set(y) <= {"neutral", "joy", "sadness", "anger"}


def test_same_seed_repeats_exactly_and_leaves_global_state(global_state_untouched):
    with global_state_untouched():
        X, y = make_conversations(5, random_state=3, missing=0.2)
        X_again, y_again = make_conversations(5, random_state=3, missing=0.2)
        X_other, _ = make_conversations(5, random_state=4, missing=0.2)
    assert X.equals(X_again)
    assert (y == y_again).all()
    assert not X.equals(X_other)


def test_a_seed_gives_the_same_table_on_every_machine():
    """No library chooses axes, and no product of matrices the order of its sums."""
    X, y = make_conversations(
        2,
        n_turns=3,
        modalities={"text": 3, "audio": 1},
        missing={"text": 0, "audio": 0.5},
        random_state=0,
    )
    assert X["dialogue__speaker"].tolist() == ["A", "B", "B", "B", "B", "A"]
    assert y.tolist() == ["anger", "anger", "sadness", "joy", "joy", "neutral"]
    expected = [
        [0.467640132, -0.291563660, 0.045792762, np.nan],
        [0.091244444, 0.394163072, -0.171278730, np.nan],
        [-0.261542380, -1.584103227, 0.329090863, -0.664087415],
        [0.657204211, 0.219600216, -1.297279596, -0.174296409],
        [0.299643099, -0.179125920, 0.046776187, np.nan],
        [2.187826395, 0.981668830, 0.109868035, -0.362958431],
    ]
    np.testing.assert_allclose(drop_keys(X), expected, rtol=1e-6)


@pytest.mark.parametrize("widths", [(5, 2), (1, 3), (8, 8)])
def test_class_means_are_as_far_apart_as_told_where_there_is_room(widths):
    world = _Features(
        dict(zip("ab", widths, strict=True)),
        {"a": 2.0, "b": 1.0},
        0.5,
        4,
        np.random.RandomState(0),
    )
    for where, told in zip(world.columns.values(), (2.0, 1.0), strict=True):
        means = world.means[:, where]
        distance = np.linalg.norm(means[:, None] - means, axis=2)[np.triu_indices(4, 1)]
        assert (distance <= told + 1e-12).all()
        if means.shape[1] >= 3:
            np.testing.assert_allclose(distance, told)


def test_logistic_regression_stays_below_the_ceiling(default_conversations):
    (X, y), (X_test, y_test), best = default_conversations
    model = LogisticRegression(C=0.1, max_iter=1000).fit(drop_keys(X), y)
    accuracy = model.score(drop_keys(X_test), y_test)
    assert best["with_context"] - accuracy >= 0.15
    assert accuracy >= best["without_context"] - 0.05


class BiGRU(torch.nn.Module):
    def __init__(self, n_features, n_classes, hidden_size=32):
        super().__init__()
        self.noise = torch.nn.Dropout(0.3)
        self.context = torch.nn.GRU(
            n_features, hidden_size, batch_first=True, bidirectional=True
        )
        self.drop = torch.nn.Dropout(0.7)
        self.head = torch.nn.Linear(2 * hidden_size, n_classes)

    def forward(self, x):
        return self.head(self.drop(self.context(self.noise(x))[0]))


def sequences(X, y, classes):
    """One pair of tensors per dialogue; who speaks is a feature."""
    speaks = (X[["dialogue__speaker"]] == "A").to_numpy(dtype=np.float32)
    features = np.hstack([drop_keys(X), speaks, 1 - speaks]).astype(np.float32)
    codes = np.searchsorted(classes, y)
    rows = X.groupby("dialogue__id", sort=False).indices.values()
    return [(torch.tensor(features[i]), torch.tensor(codes[i])) for i in rows]


def fit_gru(dialogues, n_classes, epochs=30):
    net = BiGRU(dialogues[0][0].shape[1], n_classes).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(dialogues)).split(16):
            xs, ys = zip(*(dialogues[i] for i in batch), strict=True)
            out = net(pad_sequence(xs, batch_first=True)).transpose(1, 2)
            target = pad_sequence(ys, batch_first=True, padding_value=-1)
            optimizer.zero_grad()
            cross_entropy(out, target, ignore_index=-1).backward()
            optimizer.step()
        schedule.step()
    return net.eval()


@pytest.mark.benchmark
def test_bidirectional_gru_comes_near_the_ceiling(default_conversations):
    train, test, best = default_conversations
    classes = np.unique(train[1])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = fit_gru(sequences(*train, classes), len(classes))
    with torch.no_grad():
        hits = [net(x[None])[0].argmax(1) == c for x, c in sequences(*test, classes)]
    accuracy = torch.cat(hits).float().mean().item()
    assert abs(best["with_context"] - accuracy) <= 0.05


@pytest.mark.parametrize("n_speakers", [1, 2, 3])
def test_context_ceiling_equals_enumeration_of_all_sequences(n_speakers):
    knobs = {"inertia": 0.5, "contagion": 0.3}
    X, _, ceiling = make_conversations(
        6,
        n_turns=(1, 5),
        n_classes=2,
        n_speakers=n_speakers,
        imbalance=2.5,
        return_ceiling=True,
        random_state=1,
        **knobs,
    )
    alone = ceiling.posterior_without_context
    for rows in X.groupby("dialogue__id").indices.values():
        speakers = X["dialogue__speaker"].iloc[rows].tolist()
        likelihood = alone[rows] / ceiling.priors
        expected = enumerate_posterior(likelihood, speakers, ceiling.priors, **knobs)
        found = ceiling.posterior_with_context[rows]
        np.testing.assert_allclose(found, expected, atol=1e-10)


def enumerate_posterior(likelihood, speakers, priors, inertia, contagion):
    total = np.zeros_like(likelihood)
    n_turns, n_classes = likelihood.shape
    for path in itertools.product(range(n_classes), repeat=n_turns):
        weight = 1.0
        for t, emotion in enumerate(path):
            own = [path[i] for i in range(t) if speakers[i] == speakers[t]]
            others = [path[i] for i in range(t) if speakers[i] != speakers[t]]
            keep, take = inertia * bool(own), contagion * bool(others)
            chance = (1 - keep - take) * priors[emotion]
            chance += keep * (own[-1:] == [emotion])
            chance += take * (others[-1:] == [emotion])
            weight *= chance * likelihood[t, emotion]
        total[np.arange(n_turns), path] += weight
    return total / total.sum(axis=1, keepdims=True)


def test_row_ceiling_is_bayes_rule_with_missing_modalities_left_out():
    widths, information = {"text": 4, "audio": 1}, {"text": 1.0, "audio": 2.0}
    world = _Features(widths, information, 0.5, 3, np.random.RandomState(0))
    values = np.random.RandomState(1).normal(size=(4, 5)).astype(np.float32)
    values[1, :4] = values[2, 4:] = values[3] = np.nan
    found = world.log_likelihood(values)
    for row, scores in zip(values[:3], found, strict=False):
        seen = ~np.isnan(row)
        covariance = world.covariance[np.ix_(seen, seen)]
        expected = [
            multivariate_normal(mean[seen], covariance).logpdf(row[seen])
            for mean in world.means
        ]
        np.testing.assert_allclose(scores - scores[0], expected - expected[0])
    assert (found[3] == found[3, 0]).all()


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_features_follow_the_means_and_covariance_of_the_ceiling(missing):
    world = _Features(
        {"text": 3, "audio": 2},
        {"text": 2.0, "audio": 1.0},
        0.6,
        3,
        np.random.RandomState(0),
    )
    codes = np.repeat([0, 1, 2], 20_000)
    rng = np.random.RandomState(1)
    values = world.draw(codes, {"text": missing, "audio": missing}, rng)
    whole = ~np.isnan(values).any(axis=1)
    noise = (values - world.means[codes])[whole]
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(noise.T), world.covariance, atol=0.03)
    distance = np.linalg.norm(world.means[0, :3] - world.means[1, :3])
    assert distance == pytest.approx(2.0)


def test_ceiling_is_what_its_posteriors_attain():
    X, y, ceiling = make_conversations(
        1500, missing=0.2, return_ceiling=True, random_state=0
    )
    for name in ("with_context", "without_context"):
        posterior = ceiling[f"posterior_{name}"]
        hits = ceiling.classes[posterior.argmax(axis=1)] == y
        assert ceiling[name] == pytest.approx(hits.mean(), abs=0.01)


def test_without_inertia_and_contagion_context_tells_nothing():
    ceiling = ceiling_of(30, inertia=0, contagion=0)
    np.testing.assert_allclose(
        ceiling.posterior_with_context, ceiling.posterior_without_context, atol=1e-12
    )


def test_priors_hold_at_every_turn():
    X, y = make_conversations(
        10_000,
        n_turns=6,
        n_speakers=3,
        imbalance=[5, 3, 2],
        n_classes=3,
        modalities={"text": 2},
        random_state=0,
    )
    for turn in range(6):
        at_turn = y[X["dialogue__turn"] == turn]
        shares = [(at_turn == name).mean() for name in ("neutral", "joy", "sadness")]
        np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.02)


def test_imbalance_is_the_ratio_of_the_most_to_the_least_frequent_class():
    priors = ceiling_of(1, imbalance=8, n_classes=4).priors
    np.testing.assert_allclose(priors[:-1] / priors[1:], 2)
    np.testing.assert_allclose(ceiling_of(1, imbalance=1).priors, 0.25)


def test_inertia_keeps_the_own_emotion_and_contagion_takes_the_others():
    X, y = make_conversations(200, inertia=1, contagion=0, random_state=0)
    by_person = X.assign(y=y).groupby(["dialogue__id", "dialogue__speaker"])["y"]
    assert (by_person.nunique() == 1).all()
    X, y = make_conversations(
        200, n_turns=2, inertia=0, contagion=1, random_state=0, imbalance=1
    )
    speaker = X["dialogue__speaker"].to_numpy().reshape(-1, 2)
    emotion = y.reshape(-1, 2)
    passed_on = speaker[:, 0] != speaker[:, 1]
    assert (emotion[passed_on, 0] == emotion[passed_on, 1]).all()
    assert (emotion[~passed_on, 0] != emotion[~passed_on, 1]).any()


@pytest.mark.parametrize(
    ("knob", "easier", "harder", "margin"),
    mostly_slow(
        [
            ("information", 2.0, 1.0, 0.05),
            ("redundancy", 0.0, 0.8, 0.05),
            ("missing", 0.0, 0.7, 0.05),
            ("imbalance", 20.0, 1.0, 0.02),
            ("n_classes", 2, 6, 0.05),
        ]
    ),
)
def test_knob_moves_both_ceilings(knob, easier, harder, margin):
    high, low = ceiling_of(**{knob: easier}), ceiling_of(**{knob: harder})
    assert high.with_context > low.with_context + margin
    assert high.without_context > low.without_context + margin


@pytest.mark.parametrize("knob", mostly_slow(["inertia", "contagion"]))
def test_inertia_and_contagion_move_only_the_ceiling_with_context(knob):
    other = {"inertia": "contagion", "contagion": "inertia"}[knob]
    weak = ceiling_of(**{knob: 0.1, other: 0.2})
    strong = ceiling_of(**{knob: 0.7, other: 0.2})
    assert strong.with_context > weak.with_context + 0.05
    assert strong.without_context == pytest.approx(weak.without_context, abs=0.02)


def test_full_redundancy_leaves_no_more_than_the_best_modality():
    information = {"text": 2.0, "audio": 1.0, "visual": 1.0}
    knobs = {"n_dialogues": 1000, "n_turns": 5}
    both = ceiling_of(information=information, redundancy=0.999, **knobs)
    best = ceiling_of(modalities={"text": 16}, information=2.0, **knobs)
    apart = ceiling_of(information=information, redundancy=0.0, **knobs)
    assert both.without_context == pytest.approx(best.without_context, abs=0.015)
    assert apart.without_context > best.without_context + 0.03


def test_missing_hides_whole_blocks_in_the_share_asked_for():
    X, _ = make_conversations(
        50, missing={"text": 0, "audio": 0.25, "visual": 1}, random_state=0
    )
    _, blocks = split_frame(X)
    for name, share in {"text": 0, "audio": 0.25, "visual": 1}.items():
        hidden = np.isnan(blocks[name])
        assert (hidden.all(axis=1) == hidden.any(axis=1)).all()
        assert hidden.all(axis=1).mean() == pytest.approx(share, abs=1e-3)


def test_information_of_a_modality_is_its_own():
    X, y = make_conversations(
        200, information={"text": 0, "audio": 3, "visual": 1}, random_state=0
    )
    scores = {
        name: LogisticRegression(max_iter=500).fit(block, y).score(block, y)
        for name, block in split_frame(X)[1].items()
    }
    assert scores["audio"] > scores["visual"] + 0.1 > scores["text"] + 0.15


def test_dialogues_of_one_world_share_their_class_means():
    few, y_few = make_conversations(200, random_state=0)
    many, y_many = make_conversations(600, random_state=0)
    for name in np.unique(y_few):
        gap = drop_keys(few)[y_few == name].mean() - (
            drop_keys(many)[y_many == name].mean()
        )
        assert np.abs(gap).max() < 0.25


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"inertia": 0.7, "contagion": 0.5}, "sum to 1 at most"),
        ({"n_turns": (5, 3)}, "in this order"),
        ({"n_turns": (1, 2, 3)}, "n_turns"),
        ({"modalities": {}}, "at least one modality"),
        ({"modalities": {"text": 0}}, "positive number of features"),
        ({"information": {"text": 1.0}}, "names the modalities"),
        ({"missing": {"text": 2, "audio": 0, "visual": 0}}, "from 0 to 1"),
        ({"imbalance": [1, 2]}, "4 positive class weights"),
        ({"imbalance": [1, 2, 0, 1]}, "4 positive class weights"),
        ({"n_speakers": 9, "return_ceiling": True}, "20000 at most"),
        ({"redundancy": 1}, "redundancy"),
    ],
)
def test_contradicting_parameters_are_refused(knobs, message):
    with pytest.raises(ValueError, match=message):
        make_conversations(3, **knobs)


@pytest.mark.benchmark
def test_hundred_thousand_utterances_take_seconds():
    start = time.process_time()
    X, _, _ = make_conversations(6500, return_ceiling=True, random_state=0)
    assert len(X) > 1e5
    assert time.process_time() - start < 15
