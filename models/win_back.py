"""Lapsed accounts: the chance that they order when approached, what that is worth, and what to do about each.

The mean chance is a Beta: the documents say that an order comes from 40 % of former accounts (004), the company's own
tables say what happened (`models/approaches.py`), and the more they tell the less the documents count. Who is likelier than
others the risk says: the log-odds of an order, logit(1 - risk), shifted by one number for all so that the mean chance of
those who were approached is that of the Beta. Those are seldom like all that have lapsed, whose mean may be far below.
Without any, it is the mean of all that have lapsed. Restoring ties can cost more than the account brings (004), so it is reckoned first:

    profit = chance x (value - incentive) - contacts x cost of a contact.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import beta

from features.errors import ContractError
from models.approaches import Approaches
from models.campaign import Economics
from models.profit import FloatArray, Terms

CLOSE, TALK, LEAVE = "close", "talk", "leave"
DECISIONS = (TALK, LEAVE, CLOSE)  # in the order of the list
CLOSES = "account manager"  # who enters the first cause of a loss, and so closes the case (004)
_CLIP = 1e-9  # log-odds of a risk of exactly 0 or 1 would be infinite
_REACH = 60.0  # no shift of log-odds between clipped risks is further


@dataclass(frozen=True)
class WinBack:
    """Section `win_back` of `params.yaml`, where every figure has its source."""

    former: float  # share of former accounts that order when approached
    new: float  # ... of new contacts
    prior_accounts: float  # as sure of both as if seen on so many accounts
    contacts: int  # what an approach takes
    talk_by: str  # who talks to the account's decision-maker


def posterior(terms: WinBack, own: Approaches, level: float) -> dict[str, Any]:
    """The mean chance of an order from a lapsed account that is approached: Beta of prior and own data.

    Returns `value`, `low`, `high` (at `level`); `prior` and `prior_accounts`; `trials` and `ordered` of the company's own
    data with their share `own` (None without any), `accounts` and `cutoffs`; `approached`: False where own data tell of
    lapsed accounts that nobody is known to have approached.
    """
    return _updated(terms.former, terms.prior_accounts, own.trials, own.ordered, level) | {
        "accounts": own.accounts,
        "cutoffs": [str(day) for day in own.cutoffs],
        "approached": own.approached,
    }


def new_contacts(terms: WinBack, ordered: FloatArray | None, level: float) -> dict[str, Any]:
    """The mean chance of an order from a new contact, as `posterior`, without its last three.

    `ordered`: 1 or 0 for each prospect (`money_tables.prospects_who_ordered`); None: nothing tells what became of them.
    """
    known = np.zeros(0) if ordered is None else ordered
    return _updated(terms.new, terms.prior_accounts, len(known), int(known.sum()), level)


def _updated(prior: float, accounts: float, trials: int, ordered: int, level: float) -> dict[str, Any]:
    alpha, gone = prior * accounts + ordered, (1 - prior) * accounts + trials - ordered
    low, high = (float(beta.ppf(part, alpha, gone)) for part in ((1 - level) / 2, (1 + level) / 2))
    return {
        "value": alpha / (alpha + gone),
        "low": low,
        "high": high,
        "prior": prior,
        "prior_accounts": accounts,
        "trials": trials,
        "ordered": ordered,
        "own": ordered / trials if trials else None,
    }


def chances(risk: FloatArray, mean: float, of: FloatArray | None = None) -> FloatArray:
    """Chance of an order of each account: (accounts,).

    Shifted so that accounts of the risks `of` would have a mean chance of `mean` (within 0 and 1); None: so that these do.
    """
    if not len(risk):
        return np.zeros(0)
    odds, known = _odds(risk), _odds(risk if of is None or not len(of) else of)
    shift = brentq(lambda by: float(expit(known + by).mean()) - mean, -_REACH, _REACH, xtol=1e-12)
    return np.asarray(expit(odds + shift), dtype=np.float64)


def _odds(risk: FloatArray) -> FloatArray:
    return np.asarray(logit(np.clip(1 - risk, _CLIP, 1 - _CLIP)), dtype=np.float64)


def win_back(
    lapsed: pd.DataFrame,
    mean: float,
    economics: Economics,
    costs: Terms,
    terms: WinBack,
    objective: Collection[str],
    of: FloatArray | None = None,
) -> pd.DataFrame:
    """What to do about each lapsed account, in the order of its place.

    `lapsed`: account_id, risk, yearly (purchases of its last year of buying, money), naming and reason_1 as in the scores,
    and strategic (True or False, null where it is not known; without the column nothing is known). `objective`: the codes of
    reasons that are no fault of ours; `mean` and `of` as in `chances`. Returns account_id, reason, chance, value (margin of a year), cost, profit,
    decision, who, place.

    `close`: the reason is named and objective, and the account is known not to be strategic (004). `leave`: it costs more
    than it is expected to bring, and the account is not strategic. Else `talk`. Raises ContractError for a missing column.
    """
    if missing := [name for name in ("account_id", "risk", "yearly", "naming", "reason_1") if name not in lapsed]:
        raise ContractError(f"Missing columns: {', '.join(missing)}. There are: {', '.join(map(str, lapsed.columns))}.")
    rows = lapsed.sort_values("account_id", ignore_index=True)
    chance = chances(rows["risk"].to_numpy(dtype=float), mean, of)
    value = economics.value(rows["yearly"])
    cost = terms.contacts * costs.contact
    profit = chance * (value - costs.incentive - costs.incentive_share * value) - cost
    known = rows["strategic"].astype("boolean") if "strategic" in rows else pd.Series(pd.NA, rows.index, "boolean")
    strategic, plain = known.fillna(False).to_numpy(bool), (~known).fillna(False).to_numpy(bool)
    nobodys_fault = (rows["naming"] == "named").to_numpy(bool) & rows["reason_1"].isin(list(objective)).to_numpy(bool)
    decision = np.where(nobodys_fault & plain, CLOSE, np.where((profit <= 0) & ~strategic, LEAVE, TALK))
    result = pd.DataFrame(
        {
            "account_id": rows["account_id"],
            "reason": rows["reason_1"],
            "chance": chance,
            "value": value,
            "cost": cost,
            "profit": profit,
            "decision": decision,
            "who": pd.Series(decision).map({TALK: terms.talk_by, CLOSE: CLOSES, LEAVE: None}),
        }
    )
    turn = pd.Series(decision).map({name: place for place, name in enumerate(DECISIONS)})
    result = result.assign(turn_=turn).sort_values(["turn_", "profit", "account_id"], ascending=[True, False, True])
    return result.drop(columns="turn_").assign(place=np.arange(1, len(result) + 1)).reset_index(drop=True)
