"""Names of measures, models and accounts, and comparisons in words."""

from __future__ import annotations

from gettext import NullTranslations

import pytest

from models.metrics import METRICS as MEASURED
from reports import language
from reports.language import speaking
from reports.measures import METRICS, differences, metrics, model_name, population_name, sentence


class Shouting(NullTranslations):
    def gettext(self, message):
        return message.upper()


def test_names_are_of_the_language_spoken_when_they_are_asked_for(monkeypatch):
    monkeypatch.setattr(language, "catalogue", lambda spoken: Shouting() if spoken == "ro" else NullTranslations())
    assert metrics() == METRICS
    assert set(METRICS) == set(MEASURED)
    with speaking("ro"):
        assert (metrics()["slope"].name, metrics()["slope"].digits) == ("SLOPE", 2)
        assert (model_name("recency"), population_name("all")) == ("RECENCY", "ALL ELIGIBLE ACCOUNTS")
        assert model_name("of_another{x}") == "of_another{x}"


@pytest.mark.parametrize(
    ("metric", "low", "high", "expected"),
    [
        ("auc", 0.1, 0.2, "AUC: the interval lies above zero, Holdfast is better"),
        ("auc", -0.2, -0.1, "AUC: the interval lies below zero, Holdfast is worse"),
        ("brier", 0.1, 0.2, "Brier: the interval lies above zero, Holdfast is worse"),
        ("brier", -0.2, -0.1, "Brier: the interval lies below zero, Holdfast is better"),
        ("brier", -0.2, 0.1, "Brier: the interval holds zero, so no difference is shown"),
        ("lift_5", None, None, "Lift 5%: not known"),
    ],
)
def test_where_an_interval_lies_is_said_in_a_whole_sentence(metric, low, high, expected):
    found = differences({metric: {"value": 0.0, "low": low, "high": high}})
    assert sentence("Recency", found) == f"Against Recency. {expected}."
    both = sentence("Recency", {**found, "auc": {"value": None, "low": None, "high": None, "verdict": "unknown"}})
    assert both.count(";") == (metric != "auc")
