"""Hindsight: only matured scorings and active accounts, hits counted by hand, and late bookings do not count."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from features.engines import connect, open_tables
from features.errors import ContractError
from features.periods import Duration, Label
from models.hindsight import CALIBRATION, REASONS, SCORINGS, Scoring, hindsight, ordered
from tests.features.worlds import mutate_future, world, write

LABEL = Label(Duration(3, "month"), Duration(12, "month"), booking_lag=Duration(5, "day"))
AS_OF = date(2024, 3, 15)
MATURED = date(2024, 6, 20)
ACCOUNTS = [f"A{number:02d}" for number in range(20)]


def order(account, at, is_return=False, recorded=None):
    return {
        "order_id": f"{account}{at}",
        "account_id": account,
        "ordered_at": at,
        "product_id": "P1",
        "amount": -1.0 if is_return else 1.0,
        "is_return": is_return,
        "recorded_at": recorded,
    }


def scores(**columns):
    """Risks from .95 down in steps of .05, the last account lapsed."""
    frame = pd.DataFrame({"account_id": ACCOUNTS, "lapsed": False, "naming": "named", "reason_1": "product"})
    frame["risk"] = 0.95 - 0.05 * np.arange(20)
    frame["as_of"] = AS_OF
    frame.loc[19, "lapsed"] = True
    return frame.assign(**columns)


def opened(folder, tables):
    write(folder, tables)
    return open_tables(connect("1GB"), folder)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Lost are A00, A02 and A03; the others order."""
    rows = [order(account, datetime(2024, 4, 1)) for account in ACCOUNTS if account not in ("A00", "A02", "A03")]
    rows += [order("A00", datetime(2024, 3, 14, 23)), order("A00", datetime(2024, 6, 15))]  # before, and after
    rows += [order("A02", datetime(2024, 5, 1), is_return=True)]
    rows += [order("A03", datetime(2024, 5, 1), recorded=datetime(2024, 6, 20))]  # booked once the label was known
    return opened(tmp_path_factory.mktemp("hindsight") / "tables", {"orders": rows})


def test_what_became_of_a_scoring(tables):
    frame = scores().sample(frac=1, random_state=3)
    told = hindsight([Scoring(AS_OF, lambda: frame, LABEL, date(2024, 3, 15))], tables, MATURED, 3, 0.9)
    row = told.scorings.iloc[0]
    assert tuple(told.scorings.columns) == SCORINGS
    risk = 0.95 - 0.05 * np.arange(19)
    assert (row["accounts"], row["lost"], row["top"], row["top_hits"]) == (19, 3, 2, 1)
    assert row["expected"] == pytest.approx(risk.sum())
    reach = norm.ppf(0.95) * np.sqrt((risk * (1 - risk)).sum())
    assert row["expected_high"] - row["expected"] == pytest.approx(reach)
    assert (row["listed"], row["listed_hits"]) == (3, 2)
    assert row["listed_rate"] == pytest.approx(2 / 3)
    assert row["listed_low"] < 2 / 3 < row["listed_high"]
    assert (row["matured"], row["foresight"]) == (MATURED, True)
    assert told.pending == ()


def test_calibration_in_fifths(tables):
    told = hindsight([Scoring(AS_OF, scores, LABEL)], tables, MATURED, 3, 0.9).calibration
    assert tuple(told.columns) == CALIBRATION
    assert told["accounts"].tolist() == [4, 4, 4, 4, 3]
    assert told["share_lost"].tolist() == [0.75, 0.0, 0.0, 0.0, 0.0]
    assert told["risk"].iloc[0] == pytest.approx(0.875)
    assert (told["low"] <= told["share_lost"]).all()
    assert (told["share_lost"] <= told["high"]).all()


def test_reasons_named_first(tables):
    naming = ["named"] * 2 + ["candidates"] + [None] * 17
    frame = scores(naming=naming, reason_1=["competitor", "product", "product", *[None] * 17])
    told = hindsight([Scoring(AS_OF, lambda: frame, LABEL)], tables, MATURED, 3, 0.9).reasons
    assert tuple(told.columns) == REASONS
    assert told[["reason", "accounts", "lost"]].to_numpy().tolist() == [
        ["none", 17, 2],
        ["competitor", 1, 1],
        ["product", 1, 0],
    ]


def test_nothing_before_it_has_matured(tables):
    told = hindsight([Scoring(AS_OF, scores, LABEL)], tables, date(2024, 6, 19), 3, 0.9)
    assert told.scorings.empty
    assert told.calibration.empty
    assert told.reasons.empty
    assert tuple(told.scorings.columns) == SCORINGS
    assert told.pending == (AS_OF,)
    assert hindsight([], tables, MATURED, 3, 0.9).pending == ()
    lapsed = Scoring(AS_OF, lambda: scores(lapsed=True), LABEL)
    assert hindsight([lapsed], tables, MATURED, 3, 0.9).scorings.empty


def test_a_model_that_knew_the_outcome_is_no_feat(tables):
    days = [date(2024, 3, 15), date(2024, 3, 16), None]
    listed = [Scoring(AS_OF, scores, LABEL, day) for day in days]
    assert hindsight(listed, tables, MATURED, 3, 0.9).scorings["foresight"].tolist() == [True, False, None]


@pytest.mark.parametrize("seed", range(2))
def test_what_is_booked_later_changes_nothing(tmp_path, seed):
    tables, label = world(seed), Label(Duration(3, "month"), Duration(12, "month"))
    until = label.matures(date(2023, 12, 15))
    now = opened(tmp_path / "now", tables)
    later = opened(tmp_path / "later", mutate_future(tables, until, seed + 1))
    found = ordered(now, date(2023, 12, 15), label)
    assert found
    assert ordered(later, date(2023, 12, 15), label) == found


def test_a_scoring_of_another_version_is_named(tables):
    with pytest.raises(ContractError, match=r"The scoring of 2024-03-15 lacks naming: .* score that day again"):
        hindsight([Scoring(AS_OF, lambda: scores().drop(columns="naming"), LABEL)], tables, MATURED, 3, 0.9)
