"""Sentences: the account's own numbers, its own past, its peers and the dates."""

import re
from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.catalog import FEATURES
from models.evidence import Compared, against_loss, for_reasons, peer_values, sentence, worded

NAMES = ["rebates_overdue", "rebates_overdue_oldest", "rebate_delay_3", "rebate_delay_12", "manager_tenure", "recency"]


def compared(now, before=None, peers=None) -> Compared:
    frame = pd.DataFrame([now], columns=NAMES, dtype=float)
    empty = pd.DataFrame([[np.nan] * len(NAMES)], columns=NAMES)
    return Compared(
        as_of=date(2024, 7, 1),
        past=date(2024, 1, 1),
        account_id=pd.Series(["A1"]),
        now=frame,
        before=empty if before is None else pd.DataFrame([before], columns=NAMES, dtype=float),
        peers=empty if peers is None else pd.DataFrame([peers], columns=NAMES, dtype=float),
    )


def reasons(first="broken_promises"):
    return pd.DataFrame({"reason_1": [first], "reason_2": [None], "reason_3": [None]})


def weights(*values):
    return pd.DataFrame([values], columns=NAMES[:4])


def test_a_sentence_has_the_date_the_own_past_and_the_peers():
    told = for_reasons(
        compared([1, 47, 12, 11, 900, 5], [1, 12, 10, 9, 700, 4], [0, 9, 3, 2, 500, 6]),
        weights(0.1, 0.9, 0, 0),
        reasons(),
    )
    row = told.iloc[0]
    assert row["sentence"] == (
        "Its oldest unpaid rebate was due on 15 May 2024, 47 days ago "
        "(on 1 January 2024: 12 days; accounts of its size: 9 days)."
    )
    assert (row["account_id"], row["code"], row["place"], row["number"]) == ("A1", "broken_promises", 1, 1)
    assert (row["feature"], row["value"], row["before"], row["peers"]) == ("rebates_overdue_oldest", 47, 12, 9)
    assert len(told) == 1  # the count of overdue rebates is of the same kind


def test_of_windows_of_one_feature_the_weightiest_speaks():
    told = for_reasons(compared([2, 0, 12, 11, 900, 5]), weights(0.5, 0, 0.4, 0.45), reasons())
    assert told["feature"].tolist() == ["rebates_overdue", "rebate_delay_12"]
    assert told["number"].tolist() == [1, 2]
    assert told["sentence"].iloc[1] == "Rebates paid in the last 12 periods came 11 days late on average."


def test_a_sentence_of_little_weight_is_left_out_but_the_first_never():
    told = for_reasons(compared([2, 0, 12, 11, 900, 5]), weights(0.9, 0, 0.2, 0.1), reasons())
    assert told["feature"].tolist() == ["rebates_overdue"]
    told = for_reasons(compared([2, 0, 12, 11, 900, 5]), weights(-0.9, 0, -1, -1), reasons())
    assert told["feature"].tolist() == ["rebates_overdue"]


def test_what_is_missing_or_did_not_happen_is_no_evidence():
    told = for_reasons(compared([np.nan, 0, 12, np.nan, 900, 5]), weights(0.9, 0.8, 0.1, 0.5), reasons())
    assert told["feature"].tolist() == ["rebate_delay_3"]
    assert for_reasons(compared([np.nan] * 6), weights(1, 1, 1, 1), reasons()).empty
    assert for_reasons(compared([1] * 6), weights(1, 1, 1, 1), reasons("unexplained")).empty


def test_what_speaks_against_a_loss_is_better_than_peers_and_lowers_the_risk():
    values = pd.DataFrame([[0.0, 0.0, 0.0, 0.0, -0.5, -0.4]], columns=NAMES)
    told = against_loss(compared([0, 0, 0, 0, 900, 30], peers=[0, 0, 0, 0, 500, 12]), values)
    assert told["feature"].tolist() == ["manager_tenure"]  # its recency is worse than theirs
    assert told["place"].tolist() == [0]
    assert told["sentence"].iloc[0] == (
        "Its manager has looked after it since 13 January 2022, for 900 days (accounts of its size: 500 days)."
    )
    assert against_loss(compared([0, 0, 0, 0, 900, 30], peers=[0, 0, 0, 0, 500, 12]), values * 0.01).empty


def test_peers_are_the_active_accounts_of_the_same_fifth():
    amount = np.arange(20.0)
    frame = pd.DataFrame({"amount_12": amount, "recency": amount % 4})
    active = np.ones(20, dtype=bool)
    active[3] = False
    peers = peer_values(frame, active)
    assert peers["recency"].iloc[:4].tolist() == [0.5] * 4  # of 0, 1, 2, 0; the lapsed one has peers, but is none
    assert peers["amount_12"].iloc[-1] == pytest.approx(np.median(amount[-4:]))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1, "days", "1 day"),
        (12345.6, "money", "12,346"),
        (0.234, "share", "23 %"),
        (0.0125, "share", "1.2 %"),
        (np.nan, "money", "no value"),
        (2.345, "ratio", "2.3"),
        (0.34, "events", "0.3"),
        (3.0, "events", "3"),
        (3.4, "money", "3"),
    ],
)
def test_numbers_are_worded(value, unit, text):
    assert worded(value, unit) == text


def test_every_sentence_can_be_filled_with_one_and_with_many():
    for value in (1.0, 2.0, 21.0):
        values = dict.fromkeys((feature.name for feature in FEATURES), value)
        for feature in FEATURES:
            text = sentence(feature, values, date(2024, 7, 1))
            assert "{" not in text
            assert text.endswith(".")
            assert not re.search(r"\b1 times|\b1 rebates|\b1 complaints|21 time |2once", text), text
            assert ("once" in text) <= (value == 1), text


def test_one_is_singular():
    by_name = {feature.name: feature for feature in FEATURES}
    day = date(2024, 7, 1)
    one = {"rebates_overdue": 1.0, "rebates_overdue_oldest": 47.0, "complaints_3": 1.0, "deliveries_overdue": 1.0}
    assert sentence(by_name["rebates_overdue"], one, day).startswith("1 rebate is overdue, the oldest by 47 days")
    assert sentence(by_name["complaints_3"], one, day).startswith("It complained once of service")
    assert "1 delivery is" in sentence(by_name["deliveries_overdue"], one, day)
