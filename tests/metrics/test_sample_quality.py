import numpy as np
import pandas as pd
import pytest
import sklearn
from imblearn.over_sampling import SMOTE, RandomOverSampler
from scipy.linalg import sqrtm
from scipy.stats import ks_2samp
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from systems import mostly_slow

from skmerc.frame import make_frame
from skmerc.metrics import (
    copy_rate,
    correlation_gap,
    feature_distance,
    frechet_distance,
    macro_f1_scorer,
    precision_recall_density_coverage,
    sample_quality,
    train_on_synthetic_score,
    two_sample_auc,
)
from skmerc.metrics._neighbors import nearest_rows

COMPARISONS = [
    feature_distance,
    correlation_gap,
    frechet_distance,
    precision_recall_density_coverage,
    copy_rate,
]
EVERY_COMPARISON = [*COMPARISONS, two_sample_auc, sample_quality]


def _normal(n_rows, n_features=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_features))


def _with_moments(mean, covariance, n_rows=50, seed=0):
    """Rows whose sample mean and covariance are exactly the given ones."""
    Z = _normal(n_rows, len(mean), seed)
    Z -= Z.mean(axis=0)
    white = Z @ np.linalg.inv(np.linalg.cholesky(np.cov(Z.T))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def _as_dict(result):
    return dict(result) if hasattr(result, "keys") else {"value": result}


def _assert_same(one, other):
    one, other = _as_dict(one), _as_dict(other)
    assert list(one) == list(other)
    for key in one:
        np.testing.assert_allclose(one[key], other[key], rtol=1e-9, atol=1e-9)


# Distance of single features


def test_feature_distance_agrees_with_scipy_ties_included():
    rng = np.random.default_rng(0)
    real = np.column_stack([rng.normal(size=90), rng.integers(0, 4, 90)])
    synthetic = np.column_stack([rng.normal(0.3, size=70), rng.integers(1, 5, 70)])
    expected = [
        ks_2samp(a, b).statistic for a, b in zip(real.T, synthetic.T, strict=True)
    ]
    np.testing.assert_allclose(feature_distance(real, synthetic), expected)


def test_feature_distance_is_exactly_zero_for_equal_and_one_for_disjoint_rows():
    rows = _normal(37, 70)
    assert (feature_distance(rows, np.repeat(rows, 3, axis=0)) == 0).all()
    assert (feature_distance(rows, rows + 50) == 1).all()


def test_feature_distance_names_the_one_feature_that_moved():
    rows = _normal(100, 130)
    moved = rows.copy()
    moved[:, 97] += 50
    assert np.flatnonzero(feature_distance(rows, moved)).tolist() == [97]


# Correlation


def test_correlation_gap_equals_the_definition():
    real, synthetic = _normal(60), _normal(80, seed=1) @ _normal(4, seed=2)
    gap = np.abs(np.corrcoef(real.T) - np.corrcoef(synthetic.T))
    upper = gap[np.triu_indices(4, 1)]
    assert correlation_gap(real, synthetic) == pytest.approx(upper.mean())


def test_correlation_gap_sees_what_single_features_hide():
    real = np.repeat(_normal(200, 1), 2, axis=1)
    synthetic = real.copy()
    synthetic[:, 1] = synthetic[::-1, 1]
    assert feature_distance(real, synthetic).max() == 0
    assert correlation_gap(real, synthetic) > 0.8


def test_correlation_gap_takes_a_constant_feature_as_uncorrelated():
    real = np.repeat(_normal(50, 1), 2, axis=1)
    stuck = np.column_stack([real[:, 0], np.full(50, 0.1)])
    assert correlation_gap(real, stuck) == pytest.approx(1)
    assert correlation_gap(stuck, stuck) == 0


def test_two_constant_features_are_not_correlated_by_round_off():
    stuck = np.tile([0.1, 0.7], (41, 1))
    assert stuck.std(axis=0).all()
    uncorrelated = [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]
    assert correlation_gap(uncorrelated, stuck) == 0


def test_correlation_gap_of_one_feature_or_one_row_is_defined():
    assert correlation_gap(_normal(9, 1), _normal(9, 1, seed=1)) == 0
    assert correlation_gap([[1.0, 2.0]], [[3.0, 9.0]]) == 0


# Two-sample test


def test_auc_is_a_half_for_one_distribution_and_one_for_disjoint_ones():
    real, synthetic = _normal(400), _normal(400, seed=1)
    assert two_sample_auc(real, synthetic, random_state=0) == pytest.approx(
        0.5, abs=0.06
    )
    assert two_sample_auc(real, synthetic + 20, random_state=0) == 1


def test_auc_falls_below_a_half_for_repeated_rows():
    rows = _normal(60, 20)
    assert two_sample_auc(rows, rows, random_state=0) < 0.4


def test_auc_needs_another_estimator_to_see_a_wrong_spread():
    real, synthetic = _normal(300, 3), 0.2 * _normal(300, 3, seed=1)
    forest = RandomForestClassifier(20, random_state=0)
    assert two_sample_auc(real, synthetic, random_state=0) < 0.6
    assert two_sample_auc(real, synthetic, estimator=forest, random_state=0) > 0.9


def test_auc_repeats_with_a_seed_and_leaves_the_global_generator_alone():
    real, synthetic = _normal(50), _normal(50, seed=1) + 0.3
    state = np.random.get_state()[1].copy()
    first = two_sample_auc(real, synthetic, random_state=3)
    assert first == two_sample_auc(real, synthetic, random_state=3)
    assert first != two_sample_auc(real, synthetic, random_state=4)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_auc_takes_features_of_very_different_units():
    units = 10.0 ** np.arange(-5, 5)
    real, synthetic = _normal(80, 10) * units, _normal(80, 10, seed=1) * units
    plain = two_sample_auc(real / units, synthetic / units, random_state=0)
    assert two_sample_auc(real, synthetic, random_state=0) == pytest.approx(plain)


# Fréchet distance


def test_frechet_distance_has_the_closed_form_of_commuting_covariances():
    real = _with_moments([0.0, 1.0], np.diag([4.0, 9.0]))
    synthetic = _with_moments([2.0, 1.0], np.diag([1.0, 25.0]), seed=1)
    expected = 2**2 + (2 - 1) ** 2 + (3 - 5) ** 2
    assert frechet_distance(real, synthetic) == pytest.approx(expected)


def test_frechet_distance_agrees_with_a_matrix_root():
    one, other = _normal(6, 3), _normal(6, 3, seed=1)
    C, D = one.T @ one, other.T @ other
    real = _with_moments(np.zeros(3), C)
    synthetic = _with_moments(np.ones(3), D, n_rows=31, seed=1)
    expected = 3 + np.trace(C + D - 2 * sqrtm(C @ D).real)
    assert frechet_distance(real, synthetic) == pytest.approx(expected)


@pytest.mark.parametrize("sizes", [(5, 7), (5, 90), (90, 7)])
def test_frechet_distance_is_exact_with_fewer_rows_than_features(sizes):
    real, synthetic = _normal(sizes[0], 40), _normal(sizes[1], 40, seed=1) + 0.5
    C, D = np.cov(real.T), np.cov(synthetic.T)
    values, vectors = np.linalg.eigh(C)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ D @ root).clip(0)).sum()
    shift = real.mean(axis=0) - synthetic.mean(axis=0)
    expected = shift @ shift + np.trace(C) + np.trace(D) - 2 * cross
    assert frechet_distance(real, synthetic) == pytest.approx(expected, rel=1e-5)


def test_frechet_distance_is_zero_for_equal_rows_and_symmetric():
    few, many = _normal(10, 30), _normal(99, 30, seed=1)
    assert frechet_distance(few, few[::-1]) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(few, many) == pytest.approx(frechet_distance(many, few))


def test_frechet_distance_of_a_shift_is_its_square():
    rows = _normal(20, 5)
    assert frechet_distance(rows, rows + 3) == pytest.approx(5 * 9)


# Precision, recall, density and coverage


def test_equal_distributions_have_the_expected_density_and_coverage():
    scores = precision_recall_density_coverage(_normal(1500, 6), _normal(1500, 6, 1))
    assert scores.density == pytest.approx(1, abs=0.08)
    assert scores.coverage == pytest.approx(1 - 2**-5, abs=0.02)
    assert scores.precision > 0.85
    assert scores.recall > 0.85


def test_equal_rows_score_fully():
    rows = _normal(80, 5) + 1e4
    scores = precision_recall_density_coverage(rows, rows)
    assert (scores.precision, scores.recall, scores.coverage) == (1, 1, 1)
    # Each ball holds its centre beside its k neighbours, the one on the rim included.
    assert scores.density == pytest.approx(6 / 5)


def test_disjoint_rows_score_zero():
    scores = precision_recall_density_coverage(_normal(60), _normal(60, seed=1) + 100)
    assert set(scores.values()) == {0}


def test_mode_collapse_lowers_recall_and_coverage_but_not_precision():
    real = np.concatenate([_normal(200), _normal(200, seed=1) + 30])
    both = np.concatenate([_normal(200, seed=2), _normal(200, seed=3) + 30])
    one = _normal(400, seed=4)
    varied = precision_recall_density_coverage(real, both)
    collapsed = precision_recall_density_coverage(real, one)
    assert collapsed.precision > varied.precision - 0.03
    assert collapsed.recall < 0.55 < 0.85 < varied.recall
    assert collapsed.coverage < 0.55 < 0.85 < varied.coverage


def test_implausible_rows_lower_precision_but_not_recall():
    real, good = _normal(200), _normal(200, seed=1)
    noisy = np.concatenate([good, _normal(200, seed=2) * 20])
    before = precision_recall_density_coverage(real, good)
    after = precision_recall_density_coverage(real, noisy)
    assert after.precision < before.precision - 0.3
    assert after.recall >= before.recall


@pytest.mark.parametrize("outlier", [0.0, 1e9, 1e15])
def test_balls_equal_their_definition(outlier):
    real, synthetic, k = _normal(30, 3), _normal(25, 3, seed=1) * 1.5, 3
    real[-1] += outlier

    def distances(a, b):
        return np.linalg.norm(a[:, None] - b[None], axis=2)

    radius = np.sort(distances(real, real), axis=1)[:, k]
    # All others are as far from a row that lies far away, but for rounding.
    radius[-1] *= 1 + 1e-6 * (outlier > 0)
    other = np.sort(distances(synthetic, synthetic), axis=1)[:, k]
    inside = distances(synthetic, real) <= radius
    assert precision_recall_density_coverage(real, synthetic, k=k) == pytest.approx(
        {
            "precision": inside.any(axis=1).mean(),
            "recall": (distances(real, synthetic) <= other).any(axis=1).mean(),
            "density": inside.sum() / (k * 25),
            "coverage": inside.any(axis=0).mean(),
        }
    )


def test_small_working_memory_changes_nothing():
    real, synthetic = _normal(400), _normal(500, seed=1)
    expected = precision_recall_density_coverage(real, synthetic)
    with sklearn.config_context(working_memory=0.1):
        assert precision_recall_density_coverage(real, synthetic) == expected


# Copies


def test_copies_are_counted():
    real, fresh = _normal(200, 8), _normal(150, 8, seed=1)
    assert copy_rate(real, fresh) == 0
    assert copy_rate(real, np.concatenate([fresh, real[:50]])) == 0.25
    assert copy_rate(real, np.concatenate([fresh, real[:50] + 1e-3])) == 0.25


def test_only_exact_repetitions_count_at_fraction_zero():
    real = _normal(200, 8) + 1e3
    assert copy_rate(real, real, fraction=0) == 1
    assert copy_rate(real, real + 1e-6, fraction=0) == 0


def test_of_rows_as_near_the_first_is_the_nearest():
    """Also where rounding tells them apart: these distances come from products."""
    table = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0], [1.0, 0.0]])
    rows = np.array([[0.0, 0.0], [0.0, 0.2], [-3.0, 0.0], [1.0, 0.0]])
    for scale in (1.0, 1 / 3, 1e5 / 7):
        for shift in (0.0, 0.1):
            found = nearest_rows(scale * rows + shift, scale * table + shift)
            assert found.tolist() == [0, 1, 2, 0]
            nudged = scale * table * (1 + 1e-15 * np.arange(5)[::-1, None])
            assert nearest_rows(scale * rows, nudged).tolist() == [0, 1, 2, 0]


def test_rows_nearer_than_products_can_tell_are_told_apart():
    """Also in clusters whose distance is a multiple of what lies between their rows."""
    real = np.array([[0.0, 0.0], [1e-8, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert copy_rate(real, real[1:2], fraction=0) == 1
    cluster = 1e-3 * _normal(50)
    clusters = np.concatenate([cluster, cluster + 1e4])
    assert nearest_rows(clusters, clusters).tolist() == list(range(100))
    single = clusters.astype(np.float32)
    assert nearest_rows(single[:50], single).tolist() == list(range(50))
    assert copy_rate(clusters, clusters, fraction=0) == 1
    assert precision_recall_density_coverage(clusters, clusters).coverage == 1


def test_a_copy_of_a_repeated_real_row_counts():
    real = np.repeat(_normal(30, 50), 2, axis=0)
    assert copy_rate(real, real) == 1
    assert copy_rate(real, real + 1e-3) == 0


def test_fraction_is_of_the_distance_between_the_real_rows():
    real = [[0.0], [1.0], [11.0]]
    synthetic = [[0.2], [1.6], [10.0], [8.0]]
    assert copy_rate(real, synthetic, fraction=0.19) == 0.25
    assert copy_rate(real, synthetic, fraction=0.31) == 0.75
    assert copy_rate(real, synthetic, fraction=0.61) == 1


@pytest.mark.parametrize("n_features", mostly_slow([1, 2]))
def test_fresh_rows_are_taken_for_copies_as_rarely_as_documented(n_features):
    rng = np.random.default_rng(0)
    rate = copy_rate(
        rng.uniform(size=(3000, n_features)), rng.uniform(size=(9000, n_features))
    )
    assert 0.5 * 0.1**n_features < rate < 1.2 * 0.1**n_features


def test_random_over_sampling_copies_and_smote_hardly_does():
    X, y = _normal(120, 6), np.repeat([0, 1], [90, 30])
    rare = X[y == 1]
    copied = RandomOverSampler(random_state=0).fit_resample(X, y)[0][120:]
    mixed = SMOTE(random_state=0).fit_resample(X, y)[0][120:]
    assert copy_rate(rare, copied) == 1
    assert copy_rate(rare, mixed) < 0.4


# Train on synthetic, test on real


def test_good_synthetic_rows_teach_and_shuffled_labels_do_not():
    y = np.repeat([0, 1], 100)
    real, synthetic = _normal(200) + 3 * y[:, None], _normal(200, seed=1)
    synthetic += 3 * y[:, None]
    model = LogisticRegression()
    shuffled = np.random.default_rng(0).permutation(y)
    assert train_on_synthetic_score(model, synthetic, y, real, y) > 0.95
    assert train_on_synthetic_score(model, synthetic, shuffled, real, y) < 0.8
    assert not hasattr(model, "coef_")


def test_the_score_of_synthetic_training_takes_dialogue_scorers():
    X, y = _normal(40), np.tile([0, 1], 20)
    plain = train_on_synthetic_score(LogisticRegression(), X, y, X, y)
    scored = train_on_synthetic_score(
        LogisticRegression(), X, y, X, y, scoring=macro_f1_scorer
    )
    assert plain == scored


def test_a_class_without_synthetic_rows_is_never_recognised():
    y = np.tile([0, 1, 2], 30)
    X = np.eye(3)[y] * 9 + _normal(90, 3)
    seen = y < 2
    score = train_on_synthetic_score(LogisticRegression(), X[seen], y[seen], X, y)
    assert score < 2 / 3


# All together


def test_sample_quality_holds_every_comparison():
    real, synthetic = _normal(80), _normal(60, seed=1) + 0.2
    quality = sample_quality(real, synthetic, standardize=False, random_state=0)
    distance = feature_distance(real, synthetic)
    expected = {
        "feature_distance": distance.mean(),
        "feature_distance_max": distance.max(),
        "correlation_gap": correlation_gap(real, synthetic),
        "two_sample_auc": two_sample_auc(real, synthetic, random_state=0),
        "frechet_distance": frechet_distance(real, synthetic),
        **precision_recall_density_coverage(real, synthetic),
        "copy_rate": copy_rate(real, synthetic),
    }
    assert isinstance(quality, pd.Series)
    assert quality.to_dict() == expected


def test_sample_quality_does_not_depend_on_units():
    units, origin = 10.0 ** np.arange(-4, 4), 5.0
    real, synthetic = _normal(80, 8), _normal(60, 8, seed=1) + 0.2
    expected = sample_quality(real, synthetic, random_state=0)
    scaled = sample_quality(
        real * units + origin, synthetic * units + origin, random_state=0
    )
    pd.testing.assert_series_equal(scaled, expected, rtol=1e-6)


def test_features_that_hardly_vary_do_not_swamp_the_distances():
    real, synthetic = _normal(80), _normal(60, seed=1)
    expected = sample_quality(real, synthetic, random_state=0)
    tiny = np.array([1e-33, 0.0])
    stuck = sample_quality(
        np.column_stack([real, real[:, :2] * tiny]),
        np.column_stack([synthetic, synthetic[:, :2] * 1e-12]),
        random_state=0,
    )
    same = ["frechet_distance", "precision", "recall", "coverage", "copy_rate"]
    pd.testing.assert_series_equal(stuck[same], expected[same])


def test_sample_quality_ranks_generators():
    real = np.concatenate([_normal(150), _normal(150, seed=1) + 6])
    good = np.concatenate([_normal(150, seed=2), _normal(150, seed=3) + 6])
    table = pd.DataFrame(
        {
            "good": sample_quality(real, good, random_state=0),
            "collapsed": sample_quality(real, good[:150], random_state=0),
            "copied": sample_quality(real, real, random_state=0),
        }
    )
    assert table.loc["frechet_distance"].idxmin() == "copied"
    assert table.loc["copy_rate"].tolist() == [0, 0, 1]
    assert table.loc["coverage", "collapsed"] < 0.6 < table.loc["coverage", "good"]
    assert table.loc["two_sample_auc"].idxmax() == "collapsed"


# What all comparisons share


@pytest.mark.parametrize("compare", COMPARISONS)
def test_the_order_of_rows_does_not_matter(compare):
    real, synthetic = _normal(40), _normal(30, seed=1) + 0.5
    rng = np.random.default_rng(2)
    expected = compare(real, synthetic)
    _assert_same(compare(rng.permutation(real), rng.permutation(synthetic)), expected)


@pytest.mark.parametrize("compare", mostly_slow(EVERY_COMPARISON))
def test_keys_of_frames_are_dropped(compare):
    real, synthetic = _normal(20).astype("f4"), _normal(30, seed=1).astype("f4")
    seed = {} if compare in COMPARISONS else {"random_state": 0}
    frames = make_frame({"text": real}), make_frame({"text": synthetic})
    _assert_same(compare(*frames, **seed), compare(real, synthetic, **seed))


@pytest.mark.parametrize("compare", EVERY_COMPARISON)
def test_inputs_are_left_alone(compare):
    real, synthetic = _normal(20), _normal(30, seed=1)
    real.setflags(write=False)
    synthetic.setflags(write=False)
    compare(real, synthetic)


@pytest.mark.parametrize("compare", EVERY_COMPARISON)
@pytest.mark.parametrize("name", ["real", "synthetic"])
def test_missing_values_are_located(compare, name):
    tables = {"real": _normal(20), "synthetic": _normal(20, seed=1)}
    tables[name][[3, 7], [2, 0]] = np.nan, np.inf
    match = f"{name} holds NaN or infinity in 2 of 20 rows, first in row 3, feature 2"
    with pytest.raises(ValueError, match=match):
        compare(**tables)


@pytest.mark.parametrize("compare", EVERY_COMPARISON)
def test_tables_of_different_features_are_refused(compare):
    with pytest.raises(ValueError, match="real has 4 features and synthetic 3"):
        compare(_normal(20), _normal(20, 3))
    one = pd.DataFrame(_normal(20, 2), columns=["text__0", "text__1"])
    with pytest.raises(ValueError, match="Feature 0 is 'text__0' in real and 'text__1"):
        compare(one, one[["text__1", "text__0"]])


@pytest.mark.parametrize("compare", EVERY_COMPARISON)
def test_empty_and_flat_tables_are_refused(compare):
    with pytest.raises(ValueError, match=r"synthetic has shape \(0, 4\)"):
        compare(_normal(20), np.empty((0, 4)))
    with pytest.raises(ValueError, match=r"real has shape \(20,\)"):
        compare(_normal(20)[:, 0], _normal(20))


@pytest.mark.parametrize(
    ("compare", "arguments", "match"),
    [
        (precision_recall_density_coverage, {}, "synthetic has 4 rows.* 6 .*k=5"),
        (two_sample_auc, {}, "synthetic has 4 rows.* 5 .*cv=5"),
    ],
)
def test_too_few_rows_are_named(compare, arguments, match):
    with pytest.raises(ValueError, match=match):
        compare(_normal(20), _normal(4), **arguments)


def test_one_row_has_no_covariance_and_no_neighbour():
    with pytest.raises(ValueError, match="synthetic has 1 row.*covariance"):
        frechet_distance(_normal(20), _normal(1))
    with pytest.raises(ValueError, match="real has 1 row.*nearest neighbour"):
        copy_rate(_normal(1), _normal(20))
    assert copy_rate(_normal(20), _normal(1)) == 1
