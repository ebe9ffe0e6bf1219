"""Accounts that once stood as an account stands now, and how it ended with them.

Two rows are alike where the model says the same of them for the same reasons: the distance is Euclidean between their SHAP
values in log-odds by group (reasons, symptom, context) and their log-odds, each over its standard deviation among the
past rows, so that a reason counts although the signs of the loss move the risk more. What became of the past accounts is
known; it illustrates a risk and is no estimate of it.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from features.periods import Label
from models.attribution import group_contributions
from models.risk import RiskModel

FloatArray = npt.NDArray[np.float64]
NOTHING = 1e-9  # a deviation in log-odds that is rounding
SPARE = 8  # neighbours beyond those needed, among which equal distances are put in order


def similar(
    model: RiskModel, live: pd.DataFrame, past: pd.DataFrame, label: Label, accounts: int, cutoffs: int
) -> pd.DataFrame:
    """The past rows nearest to each live account, of `accounts` different other accounts.

    `live`: account_id, one as_of and the model's features; `past`: rows of the matrix, with their label too. Columns

    - account_id, in the order of `live`; place, 1 the nearest; similar_account and the as_of it stood like that;
    - risk_then: what today's model says of it as it was then; lost: what became of it; distance: 0 or more.

    Past rows are those of `past_cutoffs`. Equal distances go to the earlier account_id, and of one account to its latest
    cut-off. An account has fewer rows where there are not so many others, and none where no label is known yet.
    """
    columns = ["account_id", "place", "similar_account", "as_of", "risk_then", "lost", "distance"]
    days = past_cutoffs(past, live["as_of"].iloc[0], label, cutoffs) if len(live) else []
    if not days:
        return pd.DataFrame(columns=columns)
    rows = past[past["as_of"].isin(days) & past["label"].notna()].sort_values(
        ["as_of", "account_id"], ignore_index=True
    )
    then, now = _space(model, rows), _space(model, live)
    spread = then.std(axis=0)
    scale = np.where(spread > NOTHING, spread, 1.0)
    risk = expit(then[:, -1])
    then, now = then / scale, now / scale
    codes, names = pd.factorize(pd.concat([rows["account_id"], live["account_id"]]), sort=True)
    theirs, own = codes[: len(rows)], codes[len(rows) :]
    found, distances = _candidates(then, now, rows["as_of"].to_numpy(), days, accounts)
    chosen, valid = _nearest(found, distances, theirs, own, accounts)
    live_row, place = np.nonzero(valid)
    row = np.take_along_axis(found, chosen, axis=1)[valid]
    return pd.DataFrame(
        {
            "account_id": live["account_id"].to_numpy()[live_row],
            "place": place + 1,
            "similar_account": names[theirs[row]],
            "as_of": rows["as_of"].to_numpy()[row],
            "risk_then": risk[row],
            "lost": rows["label"].to_numpy()[row] == 1,
            "distance": np.take_along_axis(distances, chosen, axis=1)[valid],
        }
    )


def past_cutoffs(past: pd.DataFrame, as_of: date, label: Label, most: int) -> list[date]:
    """The last cut-offs of the matrix whose label was known at `as_of`, latest first, at most so many.

    They lie a horizon or more apart: cut-offs between them look at the same losses again.
    """
    days = sorted(past.loc[past["label"].notna(), "as_of"].unique(), reverse=True)
    chosen: list[date] = []
    for day in days:
        apart = not chosen or day <= label.horizon.before(chosen[-1])
        if label.matures(day) <= as_of and apart and len(chosen) < most:
            chosen.append(day)
    return chosen


def _space(model: RiskModel, frame: pd.DataFrame) -> FloatArray:
    """(rows, groups + 1): SHAP values by group, and last the log-odds."""
    groups = group_contributions(model, frame)
    return np.column_stack([groups.to_numpy(), model.log_odds(frame)])


def _candidates(
    then: FloatArray, now: FloatArray, day: npt.NDArray[np.object_], days: list[date], accounts: int
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Rows of the past nearest to each live one, and their distances, (live, candidates).

    At one cut-off an account has one row. So the nearest of every cut-off, one more than wanted for the account itself,
    hold the nearest rows of so many other accounts.
    """
    from sklearn.neighbors import NearestNeighbors

    found, distances = [], []
    for one in days:
        place = np.flatnonzero(day == one)
        count = min(accounts + 1 + SPARE, len(place))
        # with so many dimensions a tree of the points takes longer than all distances, which are a product of matrices
        search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(then[place])
        rows = place[search.kneighbors(now, return_distance=False)]
        found.append(rows)
        distances.append(
            np.sqrt(((then[rows] - now[:, None, :]) ** 2).sum(axis=2))
        )  # exact, also where next to nothing
    return np.concatenate(found, axis=1), np.concatenate(distances, axis=1)


def _nearest(
    found: npt.NDArray[np.intp],
    distances: FloatArray,
    theirs: npt.NDArray[np.intp],
    own: npt.NDArray[np.intp],
    accounts: int,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Which candidates are the nearest of different other accounts, and whether there are so many: (live, accounts)."""
    # nearest first, then by account, then the latest: rows of the past are ordered by cut-off
    order = np.lexsort((-found, theirs[found], distances), axis=1)
    account = np.take_along_axis(theirs[found], order, axis=1)
    taken = account == own[:, None]
    chosen = np.zeros((len(found), accounts), dtype=np.intp)
    valid = np.zeros((len(found), accounts), dtype=np.bool_)
    every = np.arange(len(found))
    for place in range(accounts):
        first = np.argmin(taken, axis=1)
        valid[:, place] = ~taken[every, first]
        chosen[:, place] = order[every, first]
        taken |= account == account[every, first][:, None]
    return chosen, valid
