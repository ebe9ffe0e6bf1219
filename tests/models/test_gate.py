"""Each criterion passes on its limit and fails beyond it, and says the figures; what is unknown passes nothing."""

import pytest

from models.gate import against_baselines, against_champion, verdict


def cell(value, low):
    return {"mean": {"auc": {"value": value, "low": low, "high": value}}}


def metrics(low=0.01, ece=0.05):
    return {
        "population": {"all": {"risk": {"mean": {"ece": {"value": ece}}}}},
        "paired": {"all": {"recency": cell(0.02, 0.015), "bg_nbd": cell(0.02, low)}},
    }


def compared(low=-0.001, ece=(0.05, 0.05), told=0.1, large=0.02):
    risk, champion = ({"mean": {"ece": {"value": value}}} for value in ece)
    return {
        "version": "3",
        "compared": "models",
        "population": {"all": {"risk": risk, "champion": champion}},
        "paired": {"all": {"champion": cell(0.001, low)}},
        "reasons": {"accounts": 100, "all": told, "large": large},
    }


def failed(criteria):
    return [criterion.name for criterion in criteria if not criterion.passed]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (metrics(), []),
        (metrics(low=0.0), ["AUC over bg_nbd"]),  # not better for sure
        (metrics(low=None), ["AUC over bg_nbd"]),
        (metrics(ece=0.15), []),
        (metrics(ece=0.1501), ["calibration"]),
        (metrics(ece=None), ["calibration"]),
    ],
)
def test_a_first_champion_is_better_than_every_baseline_and_calibrated(given, names):
    assert failed(against_baselines(given, 0.0, 0.15)) == names


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (compared(), []),
        (compared(low=-0.003), []),
        (compared(low=-0.0031), ["AUC against the champion"]),
        (compared(low=None), ["AUC against the champion"]),
        (compared(ece=(0.02, 0.09)), []),  # better than the champion's
        (compared(ece=(0.0625, 0.0625 - 0.005)), []),
        (compared(ece=(0.0625, 0.0574)), ["calibration against the champion"]),
        (compared(ece=(0.05, None)), ["calibration against the champion"]),
        (compared(told=0.2, large=0.05), []),
        (compared(told=0.21), ["reasons"]),
        (compared(told=None), ["reasons"]),
        (compared(large=0.06), ["large reasons"]),
        (compared(large=None), []),  # no account has a share so large: nothing flips
    ],
)
def test_a_challenger_is_not_worse_than_the_champion_and_its_reasons_are_steady(given, names):
    assert failed(against_champion(given, 0.003, 0.005 + 1e-12, 0.2, 0.05)) == names


def test_a_champion_that_cannot_be_compared_is_replaced_by_nobody():
    (criterion,) = against_champion(
        {"version": "3", "compared": "nothing", "why": "its horizon is 6 months, now it is 3 months"}, 0, 0, 0, 0
    )
    assert not criterion.passed
    assert (
        criterion.words
        == "cannot be compared with the champion (version 3): its horizon is 6 months, now it is 3 months; "
        "`holdfast promote --force` replaces it"
    )


def test_the_verdict_tells_what_failed_with_its_figures():
    criteria = against_baselines(metrics(low=-0.002, ece=0.3), 0.0, 0.15)
    found = verdict(criteria)
    assert not found["passed"]
    assert found["why"] == (
        "gain in AUC over bg_nbd +0.0200, from -0.0020, not above +0.0000; calibration error 0.3000, not at most 0.1500"
    )
    assert found["criteria"][0] == {
        "name": "AUC over recency",
        "passed": True,
        "figure": 0.015,
        "limit": 0.0,
        "words": "gain in AUC over recency +0.0200, from +0.0150, above +0.0000",
    }


def test_the_verdict_says_what_was_asked_where_all_is_well():
    first = against_baselines(metrics(), 0.0, 0.15)
    assert verdict(first)["why"] == "better than every baseline, calibration within its limit"
    later = [*first, *against_champion(compared(), 0.003, 0.005, 0.2, 0.05)]
    assert verdict(later)["passed"]
    assert verdict(later)["why"].endswith("; not worse than the champion, reasons steady")
