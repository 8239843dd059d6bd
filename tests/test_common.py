"""Scikit-learn's and imbalanced-learn's common checks, and how many of them ran."""

import warnings

import pytest
from sklearn.utils.estimator_checks import check_estimator

from skmerc import CBERLClassifier

BATCHES_DIFFER = (
    "batches of another size round differently; "
    "test_weights_two_and_zero_equal_repetition_and_removal stands in"
)
BOOSTING_RAISES = (
    "AdaBoost raises the weight of whatever class_weight made light, until it is heard"
)
ESTIMATORS = {
    "concat": CBERLClassifier(
        hidden_size=16,
        lstm_layers=1,
        dropout=0.0,
        mask_rate=0.0,
        focal_gamma=0.0,
        lr=1e-2,
        batch_size=32,
        max_epochs=20,
        patience=None,
        device="cpu",
    ),
    "whole": CBERLClassifier(
        hidden_size=16,
        lstm_layers=1,
        latent_size=8,
        fusion="djvae",
        head="boost",
        lr=1e-2,
        batch_size=32,
        max_epochs=20,
        device="cpu",
    ),
}
EXPECTED = {
    "concat": {
        "check_sample_weight_equivalence_on_dense_data": BATCHES_DIFFER,
        "check_sample_weight_equivalence_on_sparse_data": BATCHES_DIFFER,
    },
}
EXPECTED["whole"] = EXPECTED["concat"] | {
    "check_class_weight_classifiers": BOOSTING_RAISES
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_classifier_passes_the_common_checks(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks feed it what it warns about
        results = check_estimator(
            ESTIMATORS[name], on_fail=None, expected_failed_checks=EXPECTED[name]
        )
    failed = {
        r["check_name"]: r["exception"] for r in results if r["status"] == "failed"
    }
    assert not failed
    assert sum(r["status"] == "passed" for r in results) >= 60
