"""Which accounts are drawn for an audit: contradicted ones first, reasons by turns, the same sample every time."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.errors import ConfigurationError
from models.audits import COLUMNS, draw

DAY = date(2024, 3, 1)
REASONS = ["product"] * 60 + ["competitor"] * 30 + ["natural_end"] * 2 + [None] * 5 + ["product"] * 3
WORD = ["account_id", "given_on", "verdict", "reason", "by"]


def scores() -> pd.DataFrame:
    frame = pd.DataFrame({"account_id": [f"A{number:03}" for number in range(100)], "as_of": DAY, "reason_1": REASONS})
    frame["lapsed"] = frame.index >= 97
    frame["share_product"] = 0.7
    frame["share_competitor"] = 0.6
    frame["share_natural_end"] = 0.5
    return frame


def said(*rows: tuple[str, date, str, str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=WORD)


def test_reasons_take_turns_until_one_has_no_more_accounts() -> None:
    drawn = draw(scores(), None, 12, seed=7)
    assert tuple(drawn.columns) == COLUMNS
    assert drawn["reason"].value_counts().to_dict() == {"product": 5, "competitor": 5, "natural_end": 2}
    assert drawn["account_id"].is_unique
    assert drawn.groupby("reason")["share"].first().to_dict() == {"competitor": 0.6, "natural_end": 0.5, "product": 0.7}
    assert drawn.groupby("reason")["chance"].first().to_dict() == {
        "competitor": 5 / 30,
        "natural_end": 1.0,
        "product": 5 / 60,
    }
    assert (1 / drawn["chance"]).sum() == pytest.approx(92)  # all active accounts with a reason
    assert drawn[["verdict", "other_reason", "audited_reason", "audited_by"]].isna().all(axis=None)


def test_lapsed_accounts_and_those_without_a_reason_are_never_drawn() -> None:
    assert set(draw(scores(), None, 1000, seed=7)["account_id"]) == {f"A{number:03}" for number in range(92)}


def test_contradicted_accounts_come_first_with_the_word_against() -> None:
    words = said(
        ("A001", date(2024, 3, 2), "other_reason", "competitor", "ann"),
        ("A001", date(2024, 3, 3), "already_handled", None, "bob"),
        ("A002", date(2024, 3, 2), "other_reason", "product", "ann"),  # it is the one told by now
        ("A003", date(2024, 3, 2), "other_reason", "competitor", "ann"),
        ("A003", date(2024, 3, 3), "agree", None, "ann"),  # she has changed her mind
        ("A004", date(2024, 3, 3), "agree", None, "bob"),
        ("A070", date(2024, 3, 1), "other_reason", "product", "ann"),
        ("A098", date(2024, 3, 1), "other_reason", "competitor", "ann"),  # lapsed
    )
    drawn = draw(scores(), words, 92, seed=7)
    first = drawn[drawn["drawn"] == "contradicted"]
    assert first["account_id"].tolist() == ["A070", "A001"]
    assert first.index.tolist() == [0, 1]
    assert first[["verdict", "other_reason", "by"]].to_numpy().tolist() == [
        ["other_reason", "product", "ann"],
        ["other_reason", "competitor", "ann"],
    ]
    rest = drawn.set_index("account_id")
    assert rest.loc["A003", ["drawn", "verdict", "given_on"]].tolist() == ["random", "agree", date(2024, 3, 3)]
    assert rest.loc["A002", "drawn"] == "random"
    assert rest.loc["A004", "by"] == "bob"


def test_the_sample_is_that_of_the_seed_whatever_the_order_of_rows() -> None:
    words = said(
        ("A001", DAY, "other_reason", "competitor", "ann"),
        ("A005", DAY, "other_reason", "competitor", "bob"),
    )
    before = scores()
    drawn = draw(before, words, 20, seed=7)
    pd.testing.assert_frame_equal(before, scores())
    shuffled = scores().sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(drawn, draw(shuffled, words.iloc[::-1], 20, seed=7))
    assert drawn["account_id"].tolist() != draw(scores(), words, 20, seed=8)["account_id"].tolist()


def test_within_a_reason_every_account_has_the_same_chance() -> None:
    """Of 60 accounts 5 are drawn: over 150 seeds each 12.5 times, standard deviation 3.4; five of them is no chance."""
    times = pd.Series(0, index=[f"A{number:03}" for number in range(60)])
    for seed in range(150):
        drawn = draw(scores(), None, 12, seed)
        times[drawn.loc[drawn["reason"] == "product", "account_id"]] += 1
    assert times.sum() == 750
    assert np.abs(times - 12.5).max() < 17


@pytest.mark.parametrize("count", [0, -3])
def test_a_sample_of_nothing_is_refused(count: int) -> None:
    with pytest.raises(ConfigurationError, match=rf"audit of {count} accounts cannot be drawn\. Ask for 1 or more"):
        draw(scores(), None, count, seed=7)


def test_without_told_reasons_nothing_can_be_audited() -> None:
    with pytest.raises(ConfigurationError, match=r"No reason was told of any active account\. Run `holdfast score`"):
        draw(scores().assign(reason_1=None), None, 5, seed=7)
