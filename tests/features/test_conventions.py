"""The conventions of scikit-learn that hold for whatever takes a column of files."""

import pytest
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

from skmerc import AudioFunctionals, FaceFeatures, VideoFunctionals

EXTRACTORS = [
    AudioFunctionals(),
    FaceFeatures("face_landmarker.task"),
    VideoFunctionals(),
]
CHECKS = [
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_set_params",
    "check_valid_tag_types",
]


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize("check", CHECKS)
def test_checks_without_data_pass(extractor, check):
    getattr(estimator_checks, check)(type(extractor).__name__, extractor)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_scikit_learn_itself_has_but_one_check_for_columns_of_files(extractor):
    with pytest.warns(SkipTestWarning, match="one_d_array=True"):
        results = check_estimator(extractor, on_fail=None)
    assert [result["status"] for result in results] == ["passed"]
