"""Made-up rows and the risk model trained on them, shared by what tests the model and what explains it."""

import numpy as np
import pandas as pd
import pytest
from risk_recipes import DAYS, META, NAMES, RECIPE

from models.risk import fit


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(1)
    rows = 1200
    frame = pd.DataFrame(rng.gamma(2.0, 1.0, (rows, len(NAMES))), columns=NAMES)
    frame.loc[rng.random(rows) < 0.2, "return_share_12"] = np.nan
    frame["horizon"] = rng.integers(1, 7, rows).astype(float)
    odds = 1.2 * frame["rebates_overdue"] + 0.8 * frame["recency"] - 0.4 * frame["horizon"] - 3.1
    frame["label"] = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)
    frame["as_of"] = [DAYS[place % 6] for place in range(rows)]
    return frame


@pytest.fixture(scope="module")
def model(matrix):
    return fit(matrix, NAMES, RECIPE, META)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """An empty registry in SQLite, its artifacts beside it."""
    folder = tmp_path_factory.mktemp("registry")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        yield folder
