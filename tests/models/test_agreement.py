"""Shares of agreement against counts by hand, and which scoring a word goes with."""

from __future__ import annotations

import json
from datetime import date

import pandas as pd
import pytest

from models.agreement import agreement, latest, told_then


def told(*rows: tuple[str, date, str | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["account_id", "as_of", "reason_1"])
    return frame.assign(reason_2="turbulence", reason_3=None)


def said(*rows: tuple[str, date, str, str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["account_id", "given_on", "verdict", "reason", "by"])


MARCH, APRIL = date(2024, 3, 1), date(2024, 4, 1)
TOLD = told(*[(f"A{number}", MARCH, "product" if number < 6 else "competitor") for number in range(10)])


def test_shares_with_wilson_intervals_by_reason_and_person() -> None:
    words = said(
        *[(f"A{number}", MARCH, "agree", None, "ann") for number in range(4)],
        ("A4", MARCH, "other_reason", "turbulence", "ann"),
        ("A6", MARCH, "other_reason", "product", "bob"),
        ("A7", MARCH, "agree", None, None),
        ("A8", MARCH, "already_handled", None, "bob"),
    )
    found = agreement(words, TOLD)
    assert found["verdicts"] == {"agree": 5, "other_reason": 2, "already_handled": 1}
    assert (found["overall"]["words"], found["overall"]["agree"], found["not_told"]) == (7, 5, 0)
    assert [(row["reason"], row["words"], row["agree"], row["told_after"]) for row in found["reasons"]] == [
        ("product", 5, 4, 1),
        ("competitor", 2, 1, 0),
    ]
    assert [(row["by"], row["words"], row["share"]) for row in found["people"]] == [
        ("ann", 5, 0.8),
        (None, 1, 1.0),
        ("bob", 1, 0.0),
    ]
    # By the formula: (p + z2/2n -+ z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n), p = 4/5, n = 5, z = 1.959964.
    assert found["people"][0]["low"] == pytest.approx(0.37553, abs=1e-5)
    assert found["people"][0]["high"] == pytest.approx(0.96377, abs=1e-5)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_higher_level_has_a_wider_interval() -> None:
    words = said(("A1", MARCH, "agree", None, "ann"), ("A2", MARCH, "other_reason", "turbulence", "ann"))
    assert agreement(words, TOLD, 0.99)["overall"]["low"] < agreement(words, TOLD, 0.8)["overall"]["low"]


def test_without_words_there_is_no_share() -> None:
    found = agreement(said(), TOLD)
    assert found["overall"] == {"words": 0, "agree": 0, "told_after": 0, "share": None, "low": None, "high": None}
    assert found["reasons"] == found["people"] == []


def test_who_repeats_himself_is_one_voice_and_the_last_word_is_his() -> None:
    words = said(
        ("A1", date(2024, 3, 4), "other_reason", "product", "ann"),
        ("A1", date(2024, 3, 2), "agree", None, "ann"),
        ("A1", date(2024, 3, 5), "already_handled", None, "ann"),
        ("A1", date(2024, 3, 3), "agree", None, "bob"),
    )
    found = agreement(words, TOLD)
    assert [(row["by"], row["words"], row["agree"]) for row in found["people"]] == [("ann", 1, 0), ("bob", 1, 1)]
    assert len(latest(told_then(words, TOLD))) == 2


def test_a_word_goes_with_the_scoring_read_on_its_day() -> None:
    both = told(("A1", MARCH, "product"), ("A1", APRIL, "competitor"), ("A2", APRIL, "product"))
    words = said(
        ("A1", date(2024, 2, 28), "agree", None, "ann"),  # two days before the first as_of
        ("A1", date(2024, 2, 29), "agree", None, "ann"),  # orders of this day make the scoring of 1 March
        ("A1", date(2024, 3, 30), "agree", None, "ann"),
        ("A1", date(2024, 3, 31), "agree", None, "ann"),
        ("A2", date(2024, 3, 30), "agree", None, "ann"),
    )
    matched = told_then(words, both)
    assert matched["given_on"].tolist() == sorted(words["given_on"])
    by_day = {(row["account_id"], row["given_on"]): row["reason_1"] for row in matched.to_dict("records")}
    assert [by_day["A1", day] for day in sorted(words["given_on"].unique())] == [
        None,
        "product",
        "product",
        "competitor",
    ]
    assert by_day["A2", date(2024, 3, 30)] is None
    found = agreement(words, both)
    assert (found["not_told"], found["overall"]["words"]) == (2, 2)  # two of A1 in March are one voice


def test_a_later_scoring_changes_nothing_of_what_was_judged_before() -> None:
    words = said(("A1", MARCH, "agree", None, "ann"), ("A6", MARCH, "other_reason", "product", "bob"))
    later = told(*[(f"A{number}", APRIL, "natural_end") for number in range(10)])
    assert agreement(words, pd.concat([later, TOLD])) == agreement(words, TOLD)


def test_accounts_without_a_told_reason_are_in_no_share() -> None:
    found = agreement(said(("A1", MARCH, "agree", None, "ann")), told(("A1", MARCH, None)))
    assert (found["not_told"], found["overall"]["words"]) == (1, 0)


def test_columns_that_a_source_lacks_may_be_absent_and_nothing_is_changed() -> None:
    words = said(("A1", MARCH, "agree", None, "ann")).drop(columns=["reason", "by"])
    before, scorings = words.copy(), TOLD.copy()
    assert agreement(words, TOLD)["people"][0]["by"] is None
    pd.testing.assert_frame_equal(words, before)
    pd.testing.assert_frame_equal(scorings, TOLD)
