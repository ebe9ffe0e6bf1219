"""Why now: what moved an account's risk since it was last scored, by reason, adding up to the change.

With f the model of then and g that of now, x the features of then and y those of now, in log-odds

    g(y) - f(x) = sum over groups of (what they add at y - what they add at x, both by g)   + (g(x) - f(x))

so that what the account and its surroundings did stands apart from what a change of the model did. The same as points of
probability: `models.attribution.points`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.attribution import FloatArray, contributions, grouped, points
from models.risk import RiskModel

MODEL = "model"


def changes(model: RiskModel, now: pd.DataFrame, then: pd.DataFrame, log_odds_then: pd.Series[float]) -> pd.DataFrame:
    """Points of probability by which each group moved the risk, `change_<group>`, and `change_model`; index account_id.

    `now`, `then`: features, index account_id; `log_odds_then`: what the model of then gave. Rows of accounts scored
    both times; together they are the change of the risk.
    """
    both = now.index.intersection(then.index)
    old = contributions(model, then.loc[both])[0]
    terms = grouped(contributions(model, now.loc[both])[0] - old)
    before: FloatArray = np.asarray(log_odds_then.loc[both], dtype=np.float64)
    terms[MODEL] = model.log_odds(then.loc[both]) - before
    return points(terms, before).add_prefix("change_")
