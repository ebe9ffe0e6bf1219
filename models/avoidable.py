"""How much of the risk of a loss to come its documented causes are answerable for: what an action can take away.

The risk that an account is lost within the horizon says that it will be silent. Whoever is silent then has mostly decided
before, or orders rarely, and no visit changes that. A visit changes causes that are at work now and have not yet led to a
decision. Their odds add up in the model of causes (`models/causes.py`), so that

    avoidable = expit(k + log(1 + sum over reasons of h)) - expit(k)

is the risk with the causes less that without them, where the signs of a loss under way are left out and k is such that the
mean risk with the causes is that of the risk model.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

FloatArray = NDArray[np.float64]


def avoidable_risk(risk: ArrayLike, hazard: ArrayLike) -> FloatArray:
    """The part of a loss to come that documented causes are answerable for, 0 to 1, (n,).

    `risk`: of all active accounts, whose mean alone counts; `hazard`: of each account the sum over the reasons of
    `CauseModel.hazards` at the as_of. 0 where no cause is seen.
    """
    added: FloatArray = np.log1p(np.asarray(hazard, float))
    if not len(added):
        return np.zeros(0)
    mean = float(np.clip(np.mean(np.asarray(risk, float)), 1e-9, 1 - 1e-9))
    highest = logit(mean)  # no account has less than no cause
    # a whole unit wider than it need be: near 0 and 1 less than that is lost in rounding
    base = brentq(lambda k: expit(k + added).mean() - mean, highest - added.max() - 1, highest + 1)
    avoidable: FloatArray = expit(base + added) - expit(base)
    return avoidable
