"""Agreement of rankings, worked out by hand on few accounts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.definitions import compare, moves, ranks, two_kinds

ACCOUNTS = [f"A{number:02}" for number in range(20)]
ONE = np.linspace(0.95, 0.0, 20)
RISKS = pd.DataFrame({"one": ONE, "same": ONE / 2, "back": ONE[::-1], "flat": 0.5}, index=ACCOUNTS)
LABELS = pd.DataFrame(
    {
        "one": [1.0] * 5 + [0.0] * 15,
        "same": [np.nan] * 10 + [1.0, 0.0] * 5,
        "back": [1.0] * 20,
        "flat": [np.nan] * 20,
    },
    index=ACCOUNTS,
)


def test_ranks_begin_with_the_riskiest_and_ties_keep_the_order_of_the_rows():
    placed = ranks(RISKS)
    assert placed["one"].tolist() == list(range(1, 21))
    assert placed["back"].tolist() == list(range(20, 0, -1))
    assert placed["flat"].tolist() == list(range(1, 21))


def test_agreement_by_hand():
    found = compare(RISKS, LABELS)
    assert found["spearman"]["one"]["same"] == pytest.approx(1.0)
    assert found["spearman"]["one"]["back"] == pytest.approx(-1.0)
    assert found["spearman"]["one"]["flat"] is None
    assert found["overlap"]["one"] == {"one": 1.0, "same": 1.0, "back": 0.0, "flat": 1.0}
    assert found["auc"]["one"] == {"one": 1.0, "same": 0.6, "back": None, "flat": None}
    assert found["auc"]["back"]["one"] == 0.0
    assert found["auc"]["flat"]["one"] == 0.5
    assert found["lost"] == {
        "one": {"accounts": 20, "lost": 5, "share": 0.25},
        "same": {"accounts": 10, "lost": 5, "share": 0.5},
        "back": {"accounts": 20, "lost": 20, "share": 1.0},
        "flat": {"accounts": 0, "lost": 0, "share": None},
    }


def test_correlation_is_of_ranks_not_of_risks():
    risks = RISKS[["one"]].assign(other=RISKS["one"] ** 9)
    assert compare(risks, LABELS[["one", "one"]].set_axis(["one", "other"], axis=1))["spearman"]["one"][
        "other"
    ] == pytest.approx(1.0)


def test_those_who_move_most_come_first_and_who_stays_is_not_told():
    found = moves(RISKS[["one", "back"]], "one", 3)
    assert [row["account_id"] for row in found] == ["A00", "A19", "A01"]
    assert found[0] == {"account_id": "A00", "moves": 19, "ranks": {"one": 1, "back": 20}}
    assert moves(RISKS[["one", "same"]], "one", 3) == []


def test_a_tenth_of_one_account_is_that_account():
    risks = pd.DataFrame({"one": [0.5], "other": [0.1]}, index=["A"])
    found = compare(risks, pd.DataFrame({"one": [1.0], "other": [np.nan]}, index=["A"]))
    assert found["overlap"]["one"]["other"] == 1.0
    assert found["spearman"]["one"]["other"] is None
    assert found["auc"]["one"]["one"] is None


def test_two_kinds_of_outcome():
    assert two_kinds(pd.Series([1.0, np.nan, 0.0]))
    assert not two_kinds(pd.Series([1.0, np.nan]))
    assert not two_kinds(pd.Series([], dtype=float))
