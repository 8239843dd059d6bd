"""What a fitted model relies on, and why it says what it says."""

from skmerc.inspection._explain import explain
from skmerc.inspection._explanation import Explanation
from skmerc.inspection._importance import modality_importance
from skmerc.inspection._in_place import answer_function

__all__ = ["Explanation", "answer_function", "explain", "modality_importance"]
