"""Three baselines that every evaluation must beat: recency, a logistic RFM model, and BG/NBD.

BG/NBD is written out here because lifetimes is unmaintained since 2020 and pymc-marketing needs a C compiler to run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln, psi
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from features.errors import ConfigurationError, ContractError
from models.metrics import require_numbers

FloatArray = NDArray[np.float64]
Transform = Callable[[FloatArray], FloatArray]

LEARNED_FROM = ("recency", "order_days_12", "amount_12")  # columns that some baseline is fitted on, beside the label
_DAYS = 7.0  # a week is the model's unit of time: parameters then lie near those published
_STARTS = ((0.0, 0.0, 0.0, 0.0), (-1.0, 1.5, -0.5, 1.0), (0.5, 3.0, -2.0, 1.0), (1.0, 2.5, 0.5, 2.0))  # log-parameters
_BOUND = 12.0  # of a log-parameter: e.g. no dropout at all is a = 0, a limit that no finite logarithm reaches
_FLAT = 1e-4  # gradient of the mean log-likelihood at which a search that met rounding error counts as finished


class Fitted(Protocol):
    """A baseline ready to predict."""

    def predict(self, test: pd.DataFrame) -> FloatArray:
        """Probability of no order within the horizon, one a row of `test`."""


class Baseline(Protocol):
    """What `evaluate` needs of a baseline; its settings are its fields."""

    def fit(self, train: pd.DataFrame) -> Fitted:
        """Learn from rows with a matured label. The baseline itself does not change."""


def baselines(horizon: int) -> dict[str, Baseline]:
    """All baselines, by the name of their column in the predictions; `horizon` in days."""
    return {
        "recency": Logistic({"recency": np.log}),
        "rfm_logistic": Logistic({"recency": np.log1p, "order_days_12": _log1p_positive, "amount_12": _log1p_positive}),
        "bg_nbd": BgNbd(horizon),
    }


@dataclass(frozen=True)
class Logistic:
    """Logistic regression on a few transformed, then standardised columns.

    On recency alone it ranks as recency does, and adds a probability to it. `fit` raises ContractError for missing
    columns or numbers, for a label other than 0 and 1 and where only one of them occurs.
    """

    columns: Mapping[str, Transform]

    def fit(self, train: pd.DataFrame) -> FittedLogistic:
        """Learn mean, spread and coefficients, with scikit-learn's default penalty."""
        require_numbers(train, [*self.columns, "label"])
        found = sorted(map(float, train["label"].unique()))
        if found != [0.0, 1.0]:
            raise ContractError(
                f"label holds {found} in {len(train):,} training rows; a baseline learns from both 0 and 1. "
                "Train on more cut-offs, and only on labels that have matured."
            )
        model = make_pipeline(StandardScaler(), LogisticRegression())
        return FittedLogistic(self.columns, model.fit(_design(train, self.columns), train["label"].to_numpy(float)))


@dataclass(frozen=True)
class FittedLogistic:
    """A `Logistic` with its coefficients."""

    columns: Mapping[str, Transform]
    model: Pipeline

    def predict(self, test: pd.DataFrame) -> FloatArray:
        """Raises ContractError for missing columns or numbers."""
        require_numbers(test, [*self.columns])
        return np.asarray(self.model.predict_proba(_design(test, self.columns))[:, 1], dtype=np.float64)


@dataclass(frozen=True)
class BgNbd:
    """Beta-geometric / negative binomial model of buying until a silent end (Fader, Hardie & Lee 2005).

    While alive an account orders at its own rate, gamma(r, alpha) over accounts; after each order but the first it ends
    with its own probability, beta(a, b) over accounts. It needs no label: it is fitted to the order history up to the
    cut-off of the very accounts that it predicts, so `test` must be one cut-off.
    Source: Marketing Science 24(2), 275-284.
    """

    horizon: int  # days

    def fit(self, train: pd.DataFrame) -> BgNbd:
        """Nothing is learnt from other cut-offs."""
        return self

    def predict(self, test: pd.DataFrame) -> FloatArray:
        """Raises ContractError for bad columns, ConfigurationError if the likelihood has no maximum to be found."""
        history = History.of(test)
        return no_order(fit_bg_nbd(history), history, self.horizon / _DAYS)


@dataclass(frozen=True)
class Parameters:
    """Of the model: order rates are gamma(r, rate alpha) a week, ends after an order are beta(a, b)."""

    r: float
    alpha: float
    a: float
    b: float


@dataclass(frozen=True)
class History:
    """All that BG/NBD uses of an account: three numbers each, times in weeks."""

    x: FloatArray  # order days after the first
    t_x: FloatArray  # from first to last order
    T: FloatArray  # from first order to the cut-off

    @classmethod
    def of(cls, frame: pd.DataFrame) -> History:
        """From recency, tenure (days) and order_days_total; raises ContractError if they contradict one another."""
        require_numbers(frame, ["recency", "tenure", "order_days_total"])
        if "as_of" in frame and frame["as_of"].nunique() > 1:
            raise ContractError(
                f"BG/NBD was given {frame['as_of'].nunique()} cut-offs at once, so that accounts repeat. "
                "Predict one cut-off at a time."
            )
        recency, tenure, days = (frame[name].to_numpy(float) for name in ("recency", "tenure", "order_days_total"))
        wrong = (recency < 0) | (recency > tenure) | (days < 1) | ((days > 1) & (recency == tenure))
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise ContractError(
                f"recency, tenure and order_days_total contradict one another in {int(wrong.sum()):,} of "
                f"{len(wrong):,} rows, for example {recency[first]:g}, {tenure[first]:g}, {days[first]:g}. Need "
                "0 <= recency <= tenure, a day with an order, and recency < tenure where there is more than one."
            )
        return cls(days - 1, (tenure - recency) / _DAYS, tenure / _DAYS)


def fit_bg_nbd(history: History) -> Parameters:
    """Maximum likelihood from several starts.

    Raises ConfigurationError if no account ordered twice (rates cannot be told from ends) or no search converged.
    """
    if not (history.x > 0).any():
        raise ConfigurationError(
            f"BG/NBD cannot be fitted: none of {len(history.x):,} accounts ordered on a second day. "
            "Choose a later cut-off in params.yaml (evaluate.cutoffs), or a longer history."
        )
    # Rescaled by the mean so that tolerances mean the same for any number of accounts.
    size = len(history.x)

    def objective(logs: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = log_likelihood(logs, history)
        return -value / size, -gradient / size

    searches = [
        minimize(
            objective,
            np.array(start),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-_BOUND, _BOUND)] * 4,
            options={"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-7},
        )
        for start in _STARTS
    ]
    best = min(searches, key=lambda search: float(search.fun))
    inside = np.abs(best.x) < _BOUND
    if not np.isfinite(best.fun) or not (best.success or np.abs(best.jac[inside]).max(initial=0.0) < _FLAT):
        raise ConfigurationError(
            f"BG/NBD did not converge on {size:,} accounts ({best.message}). "
            "Look for impossible order dates among them, or choose a cut-off with more accounts in params.yaml "
            "(evaluate.cutoffs)."
        )
    return Parameters(*np.exp(best.x).tolist())


def log_likelihood(logs: FloatArray, history: History) -> tuple[float, FloatArray]:
    """Log-likelihood of (log r, log alpha, log a, log b) and its gradient (4,); equation 6 of the source.

    An account's likelihood is the sum of two terms: alive at T, or ended with its last order. The share of the first is
    P(alive), which weighs the two terms' gradients.
    """
    r, alpha, a, b = parameters = np.exp(logs)
    x, repeat = history.x, history.x > 0
    age, last = alpha + history.T, alpha + history.t_x
    log_age, log_last = np.log(age), np.log(last)
    before = np.where(repeat, b + x - 1, 1.0)  # of use only where there was a repeat order
    shared = gammaln(r + x) - gammaln(r) + r * logs[1] - betaln(a, b)
    alive = betaln(a, b + x) - (r + x) * log_age
    ended = np.where(repeat, betaln(a + 1, before) - (r + x) * log_last, -np.inf)
    either = np.logaddexp(alive, ended)
    p_alive = np.exp(alive - either)
    p_ended = 1 - p_alive
    gradient = np.array(
        [
            (psi(r + x) - psi(r) + logs[1] - p_alive * log_age - p_ended * log_last).sum(),
            (r / alpha - (r + x) * (p_alive / age + p_ended / last)).sum(),
            (p_ended / a - psi(a + b + x) + psi(a + b)).sum(),
            (psi(b + x) - p_ended / before - psi(a + b + x) - psi(b) + psi(a + b)).sum(),
        ]
    )
    return float((shared + either).sum()), gradient * parameters


def probability_alive(parameters: Parameters, history: History) -> FloatArray:
    """P(alive at T): 1 / (1 + [x > 0] a / (b + x - 1) ((alpha + T) / (alpha + t_x))^(r + x)).

    Source: Fader, Hardie & Lee (2008), "Computing P(alive) using the BG/NBD model". An account that ordered once is
    alive for certain, which is why P(alive) alone must not rank accounts.
    """
    r, alpha, a, b = parameters.r, parameters.alpha, parameters.a, parameters.b
    x, repeat = history.x, history.x > 0
    odds = np.log(a) - np.log(np.where(repeat, b + x - 1, 1.0))
    odds += (r + x) * (np.log(alpha + history.T) - np.log(alpha + history.t_x))
    return np.where(repeat, expit(-odds), 1.0)


def no_order(parameters: Parameters, history: History, horizon: float) -> FloatArray:
    """P(no order within `horizon` weeks of T): 1 - P(alive) (1 - ((alpha + T) / (alpha + T + horizon))^(r + x)).

    Given that an account is alive at T, its rate is gamma(r + x, alpha + T); the power is the mean of exp(-rate x
    horizon) under it.
    """
    r, alpha = parameters.r, parameters.alpha
    some = -np.expm1(-(r + history.x) * np.log1p(horizon / (alpha + history.T)))
    return 1 - probability_alive(parameters, history) * some


def _design(frame: pd.DataFrame, columns: Mapping[str, Transform]) -> FloatArray:
    if "recency" in columns and (early := int((frame["recency"] < 1).sum())):
        raise ContractError(
            f"recency is below 1 day in {early:,} of {len(frame):,} rows: an order at or after the cut-off was counted."
        )
    return np.stack([transform(frame[name].to_numpy(float)) for name, transform in columns.items()], axis=1)


def _log1p_positive(values: FloatArray) -> FloatArray:
    """An amount is negative where more came back than was bought in the window: to this model, nothing was bought."""
    logs: FloatArray = np.log1p(values.clip(min=0))
    return logs
