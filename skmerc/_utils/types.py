"""Types of arguments that many public functions take."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

Table = pd.DataFrame | ArrayLike
"""Utterances, one a row; a frame of polars is an array here."""

Modalities = Mapping[str, slice | Sequence[str] | Sequence[int]]
"""The columns of each modality, by name or by position among the feature columns."""

RandomState = int | np.random.RandomState | None
"""What scikit-learn calls a random state."""

FilePath = str | os.PathLike[str]
"""The name of a file."""
