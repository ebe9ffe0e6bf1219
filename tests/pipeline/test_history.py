"""Past scorings: the latest before a day is found, a day is kept once, and never half."""

from datetime import date
from types import SimpleNamespace

import pandas as pd

from pipeline.history import every, keep, last_before
from pipeline.layout import Layout

MODEL = SimpleNamespace(
    content_hash="abc", meta={"horizon": "3 months", "booking_lag": "0 days", "known_until": "2024-01-01"}
)
WHY = SimpleNamespace(content_hash="def")


def scoring(day: date, risk: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    scores = pd.DataFrame({"account_id": ["A"], "as_of": [day], "risk": [risk]})
    features = pd.DataFrame({"recency": [risk * 10]}, index=pd.Index(["A"], name="account_id"))
    return scores, features


def test_the_latest_scoring_before_a_day(tmp_path):
    layout = Layout(tmp_path, "mine")
    assert last_before(layout, date(2024, 3, 1)) is None
    for month in (1, 2, 3):
        keep(layout, *scoring(date(2024, month, 1), month / 10), MODEL, WHY)
    found = last_before(layout, date(2024, 3, 1))
    assert found.as_of == date(2024, 2, 1)
    assert found.scores["risk"].tolist() == [0.2]
    assert found.features.loc["A", "recency"] == 2.0
    assert found.meta == {
        "as_of": "2024-02-01",
        "booking_lag": "0 days",
        "causes": "def",
        "horizon": "3 months",
        "known_until": "2024-01-01",
        "label": None,
        "model": "abc",
    }
    assert last_before(layout, date(2024, 1, 1)) is None


def test_a_day_scored_again_is_kept_once(tmp_path):
    layout = Layout(tmp_path, "mine")
    keep(layout, *scoring(date(2024, 1, 1), 0.1), MODEL, WHY)
    keep(layout, *scoring(date(2024, 1, 1), 0.5), MODEL, WHY)
    assert last_before(layout, date(2024, 2, 1)).scores["risk"].tolist() == [0.5]
    assert [path.name for path in layout.history.iterdir()] == ["2024-01-01"]


def test_what_a_killed_run_left_is_not_taken_for_a_scoring(tmp_path):
    layout = Layout(tmp_path, "mine")
    (layout.history / ".2024-01-01.writing").mkdir(parents=True)
    (layout.history / "2024-01-01").mkdir()
    assert last_before(layout, date(2024, 2, 1)) is None
    keep(layout, *scoring(date(2024, 1, 1), 0.1), MODEL, WHY)
    assert last_before(layout, date(2024, 2, 1)) is not None


def test_every_scoring_oldest_first(tmp_path):
    layout = Layout(tmp_path, "mine")
    assert every(layout) == []
    for month in (3, 1, 2):
        keep(layout, *scoring(date(2024, month, 1), month / 10), MODEL, WHY)
    assert [past.as_of.month for past in every(layout)] == [1, 2, 3]
    assert [past.scores["risk"].iloc[0] for past in every(layout)] == [0.1, 0.2, 0.3]
