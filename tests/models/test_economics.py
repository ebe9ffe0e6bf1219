"""The documents' claims beside own figures: formulas by hand, reasons where nothing can be seen, words that fit."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from features.engines import connect, open_tables
from models.approaches import Approaches
from models.campaign import Economics
from models.claims import CLAIMS
from models.economics import Given, Winning, compare, income_change
from tests.features.worlds import write

AS_OF = date(2024, 3, 15)
MONEY = Economics(0.25, 10.0, 0.05, 0.0, 0.0, 0.4, 10)
WINNING = Winning(cost_of_winning=60.0, years=5, payback_months=12, least=5)
ACCOUNTS = [f"A{number:02d}" for number in range(20)]


def order(account, day, amount, margin):
    return {
        "order_id": f"{account}{day}",
        "account_id": account,
        "ordered_at": datetime(day.year, day.month, day.day, 9),
        "product_id": "P1",
        "amount": amount,
        "margin": margin,
        "is_return": False,
    }


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """20 accounts: the first four buy for 400 at 10 %, the others for 25 at 20 %; one of ten is gone after a year."""
    folder = tmp_path_factory.mktemp("economics") / "tables"
    rows = [order("seed", date(2021, 1, 1), 1.0, 0.1)]
    for place, account in enumerate(ACCOUNTS):
        amount, rate = (400.0, 0.1) if place < 4 else (25.0, 0.2)
        rows.append(order(account, date(2023, 2, 1), 8 * amount, 8 * amount * rate))
        rows.append(order(account, date(2024, 1, 1), amount, amount * rate))
    contacts = [
        {"contact_id": account, "account_id": account, "contacted_at": datetime(2024, 1, 1), "inbound": False}
        for account in ACCOUNTS
    ]
    write(folder, {"orders": rows, "contacts": contacts})
    days = [date(2023, 3, 15), AS_OF]
    matrix = pd.DataFrame([(account, day, False, 100.0) for day in days for account in ACCOUNTS])
    matrix.columns = ["account_id", "as_of", "lapsed", "amount_12"]
    later = matrix["as_of"] == AS_OF
    matrix.loc[later & (matrix["account_id"] == "A00"), "lapsed"] = True
    matrix = matrix[~(later & (matrix["account_id"] == "A01"))]
    trials = pd.DataFrame({"account_id": ACCOUNTS[:8], "as_of": days[0], "ordered": [True] * 2 + [False] * 6})
    restoring = pd.DataFrame({"profit": [-1.0] * 6 + [1.0, 0.0]})
    approached = Approaches(True, 8, 2, 8, (days[0],), trials)
    return Given(open_tables(connect("1GB"), folder), matrix, AS_OF, approached, restoring, MONEY, WINNING)


def told(given):
    return {record["code"]: record for record in compare(given, 200, 0.9, 7)}


def test_income_with_fewer_losses_is_the_sum_of_what_stays():
    loss = 0.3
    sums = {share: sum((1 - share) ** year for year in range(4)) for share in (0.3, 0.27, 0.2)}
    assert income_change(np.array([loss]), 0.1, False, 4)[0] == pytest.approx(sums[0.27] / sums[0.3] - 1)
    assert income_change(np.array([loss]), 0.1, True, 4)[0] == pytest.approx(sums[0.2] / sums[0.3] - 1)
    assert income_change(np.array([0.0, 0.05]), 0.1, True, 4) == pytest.approx(
        [0.0, 4 / sum(0.95**year for year in range(4)) - 1]
    )


def test_own_figures(given):
    records = told(given)
    own = {code: record["own"]["value"] for code, record in records.items() if record["own"]}
    assert own["concentration"] == pytest.approx(1600 / 2000)
    assert own["small_margin"] == pytest.approx(10.0)
    assert own["former_order"] == pytest.approx(0.25)
    assert own["restoring"] == pytest.approx(7 / 8)
    assert own["cost_of_winning"] == pytest.approx(60 / 10)
    years = (AS_OF - date(2023, 3, 15)).days / 365.25
    loss = 1 - 0.9 ** (1 / years)
    for code, cut, points in (("fewer_losses_5", 0.05, False), ("fewer_losses_10_points", 0.1, True)):
        assert own[code] == pytest.approx(income_change(np.array([loss]), cut, points, 5)[0])
        assert records[code]["years"] == 5
    # All began on 2023-02-01 with eight times the usual: on average 8 x (4 x 40 + 16 x 5) / 20 = 96 in the first month.
    assert own["payback"] == 1.0
    for code in own:
        low, value, high = (records[code]["own"][part] for part in ("low", "value", "high"))
        assert low <= value <= high
    assert records["concentration"]["own"]["low"] < 0.8  # of these accounts no resample has a larger share


def test_records_follow_the_claims_and_go_into_json(given):
    records = compare(given, 50, 0.9, 7)
    assert [record["code"] for record in records] == [claim.code for claim in CLAIMS]
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    assert records == compare(given, 50, 0.9, 7)
    for record in records:
        assert (record["own"] is None) == (record["why"] is not None) == (record["cannot"] is not None)
        assert (record["own"] is None) == (record["measured"] is None) == (record["basis"] is None)


@pytest.mark.parametrize(
    ("change", "whys"),
    [
        (dict(winning=replace(WINNING, cost_of_winning=None)), {"cost_of_winning": "cost_unknown", "payback": "cost_unknown"}),
        (dict(money=replace(MONEY, contact_cost=None)), {"cost_of_winning": "contact_cost_unknown"}),
        (dict(winning=replace(WINNING, cost_of_winning=1e6)), {"payback": "not_reached"}),
        (dict(winning=replace(WINNING, least=21)), {"concentration": "too_few", "fewer_losses_5": "too_few"}),
        (dict(restoring=None), {"restoring": "no_lapsed"}),
        ({}, {"new_order": "no_link", "guarantees": "survey", "word_of_mouth": "referrals"}),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_says_why(given, change, whys):
    records = told(replace(given, **change))
    assert {code: records[code]["why"] for code in whys} == whys
    assert all(records[code]["cannot"].startswith("It cannot be seen") for code in whys)


def test_without_tables_or_history(given):
    orders = given.tables["orders"]
    records = told(replace(given, tables={"orders": orders.drop("margin")}))
    assert records["small_margin"]["why"] == "no_margin"
    assert records["cost_of_winning"]["why"] == "no_contacts"
    assert records["payback"]["basis"] == "assumed_margin"
    short = replace(given, matrix=given.matrix[given.matrix["as_of"] == AS_OF])
    assert told(short)["fewer_losses_10"]["why"] == "too_short"
    nobody = Approaches(True, 0, 0, 0, (), given.approaches.rows.head(0))
    assert told(replace(given, approaches=nobody))["former_order"]["why"] == "no_lapsed"
    unknown = replace(given, approaches=replace(given.approaches, approached=False))
    assert told(unknown)["former_order"]["basis"] == "lapsed_accounts"


def test_cutoffs_after_the_as_of_change_nothing(given):
    later = given.matrix.assign(as_of=date(2025, 3, 15), lapsed=True)
    assert (
        told(replace(given, matrix=pd.concat([given.matrix, later])))["fewer_losses_5"] == told(given)["fewer_losses_5"]
    )
