"""Evidence: the account's own numbers, its own past, its peers and the days."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from models.evidence import COLUMNS, Compared, against_loss, for_reasons, peer_values, told_at

NAMES = ["rebates_overdue", "rebates_overdue_oldest", "rebate_delay_3", "rebate_delay_12", "manager_tenure", "recency"]


def compared(now, before=None, peers=None) -> Compared:
    frame = pd.DataFrame([now], columns=NAMES, dtype=float)
    empty = pd.DataFrame([[np.nan] * len(NAMES)], columns=NAMES)
    return Compared(
        as_of=date(2024, 7, 1),
        past=date(2024, 1, 1),
        latest=date(2024, 9, 1),
        account_id=pd.Series(["A1"]),
        values=frame,
        now=frame + 1,
        before=empty if before is None else pd.DataFrame([before], columns=NAMES, dtype=float),
        peers=empty if peers is None else pd.DataFrame([peers], columns=NAMES, dtype=float),
    )


def reasons(first="broken_promises"):
    return pd.DataFrame({"reason_1": [first], "reason_2": [None], "reason_3": [None]})


def weights(*values):
    return pd.DataFrame([values], columns=NAMES[:4])


def test_a_row_has_the_days_the_own_past_and_the_peers():
    told = for_reasons(
        compared([1, 47, 12, 11, 900, 5], [1, 12, 10, 9, 700, 4], [0, 9, 3, 2, 500, 6]),
        weights(0.1, 0.9, 0, 0),
        reasons(),
    )
    row = told.iloc[0]
    assert tuple(told.columns) == COLUMNS
    assert (row["account_id"], row["code"], row["place"], row["number"]) == ("A1", "broken_promises", 1, 1)
    assert row["feature"] == "rebates_overdue_oldest"
    assert (row["value"], row["before"], row["now"], row["peers"]) == (47, 12, 48, 9)
    assert (row["as_of"], row["past"], row["latest"]) == (date(2024, 7, 1), date(2024, 1, 1), date(2024, 9, 1))
    assert pd.isna(row["others"])  # its sentence mentions no other feature
    assert len(told) == 1  # the count of overdue rebates is of the same kind


def test_of_windows_of_one_feature_the_weightiest_speaks():
    told = for_reasons(compared([2, 0, 12, 11, 900, 5]), weights(0.5, 0, 0.4, 0.45), reasons())
    assert told["feature"].tolist() == ["rebates_overdue", "rebate_delay_12"]
    assert told["number"].tolist() == [1, 2]


@pytest.mark.parametrize(("oldest", "expected"), [(47, 47.0), (np.nan, None)])
def test_the_values_that_a_sentence_mentions_go_with_it(oldest, expected):
    told = for_reasons(compared([2, oldest, 12, 11, 900, 5]), weights(0.9, 0, 0, 0), reasons())
    assert [json.loads(others) for others in told["others"]] == [{"rebates_overdue_oldest": expected}]


def test_a_row_of_little_weight_is_left_out_and_what_lowers_the_hazard_is_no_evidence():
    told = for_reasons(compared([2, 0, 12, 11, 900, 5]), weights(0.9, 0, 0.2, 0.1), reasons())
    assert told["feature"].tolist() == ["rebates_overdue"]
    assert for_reasons(compared([2, 0, 12, 11, 900, 5]), weights(-0.9, 0, -1, -1), reasons()).empty


def test_what_is_missing_or_did_not_happen_is_no_evidence():
    told = for_reasons(compared([np.nan, 0, 12, np.nan, 900, 5]), weights(0.9, 0.8, 0.1, 0.5), reasons())
    assert told["feature"].tolist() == ["rebate_delay_3"]
    assert for_reasons(compared([np.nan] * 6), weights(1, 1, 1, 1), reasons()).empty
    assert for_reasons(compared([1] * 6), weights(1, 1, 1, 1), reasons("unexplained")).empty


def test_a_reason_is_told_by_the_last_day_at_which_it_weighed_much():
    days = [date(2024, 5, 1), date(2024, 6, 1), date(2024, 7, 1)]
    named = pd.DataFrame(
        {
            "reason_1": ["rival", "rival", "rival", "unexplained"],
            "reason_2": ["neglect", None, None, None],
            "reason_3": [None] * 4,
        }
    )
    rival = [[0.9, 0.0, 0.2, 1.0], [1.0, 0.0, 0.4, 1.0], [0.5, 0.0, 0.1, 1.0]]  # by day, of four accounts
    neglect = [[1.0, 0.0, 0.0, 0.0], [0.4, 0.0, 0.0, 0.0], [0.3, 0.0, 0.0, 0.0]]
    hazards = {
        day: pd.DataFrame({"rival": of_rival, "neglect": of_neglect})
        for day, of_rival, of_neglect in zip(days, rival, neglect, strict=True)
    }
    told = told_at(named, hazards)
    assert [told[day]["reason_1"].fillna("-").tolist() for day in days] == [
        ["-", "-", "-", "-"],
        ["-", "-", "rival", "-"],  # the third account's weighed .4, and a quarter of it now
        ["rival", "rival", "-", "-"],  # half of the most is enough; a reason that weighed nothing is told by now
    ]
    assert [told[day]["reason_2"].dropna().tolist() for day in days] == [["neglect"], [], []]
    every = pd.concat([told[day].stack().dropna() for day in days])
    assert sorted(every) == ["neglect", "rival", "rival", "rival"]  # each reason by one day


def test_what_speaks_against_a_loss_is_better_than_peers_and_lowers_the_risk():
    values = pd.DataFrame([[0.0, 0.0, 0.0, 0.0, -0.5, -0.4]], columns=NAMES)
    told = against_loss(compared([0, 0, 0, 0, 900, 30], peers=[0, 0, 0, 0, 500, 12]), values)
    assert told["feature"].tolist() == ["manager_tenure"]  # its recency is worse than theirs
    assert told["place"].tolist() == [0]
    assert told["peers"].tolist() == [500]
    assert told["before"].isna().all()
    assert against_loss(compared([0, 0, 0, 0, 900, 30], peers=[0, 0, 0, 0, 500, 12]), values * 0.01).empty


def test_peers_are_the_active_accounts_of_the_same_fifth():
    amount = np.arange(20.0)
    frame = pd.DataFrame({"amount_12": amount, "recency": amount % 4})
    active = np.ones(20, dtype=bool)
    active[3] = False
    peers = peer_values(frame, active)
    assert peers["recency"].iloc[:4].tolist() == [0.5] * 4  # of 0, 1, 2, 0; the lapsed one has peers, but is none
    assert peers["amount_12"].iloc[-1] == pytest.approx(np.median(amount[-4:]))
