"""Verdicts: what passes limit, chance and habit; planted changes are found and named, and nothing else is."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from models.monitoring import (
    Day,
    Limit,
    Ranges,
    features,
    grade_checks,
    judge,
    mix_intervals,
    past_pairs,
    population,
    ranges,
    reason_mix,
    reference_of,
    risks,
    worst,
)

NAMES = ["recency", "amount_12", "reply_days_3", "contacts_3", "gap_mean"]
WEIGHTS = dict.fromkeys(NAMES, 0.2)
LIMITS = {
    "drift": Limit(0.1, 0.25),
    "missing": Limit(0.05, 0.2),
    "unseen": Limit(0.02, 0.1),
    "bounds": Limit(0.0, 0.01),
    "accounts": Limit(0.15, 0.3),
    "lapsed": Limit(0.05, 0.1),
    "expected_share": Limit(0.2, 0.4),
    "auc": Limit(0.0, 0.0),
    "level": Limit(0.15, 0.3),
    "calibration": Limit(0.03, 0.06),
    "names": Limit(0.0, 0.1),
}
THEN, NOW = date(2023, 6, 1), date(2024, 6, 1)


def market(seed: int, accounts: int = 1000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    index = pd.Index([f"A{number}" for number in range(accounts)], name="account_id")
    frame = pd.DataFrame({name: rng.gamma(2.0, 10.0, size=accounts).round(1) for name in NAMES}, index=index)
    return frame.assign(risk=rng.beta(1.0, 9.0, size=accounts))


def on(day: date, active: pd.DataFrame, eligible: int = 1250) -> Day:
    return Day(day, active, eligible)


def passed(checks) -> list[tuple[str, str, str]]:
    return [(check.kind, check.name, check.verdict) for check in checks if check.verdict != "fine"]


@pytest.mark.parametrize(
    ("value", "chance", "usual", "verdict"),
    [
        (0.05, None, None, "fine"),
        (0.1, None, None, "fine"),  # at the limit is not above it
        (0.2, None, None, "watch"),
        (0.3, None, None, "alarm"),
        (0.3, 0.28, None, "alarm"),
        (0.3, 0.35, None, "fine"),  # chance explains it
        (0.3, None, 0.35, "fine"),  # it always moves so
        (0.3, 0.2, 0.29, "alarm"),
    ],
)
def test_a_limit_is_passed_where_neither_chance_nor_habit_explains_it(value, chance, usual, verdict):
    found = judge("drift", "recency", value, Limit(0.1, 0.25), chance, lambda: usual)
    assert found.verdict == verdict
    assert found.record()["alarm"] >= 0.25


def test_what_is_usual_is_asked_only_where_it_matters():
    def asked():
        raise AssertionError("asked")

    assert judge("drift", "", 0.05, Limit(0.1, 0.25), 0.01, asked).usual is None
    with pytest.raises(AssertionError, match="asked"):
        judge("drift", "", 0.2, Limit(0.1, 0.25), 0.01, asked)


def test_the_worst_verdict():
    assert worst([]) == "fine"
    assert worst(["fine", "alarm", "watch"]) == "alarm"


def test_the_reference_is_a_year_before_or_the_last_trained_on():
    months = [date(2023, month, 1) for month in range(1, 13)]
    assert reference_of(months, date(2024, 6, 10), date(2023, 6, 10), []) == date(2023, 6, 1)
    assert reference_of(months, date(2023, 12, 31), date(2022, 12, 31), months[:9]) == date(2023, 1, 1)
    assert reference_of(months[5:], date(2023, 12, 1), date(2022, 12, 1), months[:9]) == date(2023, 9, 1)
    assert reference_of([], NOW, THEN, []) is None


def test_past_pairs_end_at_the_reference():
    months = [date(2021 + number // 12, number % 12 + 1, 1) for number in range(36)]
    pairs = past_pairs(months, date(2023, 12, 1), date(2022, 12, 1), 3)
    assert pairs == [(date(2021, month, 1), date(2022, month, 1)) for month in (12, 11, 10)]
    assert len(past_pairs(months, date(2023, 12, 1), date(2022, 12, 1), 99)) == 12
    assert past_pairs(months[12:], date(2023, 12, 1), date(2022, 12, 1), 3) == []


def test_a_planted_drift_is_named_and_nothing_else():
    then, now = market(1), market(2)
    assert passed(features(on(THEN, then), on(NOW, now), [], WEIGHTS, LIMITS, 0.01)) == []
    slower = now.assign(reply_days_3=now["reply_days_3"] * 2)
    assert passed(features(on(THEN, then), on(NOW, slower), [], WEIGHTS, LIMITS, 0.01)) == [
        ("drift", "reply_days_3", "alarm")
    ]


def test_the_drift_of_what_the_model_hardly_uses_is_watched():
    then, now = market(1), market(2)
    slower = now.assign(reply_days_3=now["reply_days_3"] * 2)
    found = features(on(THEN, then), on(NOW, slower), [], {**WEIGHTS, "reply_days_3": 0.001}, LIMITS, 0.01)
    assert passed(found) == [("drift", "reply_days_3", "watch")]


def test_undrifted_markets_of_few_accounts_raise_no_alarm():
    """Of 40 scorings of 80 accounts, at most what `chance` allows; the limits alone would raise one in nearly every."""
    rates = {"alone": 0, "chance": 0}
    for seed in range(40):
        then, now = on(THEN, market(2 * seed, 80)), on(NOW, market(2 * seed + 1, 80))
        rates["chance"] += bool(passed(features(then, now, [], WEIGHTS, LIMITS, 0.01)))
        rates["alone"] += bool(passed(features(then, now, [], WEIGHTS, LIMITS, 0.999999)))
    assert rates["chance"] <= 2
    assert rates["alone"] > 20


def test_a_drift_as_large_as_ever_is_usual():
    then, now = market(1), market(2)
    older = on(date(2022, 6, 1), then.assign(amount_12=then["amount_12"] / 2))
    growing = now.assign(amount_12=now["amount_12"] * 1.5)
    pairs = [(older, on(THEN, then))]
    assert passed(features(on(THEN, then), on(NOW, growing), [], WEIGHTS, LIMITS, 0.01)) != []
    assert passed(features(on(THEN, then), on(NOW, growing), pairs, WEIGHTS, LIMITS, 0.01)) == []


def test_missing_values():
    then, now = market(1), market(2)
    gone = now.assign(contacts_3=np.nan)
    found = passed(features(on(THEN, then), on(NOW, gone), [], WEIGHTS, LIMITS, 0.01))
    assert found == [("drift", "contacts_3", "alarm"), ("missing", "contacts_3", "alarm")]
    few = now.assign(contacts_3=now["contacts_3"].where(np.arange(1000) >= 80))
    found = passed(features(on(THEN, then), on(NOW, few), [], WEIGHTS, LIMITS, 0.01))
    assert ("missing", "contacts_3", "watch") in found


def test_nobody_active():
    nobody = on(NOW, market(2).iloc[:0])
    assert passed(features(on(THEN, market(1)), nobody, [], WEIGHTS, LIMITS, 0.01)) == []


def test_accounts_and_lapsed_ones():
    then = on(THEN, market(1), 1250)
    assert passed(population(then, on(NOW, market(2), 1250), [], LIMITS, 0.01)) == []
    assert passed(population(then, on(NOW, market(2).iloc[:640], 800), [], LIMITS, 0.01)) == [("accounts", "", "alarm")]
    assert passed(population(then, on(NOW, market(2).iloc[:800], 1250), [], LIMITS, 0.01)) == [("lapsed", "", "alarm")]


def test_values_beyond_bounds_and_beyond_what_training_saw():
    matrix = pd.concat([market(1).assign(as_of=THEN), market(3).assign(as_of=date(2023, 7, 1))])
    seen = Ranges.of(matrix, NAMES)
    now = market(2).clip(lower=1.0, upper=60.0)
    assert passed(ranges(on(NOW, now), [], seen, date(2023, 7, 1), WEIGHTS, LIMITS)) == []
    wrong = now.assign(recency=-now["recency"])
    assert passed(ranges(on(NOW, wrong), [], seen, date(2023, 7, 1), WEIGHTS, LIMITS)) == [
        ("bounds", "recency", "alarm"),
        ("unseen", "recency", "alarm"),
    ]
    later = matrix.assign(recency=np.where(matrix["as_of"] == THEN, matrix["recency"], 500.0))
    far = on(NOW, now.assign(recency=500.0))
    assert passed(ranges(far, [], Ranges.of(later, NAMES), date(2023, 7, 1), WEIGHTS, LIMITS)) == []
    assert passed(ranges(far, [], Ranges.of(later, NAMES), THEN, WEIGHTS, LIMITS)) == [("unseen", "recency", "alarm")]


def test_what_is_new_to_all_accounts_at_once_is_looked_at_and_no_alarm():
    crisis = market(2).assign(events_company_running=3.0)
    seen = Ranges.of(market(1).assign(as_of=THEN, events_company_running=0.0), ["events_company_running"])
    found = passed(ranges(on(NOW, crisis), [], seen, THEN, {"events_company_running": 1.0}, LIMITS))
    assert found == [("unseen", "events_company_running", "watch")]
    before = market(1).assign(events_company_running=0.0)
    drifted = features(on(THEN, before), on(NOW, crisis), [], {"events_company_running": 1.0}, LIMITS, 0.01)
    assert [check.kind for check in drifted] == ["missing"]


def test_a_shift_of_the_risk():
    then, now = market(1), market(2)
    assert passed(risks(on(THEN, then), on(NOW, now), [], LIMITS, 0.01, 7)) == []
    riskier = now.assign(risk=np.minimum(now["risk"] * 1.7, 1.0))
    assert passed(risks(on(THEN, then), on(NOW, riskier), [], LIMITS, 0.01, 7)) == [
        ("risk", "", "alarm"),
        ("expected_share", "", "alarm"),
    ]
    usual = [(on(date(2022, 6, 1), then.assign(risk=then["risk"] / 2)), on(THEN, then))]
    assert passed(risks(on(THEN, then), on(NOW, riskier), usual, LIMITS, 0.01, 7)) == []


def losses(seed: int, weights: list[float], accounts: int = 400) -> pd.DataFrame:
    """Each account has one reason, drawn with these weights."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(3, size=accounts, p=weights)
    index = pd.Index([f"A{number}" for number in range(accounts)], name="account_id")
    return pd.DataFrame(
        np.eye(3)[drawn] * 0.2, index=index, columns=["share_product", "share_competitor", "share_staff"]
    )


def test_a_shift_of_the_mix_of_reasons():
    then, same, moved = losses(1, [0.5, 0.3, 0.2]), losses(2, [0.5, 0.3, 0.2]), losses(3, [0.2, 0.6, 0.2])
    limit = Limit(0.1, 0.2)
    assert reason_mix(then, same, list, limit, 0.01, 7).verdict == "fine"
    found = reason_mix(then, moved, list, limit, 0.01, 7)
    assert found.verdict == "alarm"
    by_hand = np.abs(moved.mean() / 0.2 - then.mean() / 0.2).sum() / 2
    assert found.value == pytest.approx(by_hand)
    assert reason_mix(then, moved, lambda: [(moved, then)], limit, 0.01, 7).verdict == "fine"  # it was so before
    few = reason_mix(losses(1, [0.5, 0.3, 0.2], 12), losses(3, [0.2, 0.6, 0.2], 12), list, limit, 0.01, 7)
    assert few.chance > 0.2


def test_intervals_of_the_mix_hold_it():
    told = mix_intervals(losses(1, [0.5, 0.3, 0.2]), 200, 0.95, 7)
    assert sum(cell["value"] for cell in told.values()) == pytest.approx(1.0)
    for cell in told.values():
        assert cell["low"] < cell["value"] < cell["high"]
    assert told["share_product"]["high"] - told["share_product"]["low"] == pytest.approx(4 * 0.025, rel=0.3)


def graded(**values) -> dict:
    kept = {
        "as_of": "2024-03-01",
        "auc": {"value": 0.8, "low": 0.76, "high": 0.84},
        "promised": {"auc": {"value": 0.8, "low": 0.77, "high": 0.83}},
        "lost": 100,
        "expected": 98.0,
        "expected_low": 80.0,
        "expected_high": 120.0,
        "ece": {"value": 0.02},
        "ece_by_chance": 0.03,
        "names": {"audited": {"n": 0, "right": 0, "value": None, "low": None, "high": None}},
    }
    return kept | values


def test_a_promise_that_was_kept_and_those_that_were_not():
    assert passed(grade_checks(graded(), LIMITS, 0.7)) == []
    worse = graded(auc={"value": 0.7, "low": 0.65, "high": 0.76})
    assert passed(grade_checks(worse, LIMITS, 0.7)) == [("auc", "2024-03-01", "alarm")]
    assert passed(grade_checks(graded(lost=118), LIMITS, 0.7)) == []  # a fifth more, as chance may have it
    assert passed(grade_checks(graded(lost=122), LIMITS, 0.7)) == [("level", "2024-03-01", "watch")]
    assert passed(grade_checks(graded(ece={"value": 0.07}), LIMITS, 0.7)) == [("calibration", "2024-03-01", "alarm")]
    names = {"audited": {"n": 40, "right": 16, "value": 0.4, "low": 0.26, "high": 0.55}}
    assert passed(grade_checks(graded(names=names), LIMITS, 0.7)) == [("names", "2024-03-01", "alarm")]
    unknown = graded(auc={"value": None, "low": None, "high": None}, expected=0.0, lost=0)
    assert passed(grade_checks(unknown, LIMITS, 0.7)) == []
