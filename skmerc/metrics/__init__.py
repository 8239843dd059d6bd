"""Scores of recognised emotions and of synthetic samples."""

from skmerc.metrics._calibration import brier_score, expected_calibration_error
from skmerc.metrics._distribution import (
    correlation_gap,
    feature_distance,
    frechet_distance,
)
from skmerc.metrics._groups import scores_by_group
from skmerc.metrics._neighbors import copy_rate, precision_recall_density_coverage
from skmerc.metrics._quality import (
    sample_quality,
    train_on_synthetic_score,
    two_sample_auc,
)
from skmerc.metrics._recognition import (
    dialogue_confusion_matrix,
    minority_classes,
    minority_f1,
    recognition_report,
    weighted_f1,
)
from skmerc.metrics._scorers import (
    accuracy_scorer,
    macro_f1_scorer,
    make_dialogue_scorer,
    minority_f1_scorer,
    neg_log_loss_scorer,
    roc_auc_ovr_scorer,
    weighted_f1_scorer,
)
from skmerc.metrics._shifts import emotion_shift_f1, emotion_shifts
from skmerc.metrics._smoothing import mean_average_distance

__all__ = [
    "accuracy_scorer",
    "brier_score",
    "copy_rate",
    "correlation_gap",
    "dialogue_confusion_matrix",
    "emotion_shift_f1",
    "emotion_shifts",
    "expected_calibration_error",
    "feature_distance",
    "frechet_distance",
    "macro_f1_scorer",
    "make_dialogue_scorer",
    "mean_average_distance",
    "minority_classes",
    "minority_f1",
    "minority_f1_scorer",
    "neg_log_loss_scorer",
    "precision_recall_density_coverage",
    "recognition_report",
    "roc_auc_ovr_scorer",
    "sample_quality",
    "scores_by_group",
    "train_on_synthetic_score",
    "two_sample_auc",
    "weighted_f1",
    "weighted_f1_scorer",
]
