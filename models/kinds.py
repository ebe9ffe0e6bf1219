"""Which kind of customer an account or a prospect is along the way from knowing nothing of us to buying from us alone.

The kinds are those of 004. An account is of the first of these that holds:

- **black_list**: it owes much and does not pay: its invoices overdue for `overdue_days` or more come to `overdue_share` of
  its purchases of the last year or more (any amount, where it bought nothing);
- **vip**: it buys much: among the `vip` share of accounts with the largest purchases of the last year. That somebody is
  useful otherwise no table tells;
- **adept**: it buys from us alone: its mean wallet share seen in the last year is `adept` or more;
- **loyal**: it always buys, even little: the habit is made, and it ordered in each of the last four quarters;
- **buyer**: it ordered in the last year, once, a few times, or more often but not always. The third purchase makes the
  `habit`;
- **former**: it has bought, but not in the last year (004 speaks of former accounts, but not as a kind);
- **client**: it knows us and has not bought: an account that never ordered, or a prospect whose intent is strong or is
  weak for another reason than the next;
- **newcomer**: a prospect that knows nothing of us: its intent is weak because we are `unknown_to_them`.

A kind whose table or columns are missing does not exist, and the result says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from features import standing
from features.declaration import Expression
from features.periods import Duration, periods_in_year

ACCOUNT_KINDS = ("black_list", "vip", "adept", "loyal", "buyer", "former", "client")
PROSPECT_KINDS = ("client", "newcomer")
UNKNOWN_TO_THEM = "unknown_to_them"
QUARTERS = 4


@dataclass(frozen=True)
class Rules:
    """Section `kinds` of `params.yaml`, where every figure has its source."""

    habit: int  # days with an order
    vip: float  # share of accounts
    adept: float  # share of wallet
    overdue_days: int
    overdue_share: float  # of the purchases of a year


@dataclass(frozen=True)
class Kinds:
    """Kinds at one as_of.

    `accounts`, ordered by account: account_id, kind; order_days (in all), amount (money, purchases of the last year net of
    returns), wallet (share), overdue, long_overdue (money), overdue_days; flags habit, loyal, adept, vip, black_list, which
    hold beside each other and are null where not known.
    `prospects`, ordered by prospect: prospect_id, kind, null where it is not known whether it knows us.
    `not_known`: the kinds that these tables cannot show.
    """

    accounts: pd.DataFrame
    prospects: pd.DataFrame
    not_known: tuple[str, ...]


def kinds(
    tables: Mapping[str, Expression],
    purchases: pd.DataFrame,
    ever: pd.DataFrame,
    period: Duration,
    as_of: date,
    rules: Rules,
) -> Kinds:
    """The kinds at `as_of` of all accounts that ordered, owe or are in `accounts`, and of all prospects.

    `tables`: the contract tables; `purchases`: `features.purchases.by_period` of at least a year; `ever`:
    `over_all_time`; both at the same as_of.
    """
    year = periods_in_year(period)
    has_invoices = standing.has(tables, "invoices", *standing.INVOICES)
    has_wallet = standing.has(tables, "competitor_signals", *standing.WALLET)
    parts = [ever.set_index("account_id")[["order_days"]], _year(purchases, year)]
    if has_invoices:
        parts.append(standing.overdue(tables["invoices"], as_of, rules.overdue_days).set_index("account_id"))
    traded = sorted(set().union(*(part.index for part in parts)))
    if "accounts" in tables:
        parts.append(standing.opened(tables["accounts"], as_of).set_index("account_id"))
    if has_wallet:
        parts.append(
            standing.wallet(tables["competitor_signals"], period.before(as_of, year), as_of).set_index("account_id")
        )
    frame = pd.DataFrame(index=pd.Index(sorted(set(traded).union(*(part.index for part in parts))), name="account_id"))
    for part in parts:
        frame = frame.join(part)
    for name in ("order_days", "amount", "days_of_year", "quarters"):
        frame[name] = frame[name].fillna(0)
    for name in ("overdue", "long_overdue", "overdue_days"):  # no invoice of it is overdue, or we do not know
        frame[name] = frame[name].fillna(0) if has_invoices else math.nan
    if not has_wallet:
        frame["wallet"] = math.nan
    accounts = _flagged(frame, has_invoices, rules)
    accounts.insert(0, "kind", _first(accounts, accounts.index.isin(traded)))
    prospects = _prospects(tables, as_of)
    not_known = {
        "black_list": not has_invoices,
        "adept": not has_wallet,
        "client": "accounts" not in tables and not standing.has(tables, "prospects", "intent"),
        "newcomer": not standing.has(tables, "prospects", "intent_why"),
    }
    columns = ["kind", "order_days", "amount", "wallet", "overdue", "long_overdue", "overdue_days"]
    flags = ["habit", "loyal", "adept", "vip", "black_list"]
    return Kinds(
        accounts[columns + flags].astype({"order_days": "int64"}).reset_index(),
        prospects,
        tuple(code for code, lacks in not_known.items() if lacks),
    )


def _year(purchases: pd.DataFrame, year: int) -> pd.DataFrame:
    """amount, days_of_year and the number of quarters with an order of each account in the last year, index account_id."""
    rows = purchases[purchases["periods_ago"] <= year].sort_values(["account_id", "periods_ago"])
    rows = rows.assign(quarter=(rows["periods_ago"] - 1) * QUARTERS // year)
    found = rows.groupby("account_id").agg(amount=("amount", "sum"), days_of_year=("order_days", "sum"))
    ordered = rows[rows["order_days"] > 0].groupby("account_id")["quarter"].nunique()
    return found.assign(quarters=ordered.reindex(found.index, fill_value=0))


def _flagged(frame: pd.DataFrame, has_invoices: bool, rules: Rules) -> pd.DataFrame:
    buys = frame["days_of_year"] > 0
    amounts = frame.loc[buys & (frame["amount"] > 0), "amount"].to_numpy(dtype=np.float64)
    count = math.ceil(round(rules.vip * len(amounts), 9))
    least = np.sort(amounts)[::-1][count - 1] if count else math.inf  # who buys as much as the last of them is one too
    habit = frame["order_days"] >= rules.habit
    much = frame["long_overdue"] >= rules.overdue_share * frame["amount"].clip(lower=0.0)
    black = ((frame["long_overdue"] > 0) & much).astype("boolean")
    adept = ((frame["wallet"] >= rules.adept) & buys).astype("boolean")
    return frame.assign(
        buys=buys,
        habit=habit,
        loyal=habit & (frame["quarters"] >= QUARTERS),
        adept=adept.mask(frame["wallet"].isna()),
        vip=buys & (frame["amount"] >= least),
        black_list=black if has_invoices else black.mask(black.notna()),
    )


def _first(accounts: pd.DataFrame, traded: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> pd.Series[str]:
    """The first kind in the order of precedence."""
    holds = [
        *(accounts[name].fillna(False).to_numpy(dtype=bool) for name in ("black_list", "vip", "adept")),
        (accounts["loyal"] & accounts["buys"]).to_numpy(dtype=bool),
        accounts["buys"].to_numpy(dtype=bool),
        traded,
    ]
    return pd.Series(np.select(holds, ACCOUNT_KINDS[:-1], ACCOUNT_KINDS[-1]), index=accounts.index, dtype="str")


def _prospects(tables: Mapping[str, Expression], as_of: date) -> pd.DataFrame:
    if "prospects" not in tables:
        return pd.DataFrame({"prospect_id": pd.Series(dtype="str"), "kind": pd.Series(dtype="str")})
    found = standing.intents(tables["prospects"], as_of)
    newcomer = found["intent_why"].eq(UNKNOWN_TO_THEM).to_numpy(dtype=bool)
    client = (found["intent"].eq("strong") | found["intent_why"].notna()).to_numpy(dtype=bool)
    kind = pd.Series(np.select([newcomer, client], ["newcomer", "client"], ""), index=found.index, dtype="str")
    return pd.DataFrame({"prospect_id": found["prospect_id"], "kind": kind.replace("", None)})
