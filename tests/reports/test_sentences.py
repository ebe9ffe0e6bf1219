"""Sentences of evidence: numbers with their units, days, one and many, and the languages they are told in."""

from __future__ import annotations

import re
from datetime import date
from gettext import NullTranslations

import numpy as np
import pandas as pd
import pytest

from features.catalog import DECLARED, FEATURES
from reports import language
from reports.language import speaking
from reports.sentences import sentence, singular, told, with_sentences, worded

DAY = date(2024, 7, 1)


def row(feature="rebates_overdue_oldest", value=47.0, before=12.0, peers=9.0, others=None, now=50.0, latest=DAY):
    given = {"account_id": "A1", "feature": feature, "value": value, "before": before, "now": now, "peers": peers}
    return {**given, "others": others, "as_of": DAY, "past": date(2024, 1, 1), "latest": latest}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            row(),
            "Its oldest unpaid rebate was due on 15 May 2024, 47 days ago (on 1 January 2024: 12 days; accounts of its "
            "size: 9 days).",
        ),
        (
            row(peers=np.nan),
            "Its oldest unpaid rebate was due on 15 May 2024, 47 days ago (on 1 January 2024: 12 days).",
        ),
        (
            row(before=np.nan),
            "Its oldest unpaid rebate was due on 15 May 2024, 47 days ago (accounts of its size: 9 days).",
        ),
        (row(before=np.nan, peers=np.nan), "Its oldest unpaid rebate was due on 15 May 2024, 47 days ago."),
        (
            row("rebates_overdue", 1.0, np.nan, np.nan, '{"rebates_overdue_oldest": 47.0}'),
            "1 rebate is overdue, the oldest by 47 days.",
        ),
        (
            row("rebates_overdue", 2.0, 1.0, np.nan, '{"rebates_overdue_oldest": null}'),
            "2 rebates are overdue, the oldest by no value (on 1 January 2024: 1).",
        ),
        (
            row("contacts_against_peers_3", -0.5, np.nan, 0.1),  # its value says already how it stands to peers
            "Contacts of the last 3 periods stand at −0.5 against accounts of its size (-1 none, 0 like them).",
        ),
    ],
)
def test_a_row_is_told_with_the_days_the_own_past_and_the_peers(given, expected):
    assert told(given) == expected


def test_a_row_of_an_earlier_day_is_told_with_that_day_and_the_value_now():
    assert told(row(latest=date(2024, 9, 1))) == (
        "On 1 July 2024: Its oldest unpaid rebate was due on 15 May 2024, 47 days ago (on 1 January 2024: 12 days; now: "
        "50 days; accounts of its size: 9 days)."
    )
    missing = row("rebate_delay_12", 11.0, np.nan, np.nan, now=np.nan, latest=date(2024, 9, 1))
    assert told(missing).startswith("On 1 July 2024: ")
    assert told(missing).endswith(" (now: no value).")


def test_rows_get_their_sentences_and_stay_as_they_were():
    given = pd.DataFrame([row(value=1.0), row("rebate_delay_12", 11.0)], index=[7, 3])
    result = with_sentences(given)
    assert result["sentence"].tolist() == [told(line) for line in given.to_dict("records")]
    pd.testing.assert_frame_equal(result.drop(columns="sentence"), given)
    assert with_sentences(given.head(0)).columns.tolist() == [*given.columns, "sentence"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1, "days", "1 day"),
        (0.62, "days", "0.6 days"),
        (0.04, "days", "0 days"),
        (0.96, "days", "1 day"),
        (2.94, "days", "2.9 days"),
        (3.4, "days", "3 days"),
        (-3.2, "days", "−3 days"),
        (12345.6, "money", "12,346"),
        (0.234, "share", "23%"),
        (0.0125, "share", "1.2%"),
        (-0.00004, "share", "0.0%"),
        (0.0, "share", "0%"),
        (np.nan, "money", "no value"),
        (2.345, "ratio", "2.3"),
        (0.0, "ratio", "0"),
        (-0.304, "ratio", "−0.3"),
        (1234.0, "ratio", "1,234"),
        (0.34, "events", "0.3"),
        (3.0, "events", "3"),
        (3.4, "money", "3"),
        (1.0, "pieces", "1 piece"),
        (2500.0, "pieces", "2,500 pieces"),
    ],
)
def test_numbers_are_worded(value, unit, text):
    assert worded(value, unit) == text


def test_numbers_are_worded_in_the_language_spoken_then():
    assert worded(1234.5, "ratio") == "1,234"
    with speaking("ro"):
        assert (worded(1234.5, "ratio"), worded(21, "days")) == ("1.234", "21 de zile")
    assert worded(21, "days") == "21 days"


def test_every_sentence_can_be_filled_with_one_and_with_many():
    for value in (1.0, 2.0, 21.0):
        values = dict.fromkeys((feature.name for feature in FEATURES), value)
        for feature in FEATURES:
            said = sentence(feature, values, DAY)
            assert "{" not in said
            assert said.endswith(".")
            assert not re.search(
                r"\b1 times|\b1 \w+ of quality are|\b1 \w+ of .* repeat an|\b1 rebates|\b1 complaints|21 time |2once",
                said,
            ), said
            assert ("once" in said) <= (value == 1), said


def test_one_is_singular():
    one = {"rebates_overdue": 1.0, "rebates_overdue_oldest": 47.0, "complaints_3": 1.0, "deliveries_overdue": 1.0}
    assert sentence(DECLARED["rebates_overdue"], one, DAY).startswith("1 rebate is overdue, the oldest by 47 days")
    assert sentence(DECLARED["complaints_3"], one, DAY).startswith("It complained once of service")
    assert "1 delivery is" in sentence(DECLARED["deliveries_overdue"], one, DAY)


@pytest.mark.parametrize(("value", "expected"), [(1.04, "1.0 complaints are"), (0.96, "1.0 complaints are")])
def test_what_is_written_as_a_fraction_is_no_one(value, expected):
    given = {"quality_complaints_open": value}
    assert (
        sentence(DECLARED["quality_complaints_open"], given, DAY)
        == f"{expected.replace(' are', '')} of quality are open."
    )


@pytest.mark.parametrize(
    ("many", "one"),
    [
        ("{value} deliveries are overdue now.", "{value} delivery is overdue now."),
        ("It was visited {value} times in all.", "It was visited once in all."),
        ("{value} of its invoices are overdue.", "{value} of its invoices is overdue."),
        ("{value} of its questions have no answer yet.", "{value} of its questions has no answer yet."),
        ("{value} complaints of quality are open.", "{value} complaint of quality is open."),
        ("{value} visits of the year repeat an earlier one.", "{value} visit of the year repeats an earlier one."),
        ("In {value} days, of 3 periods.", "In {value} day, of 3 periods."),
    ],
)
def test_the_singular_of_a_sentence_is_made_once_for_all_values(many, one):
    assert singular(many) == one


class Romanian(NullTranslations):
    """Three forms, by number."""

    def ngettext(self, msgid1, msgid2, n):
        return "O livrare." if n == 1 else "{value} livrări." if n < 20 else "{value} de livrări."

    def gettext(self, message):
        return message


def test_another_language_has_its_own_forms_of_number(monkeypatch):
    monkeypatch.setattr(language, "catalogue", lambda spoken: Romanian())
    with speaking("ro"):
        told = [sentence(DECLARED["deliveries_overdue"], {"deliveries_overdue": n}, DAY) for n in (1.0, 2.0, 21.0)]
    assert told == ["O livrare.", "2 livrări.", "21 de livrări."]
