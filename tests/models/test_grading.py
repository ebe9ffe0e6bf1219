"""Grades by hand: AUC, losses, names; what has not matured, or was recorded later, changes nothing."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from features.engines import connect, open_tables
from features.periods import Duration, Label
from models.grading import grade
from models.hindsight import Scoring
from models.label_free import estimate
from tests.features.worlds import mutate_future, write

LABEL = Label(Duration(3, "month"), Duration(12, "month"))
AS_OF, MATURED = date(2024, 3, 1), date(2024, 6, 1)
ACCOUNTS = [f"A{number}" for number in range(8)]
LOST = ("A0", "A2", "A7")
CERTAINTY = (100, 0.9, 7)


def order(account: str, at: datetime) -> dict:
    return {
        "order_id": f"{account}{at}",
        "account_id": account,
        "ordered_at": at,
        "product_id": "P1",
        "amount": 1.0,
        "is_return": False,
    }


def exit_of(account: str, day: date, reason: str, audited: bool | None) -> dict:
    return {"account_id": account, "recorded_on": day, "recorded_by": "M1", "reason": reason, "audited": audited}


def tables() -> dict:
    return {
        "orders": [order(account, datetime(2024, 4, 1)) for account in ACCOUNTS if account not in LOST],
        "exits": [
            exit_of("A0", date(2024, 2, 1), "product", True),  # before the scoring
            exit_of("A0", date(2024, 5, 1), "competitor", False),
            exit_of("A0", date(2024, 5, 20), "product", True),
            exit_of("A2", date(2024, 5, 2), "competitor", False),
            exit_of("A7", date(2024, 5, 3), "no such reason", True),
            exit_of("A1", date(2024, 5, 3), "product", True),  # recorded as lost, and yet ordered
        ],
    }


def opened(folder, given):
    write(folder, given)
    return open_tables(connect("1GB"), folder)


def scores(**columns) -> pd.DataFrame:
    frame = pd.DataFrame({"account_id": ACCOUNTS, "lapsed": False, "naming": "named", "reason_1": "product"})
    return frame.assign(risk=np.arange(8, 0, -1) / 10, as_of=AS_OF, **columns)


def test_a_scoring_graded_by_hand(tmp_path):
    grades, pending = grade(
        [Scoring(AS_OF, scores, LABEL, AS_OF)], opened(tmp_path / "t", tables()), date(2024, 6, 5), CERTAINTY, 0.01
    )
    assert pending == []
    (found,) = grades
    assert (found["accounts"], found["lost"], found["foresight"]) == (8, 3, True)
    assert found["expected"] == pytest.approx(3.6)
    # A0 lies above all 5 kept ones, A2 above all but A1, A7 below all: 9 of 15 pairs
    assert found["auc"]["value"] == pytest.approx(9 / 15)
    assert found["auc"]["low"] < 0.6 < found["auc"]["high"]
    assert found["lift_10"]["value"] == pytest.approx(1.0 / (3 / 8))
    assert found["promised"]["auc"] == estimate(scores()["risk"], *CERTAINTY)["auc"]
    assert found["ece_by_chance"] > found["ece"]["value"] / 2 > 0
    reach = 2.5758 * np.sqrt((scores()["risk"] * (1 - scores()["risk"])).sum())
    assert found["expected_low"] == pytest.approx(max(3.6 - reach, 0.0), abs=1e-3)
    assert (found["names"]["audited"]["n"], found["names"]["audited"]["right"]) == (1, 1)  # A0
    assert (found["names"]["unaudited"]["n"], found["names"]["unaudited"]["right"]) == (2, 0)  # A0, A2


def test_before_it_has_matured_nothing_is_told(tmp_path):
    grades, pending = grade(
        [Scoring(AS_OF, scores, LABEL)], opened(tmp_path / "t", tables()), date(2024, 5, 31), CERTAINTY, 0.01
    )
    assert grades == []
    assert pending == [AS_OF]


@pytest.mark.parametrize("seed", range(2))
def test_what_becomes_known_later_changes_no_grade(tmp_path, seed):
    listed = [Scoring(AS_OF, scores, LABEL), Scoring(date(2024, 4, 1), scores, LABEL)]
    now = grade(listed, opened(tmp_path / "now", tables()), MATURED, CERTAINTY, 0.01)
    assert len(now[0]) == len(now[1]) == 1
    changed = mutate_future(tables(), MATURED, seed)
    assert grade(listed, opened(tmp_path / "later", changed), MATURED, CERTAINTY, 0.01) == now


def test_without_exits_without_names_or_where_all_were_kept(tmp_path):
    given = {"orders": [order(account, datetime(2024, 4, 1)) for account in ACCOUNTS]}
    listed = [Scoring(AS_OF, scores, LABEL, date(2024, 4, 1))]
    ((found,), _) = grade(listed, opened(tmp_path / "t", given), MATURED, CERTAINTY, 0.01)
    assert found["foresight"] is False
    assert found["auc"] == {"value": None, "low": None, "high": None}
    assert found["names"]["audited"] == {"n": 0, "right": 0, "value": None, "low": None, "high": None}
    lapsed = [Scoring(AS_OF, lambda: scores().assign(lapsed=True), LABEL)]
    assert grade(lapsed, opened(tmp_path / "u", given), MATURED, CERTAINTY, 0.01) == ([], [])
    assert grade([], opened(tmp_path / "v", given), MATURED, CERTAINTY, 0.01) == ([], [])
