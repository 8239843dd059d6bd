"""Predict the strength of a sentiment: JOYFUL's regressor beside two floors.

    python examples/scores_table.py --data mosi_tav.npz \
        --modalities text audio visual --label score --seeds 3

The table is read as in ``results_table.py``. Printed are the mean absolute error and
the correlation on the test rows, mean and deviation over seeds.
"""

import numpy as np
import pandas as pd
import torch
from bigru import features
from joblib import Parallel, delayed
from results_table import parse, print_row, read
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skmerc import JoyfulRegressor

MODELS = {
    "median": lambda seed: DummyRegressor(strategy="median"),
    "ridge regression": lambda seed: make_pipeline(
        FunctionTransformer(features), StandardScaler(), Ridge(1000.0)
    ),
    "JOYFUL": lambda seed: JoyfulRegressor(random_state=seed),
}


def score(name, seed, parts):
    """Fit on the training rows, score once on the test rows."""
    torch.set_num_threads(1)
    X, y, X_test, y_test = parts
    answer = MODELS[name](seed).fit(X, y).predict(X_test)
    spread = answer.std() * y_test.std()
    together = np.mean((answer - answer.mean()) * (y_test - y_test.mean()))
    return {
        "model": name,
        "mean absolute error": np.abs(answer - y_test).mean(),
        "correlation": together / spread if spread else 0.0,
    }


if __name__ == "__main__":
    arguments = parse(__doc__.splitlines()[0], MODELS, label="score")
    (parts,) = read(arguments.data, arguments.modalities, label=arguments.label)
    runs = pd.DataFrame(
        Parallel(arguments.jobs)(
            delayed(score)(name, seed, parts)
            for name in arguments.models
            for seed in range(arguments.seeds)
        )
    )
    print_row(*runs.columns)
    print_row(*["---"] * 3)
    for name, of_model in runs.groupby("model", sort=False):
        values = of_model.drop(columns="model")
        cells = zip(values.mean(), values.std(ddof=1).fillna(0), strict=True)
        print_row(name, *(f"{m:.3f} ± {s:.3f}" for m, s in cells))
    if arguments.save:
        runs.to_csv(arguments.save, index=False)
