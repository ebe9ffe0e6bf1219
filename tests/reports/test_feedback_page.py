"""What people said of the reasons, counted by the reason told first."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from math import sqrt

import pandas as pd
import pytest
from sites import emptied

from models.agreement import AGREE, HANDLED, OTHER, agreement
from reports import feedback
from reports.words import percent, span


def wilson(agree: int, words: int, z: float = 1.959964) -> str:
    share, scale = agree / words, 1 + z**2 / words
    half = z * sqrt(share * (1 - share) / words + z**2 / (4 * words**2))
    return span(
        percent((share + z**2 / (2 * words) - half) / scale), percent((share + z**2 / (2 * words) + half) / scale)
    )


@pytest.fixture
def spoken(site):
    """Three agree and one does not where a promise was told first, one agrees on the product, and one has handled it."""
    told = pd.DataFrame(
        [(f"A{place:03d}", "broken_promises" if place < 4 else "product") for place in range(6)],
        columns=["account_id", "reason_1"],
    ).assign(as_of=date(2024, 12, 1), reason_2=None, reason_3=None)
    said = [AGREE, AGREE, AGREE, OTHER, AGREE, HANDLED]
    words = told[["account_id"]].assign(given_on=date(2024, 12, 9), verdict=said, reason=None, by="Eva")
    return replace(site, feedback=words, agreement=agreement(words, told))


def test_words_are_counted_by_the_reason_told_first_and_all_together(spoken):
    found = feedback.context(spoken)
    assert found["rows"] == [
        {"name": "Promises not kept", "words": 4, "agree": 3, "share": 0.75, "interval": wilson(3, 4)},
        {"name": "Product no longer fits", "words": 1, "agree": 1, "share": 1.0, "interval": wilson(1, 1)},
        {"name": "all together", "words": 5, "agree": 4, "share": 0.8, "interval": wilson(4, 5)},
    ]


def test_the_sentence_counts_every_word_and_each_account_once(spoken):
    told = "{} on {} accounts: 4 that the reasons are right, 1 for another reason, 1 that it is handled already."
    assert feedback.context(spoken)["sentence"].startswith(told.format("6 words", 6))
    twice = spoken.feedback.assign(account_id=["A000"] * 2 + spoken.feedback["account_id"].tolist()[2:])
    assert feedback.context(replace(spoken, feedback=twice))["sentence"].startswith(told.format("6 words", 5))
    one = feedback.context(replace(spoken, feedback=spoken.feedback.head(1)))["sentence"]
    assert one.startswith("1 word on 1 ")


def test_a_reason_seen_only_from_afar_is_a_hypothesis(spoken):
    names = [row["name"] for row in feedback.context(replace(spoken, hypotheses=("product",)))["rows"]]
    assert names == ["Promises not kept", "Hypothesis: Product no longer fits", "all together"]


def test_words_on_accounts_of_which_no_reason_was_told_are_in_no_share(site):
    found = feedback.context(site)
    assert found["rows"] == []
    assert found["sentence"].startswith("4 words on 3 accounts: 2 that the reasons are right")


def test_where_nobody_said_anything_there_is_nothing_to_count(site):
    assert feedback.context(emptied(site, "feedback")) is None


def test_of_an_account_only_its_own_words_are_told(site):
    assert feedback.said(site, "A055") == []
    assert [line.split(",")[0] for line in feedback.said(site, "A001")] == ["9 December 2024", "3 November 2024"]


def test_every_verdict_has_words():
    assert set(feedback.VERDICTS) == {AGREE, OTHER, HANDLED}
