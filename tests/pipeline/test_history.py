"""Past scorings: the latest before a day is found, a day is kept once, and never half."""

import shutil
from datetime import date
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.history import GROUP, at, every, heal, keep, last_before
from pipeline.layout import Layout

MODEL = SimpleNamespace(
    content_hash="abc", meta={"horizon": "3 months", "booking_lag": "0 days", "known_until": "2024-01-01"}
)
WHY = SimpleNamespace(content_hash="def")


LINEAGE = {"data_hash": "ghi"}


def scoring(day: date, risk: float) -> tuple[pd.DataFrame, list[pa.Table]]:
    scores = pd.DataFrame({"account_id": ["A", "B"], "as_of": [day, day], "risk": [risk, risk]})
    return scores, [pa.table({"account_id": [name], "recency": [risk * 10]}) for name in ("A", "B")]


def test_the_latest_scoring_before_a_day(tmp_path):
    layout = Layout(tmp_path, "mine")
    assert last_before(layout, date(2024, 3, 1)) is None
    for month in (1, 2, 3):
        keep(layout, *scoring(date(2024, month, 1), month / 10), MODEL, WHY, LINEAGE)
    found = last_before(layout, date(2024, 3, 1))
    assert found.as_of == date(2024, 2, 1)
    assert found.scores["risk"].tolist() == [0.2, 0.2]
    assert found.features["recency"].to_dict() == {"A": 2.0, "B": 2.0}
    assert found.meta == {
        "as_of": "2024-02-01",
        "booking_lag": "0 days",
        "causes": "def",
        "horizon": "3 months",
        "known_until": "2024-01-01",
        "label": None,
        "lineage": LINEAGE,
        "model": "abc",
    }
    assert last_before(layout, date(2024, 1, 1)) is None


def test_a_copy_of_a_scoring_beside_it_is_no_scoring(tmp_path):
    layout = Layout(tmp_path, "mine")
    keep(layout, *scoring(date(2024, 1, 1), 0.1), MODEL, WHY, LINEAGE)
    for name in ("2024-01-01.bak", "20240101"):
        shutil.copytree(layout.history / "2024-01-01", layout.history / name)
    assert [past.as_of for past in every(layout)] == [date(2024, 1, 1)]


def test_a_scoring_is_judged_by_few_columns_and_nothing_of_it_is_kept_in_memory(tmp_path):
    layout = Layout(tmp_path, "mine")
    keep(layout, *scoring(date(2024, 1, 1), 0.1), MODEL, WHY, LINEAGE)
    past = last_before(layout, date(2024, 2, 1))
    assert list(past.judged()) == ["account_id", "risk"]  # what there is of those that are needed
    assert not {"scores", "features"} & set(vars(past))


@pytest.mark.parametrize("other", [{"horizon": "2 months"}, {"label": "halved"}])
def test_a_scoring_of_another_loss_speaks_of_nothing_that_today_s_model_does(tmp_path, other):
    layout = Layout(tmp_path, "mine")
    keep(layout, *scoring(date(2024, 1, 1), 0.1), MODEL, WHY, LINEAGE)
    past = last_before(layout, date(2024, 2, 1))
    assert past.speaks_of(MODEL)
    assert not past.speaks_of(SimpleNamespace(meta={**MODEL.meta, **other}))


def test_a_day_scored_again_is_kept_once(tmp_path):
    layout = Layout(tmp_path, "mine")
    keep(layout, *scoring(date(2024, 1, 1), 0.1), MODEL, WHY, LINEAGE)
    keep(layout, *scoring(date(2024, 1, 1), 0.5), MODEL, WHY, LINEAGE)
    assert last_before(layout, date(2024, 2, 1)).scores["risk"].tolist() == [0.5, 0.5]
    assert [path.name for path in layout.history.iterdir()] == ["2024-01-01"]


def test_what_a_killed_run_left_is_not_taken_for_a_scoring(tmp_path):
    layout = Layout(tmp_path, "mine")
    (layout.history / ".2024-01-01.writing").mkdir(parents=True)
    (layout.history / "2024-01-01").mkdir()
    assert last_before(layout, date(2024, 2, 1)) is None
    keep(layout, *scoring(date(2024, 1, 1), 0.1), MODEL, WHY, LINEAGE)
    assert last_before(layout, date(2024, 2, 1)) is not None


def test_every_scoring_oldest_first(tmp_path):
    layout = Layout(tmp_path, "mine")
    assert every(layout) == []
    for month in (3, 1, 2):
        keep(layout, *scoring(date(2024, month, 1), month / 10), MODEL, WHY, LINEAGE)
    assert [past.as_of.month for past in every(layout)] == [1, 2, 3]
    assert [past.scores["risk"].iloc[0] for past in every(layout)] == [0.1, 0.2, 0.3]


def test_the_scoring_of_a_day(tmp_path):
    layout = Layout(tmp_path, "mine")
    keep(layout, *scoring(date(2024, 1, 1), 0.1), MODEL, WHY, LINEAGE)
    assert at(layout, date(2024, 1, 1)).as_of == date(2024, 1, 1)
    assert at(layout, date(2024, 1, 2)) is None


def test_a_scoring_that_was_moved_aside_comes_back(tmp_path):
    layout = Layout(tmp_path, "mine")
    keep(layout, *scoring(date(2024, 1, 1), 0.1), MODEL, WHY, LINEAGE)
    (layout.history / "2024-01-01").rename(layout.history / ".2024-01-01.old")
    (layout.history / ".2024-01-01.writing").mkdir()
    assert every(layout) == []
    heal(layout)
    assert [past.scores["risk"].iloc[0] for past in every(layout)] == [0.1]
    assert [path.name for path in layout.history.iterdir()] == ["2024-01-01"]


def test_many_blocks_are_written_in_few_groups(tmp_path):
    layout = Layout(tmp_path, "mine")
    scores, _ = scoring(date(2024, 1, 1), 0.1)
    blocks = [pa.table({"account_id": ["A"] * 70_000, "recency": [float(number)] * 70_000}) for number in range(3)]
    keep(layout, scores, iter(blocks), MODEL, WHY, LINEAGE)
    file = pq.ParquetFile(layout.history / "2024-01-01" / "features.parquet")
    assert [file.metadata.row_group(number).num_rows for number in range(2)] == [140_000, 70_000]
    assert GROUP == 100_000
    assert at(layout, date(2024, 1, 1)).features["recency"].nunique() == 3
