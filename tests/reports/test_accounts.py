"""What is told of one account: moves of the risk that add up, what if, and sentences under their own reason."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pandas as pd
import pytest

from models.taxonomy import taxonomy
from reports.accounts import reason_then, sentences, told, what_if, why_now
from reports.language import speaking

SINCE = {"since": date(2024, 12, 1)}
NAMES = {code: names["en"] for code, names in taxonomy().names.items()}


def name(code: str) -> str:
    return NAMES[code]


def moved(then: float, risk: float, **changes: float) -> str | None:
    parts = {f"change_{group}": points / 100 for group, points in changes.items()}
    return why_now({**SINCE, "risk_then": then / 100, **parts}, risk / 100, name)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            moved(31, 43, context=1.0, broken_promises=4.0, symptom=9.0, model=-2.0),
            "Since 1 December 2024 the risk rose by 12 points, from 31% to 43%: signs of the loss itself +9, Promises not "
            "kept +4, a new model −2, everything else +1.",
        ),
        (
            moved(43, 31, symptom=-13.0, context=1.0),
            "Since 1 December 2024 the risk fell by 12 points, from 43% to 31%: signs of the loss itself −13, its history, "
            "rhythm and payments, and the season +1.",
        ),
        (
            moved(30.1, 32.4, product=2.0, symptom=0.4, context=-0.1),
            "Since 1 December 2024 the risk rose by 2.3 points, from 30.1% to 32.4%: Product no longer fits +2.0, "
            "everything else +0.3.",
        ),
        (
            moved(4, 4.8, **dict.fromkeys(("symptom", "context"), 0.4)),
            "Since 1 December 2024 the risk rose by 0.8 points, from 4.0% to 4.8%: many moves of under half a point each.",
        ),
        (moved(31, 31.49, symptom=0.49), "Since 1 December 2024 the risk hardly moved: it was 31%."),
        (
            moved(31, 31.5, symptom=0.5),
            "Since 1 December 2024 the risk rose by 0.5 points, from 31.0% to 31.5%: signs of the loss itself +0.5.",
        ),
        (
            moved(0.01, 99.97, symptom=99.96),
            "Since 1 December 2024 the risk rose by 100.0 points, from under 0.1% to over 99%: signs of the loss itself "
            "+100.0.",
        ),
    ],
)
def test_why_now_in_words(given, expected):
    assert given == expected


def test_another_reason_that_was_told_then_is_named():
    then = {"naming_then": "candidates", "reason_1_then": "product", "reason_2_then": "turbulence"}
    now = {"naming": "named", "reason_1": "product", "reason_2": np.nan, "reason_3": np.nan}
    either = f"The reason told then: {NAMES['product']} or {NAMES['turbulence']}."
    assert reason_then(then, now, name) == either
    assert reason_then(then, {"naming": "candidates", "reason_1": "product", "reason_2": "turbulence"}, name) == ""
    assert reason_then({"naming_then": np.nan}, now, name) == ""  # not told then
    shown = told({**now, "risk": 0.31, "expected_loss": 1.0}, [], {**SINCE, "risk_then": 0.31, **then}, name, "EUR")
    assert shown["why_now"] == f"Since 1 December 2024 the risk hardly moved: it was 31%. {either}"


def test_a_risk_that_was_not_scored_then_is_said_to_be_reckoned():
    given = why_now({**SINCE, "kept": False, "risk_then": 0.31, "change_symptom": 0.12}, 0.43, name)
    assert given.startswith(
        "Since 1 December 2024 (not scored then: reckoned by today’s model) the risk rose by 12 points"
    )
    given = why_now({**SINCE, "kept": False, "risk_then": 0.43, "change_symptom": -0.12}, 0.31, name)
    assert "(not scored then: reckoned by today’s model) the risk fell by 12 points, from 43% to 31%" in given
    given = why_now({**SINCE, "kept": False, "risk_then": 0.31}, 0.31, name)
    assert given.endswith("(not scored then: reckoned by today’s model) the risk hardly moved: it was 31%.")


def numbers(text: str) -> list[float]:
    return [float(value.replace("−", "-")) for value in re.findall(r"[+−]?\d+(?:\.\d+)?", text)]


def test_the_moves_told_add_up_to_the_difference_of_the_risks_told():
    rng = np.random.default_rng(1)
    groups = [*taxonomy().codes, "symptom", "context", "model"]
    for _ in range(500):
        then, risk = 1 + rng.beta(1, 4, 2) * 97
        parts = rng.normal(0, 4, len(groups)) * (rng.random(len(groups)) < 0.6)
        parts[0] += risk - then - parts.sum()
        line = moved(then, risk, **dict(zip(groups, parts, strict=True)))
        assert line is not None
        if "hardly moved" in line:
            assert abs(risk - then) < 0.5
            continue
        head, listed = line.split(": ", 1)
        by, first, last = numbers(head.split("the risk")[1])
        change = by if "rose" in head else -by
        assert last - first == pytest.approx(change)
        assert [first, last] == pytest.approx([then, risk], abs=0.51)
        told_apart = numbers(listed)
        assert sum(told_apart) == pytest.approx(change)
        assert 0 not in told_apart
        alone = told_apart[:-1] if "everything else" in listed else told_apart
        largest = sorted(parts[np.abs(parts) >= 0.5], key=lambda part: -abs(part))[:3]
        assert alone == pytest.approx(largest, abs=1.01)


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NaT])
def test_without_a_scoring_before_there_is_no_why_now(nothing):
    assert why_now({}, 0.3, name) is None
    assert why_now({"since": nothing, "risk_then": np.nan, "change_symptom": np.nan}, 0.3, name) is None
    assert why_now({**SINCE, "risk_then": nothing, "change_symptom": nothing}, 0.3, name) is None


def test_what_if_lowers_the_loss_in_proportion_to_the_risk():
    without = {
        "risk_without_broken_promises": 0.35,
        "risk_without_product": 0.426,
        "risk_without_staff_turnover": np.nan,
    }
    codes = ["broken_promises", "product", "staff_turnover", "competitor", "unexplained"]
    assert what_if(without, codes, 0.43, 6450.0, name, "EUR") == [
        "Overdue rebates paid and promised terms granted: risk 43% → 35%, expected loss EUR\N{NO-BREAK SPACE}1,200 less.",
        "Product no longer fits: removing it would hardly change the model’s risk.",
    ]


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        (0.425, "A manager assigned: risk 43.0% → 42.5%, expected loss EUR\N{NO-BREAK SPACE}75 less."),
        (0.4251, "Account manager left: removing it would hardly change the model’s risk."),
        (0.43, "Account manager left: removing it would hardly change the model’s risk."),
        (0.08, "A manager assigned: risk 43.0% → 8.0%, expected loss EUR\N{NO-BREAK SPACE}5,250 less."),
        (0.0002, "A manager assigned: risk 43.0% → under 0.1%, expected loss EUR\N{NO-BREAK SPACE}6,447 less."),
    ],
)
def test_what_lowers_the_risk_by_less_than_half_a_point_hardly_changes_it(without, expected):
    assert what_if({"risk_without_staff_turnover": without}, ["staff_turnover"], 0.43, 6450.0, name, "EUR") == [
        expected
    ]


def test_no_money_is_told_where_none_is_known_or_lost():
    for loss in (np.nan, 0.0):
        line = what_if({"risk_without_product": 0.2}, ["product"], 0.4, loss, name, "EUR")
        assert line == ["Complaints of quality settled, requests granted: risk 40% → 20%."]


def test_only_reasons_told_of_have_a_what_if():
    explanation = {"risk_without_product": 0.1, "risk_without_staff_turnover": 0.1}
    assert len(what_if(explanation, ["product"], 0.4, 100.0, name, "")) == 1


def test_sentences_stand_under_their_own_reason_in_their_order():
    evidence = pd.DataFrame(
        [
            ("A", "product", 1, 2, "second"),
            ("A", "product", 1, 1, "first"),
            ("A", "product", 2, 1, "of another scoring"),
            ("A", "symptom", 0, 1, "against"),
            ("A", "product", 1, 3, None),
            ("B", "product", 1, 1, "of another account"),
        ],
        columns=["account_id", "code", "place", "number", "sentence"],
    )
    row = {"naming": "named", "risk": 0.4, "expected_loss": 10.0, "share_product": 0.6}
    row |= {"reason_1": "product", "reason_2": "staff_turnover", "reason_3": None}
    shown = told(row, sentences(evidence)["A"], {}, name, "EUR")
    assert [(reason["code"], reason["sentences"]) for reason in shown["reasons"]] == [
        ("product", ["first", "second"]),
        ("staff_turnover", ["No single figure in the tables shows it."]),
    ]
    assert shown["against"] == ["against"]
    assert sentences(evidence.head(0)) == {}


def test_in_another_language_the_sentence_is_told_anew_from_the_row():
    line = {"account_id": "A", "code": "symptom", "place": 1, "number": 1, "sentence": "In English.", "others": None}
    line |= {"feature": "amount_12", "value": 1234.0}
    line |= {"before": np.nan, "now": 1234.0, "peers": np.nan}
    days = {"as_of": date(2025, 1, 1), "past": date(2024, 7, 1), "latest": date(2025, 1, 1)}
    evidence = pd.DataFrame([line | days])
    assert sentences(evidence)["A"][0]["sentence"] == "In English."
    with speaking("ro"):
        assert "1.234" in sentences(evidence)["A"][0]["sentence"]


def test_of_an_account_that_is_not_explained_no_reason_is_told():
    row = {"naming": np.nan, "risk": 0.4, "expected_loss": 10.0, **{f"reason_{n}": np.nan for n in (1, 2, 3)}}
    shown = told(row, [], {}, name, "EUR")
    assert (shown["naming"], shown["reasons"], shown["what_if"], shown["why_now"]) == (None, [], [], None)
