"""What the evaluation adds to a prediction: today's region; and which baseline the slices are held against."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.evaluate import best_baseline, regions_of
from pipeline.layout import Layout

ACCOUNTS = pd.Series(["b", "a", "b", "c"])


@pytest.fixture
def layout(tmp_path):
    layout = Layout(tmp_path, "mine")
    layout.tables.mkdir(parents=True)
    return layout


def test_each_row_gets_the_region_of_its_account_and_none_where_there_is_none(layout):
    table = pd.DataFrame({"account_id": ["a", "b", "c"], "region": ["North", "South", None]})
    table.to_parquet(layout.tables / "accounts.parquet")
    found = regions_of(layout, ACCOUNTS)
    assert found.iloc[:3].tolist() == ["South", "North", "South"]
    assert pd.isna(found.iloc[3])


def test_without_the_table_or_the_column_no_account_has_a_region(layout):
    assert regions_of(layout, ACCOUNTS).isna().all()
    pd.DataFrame({"account_id": ["a", "b", "c"]}).to_parquet(layout.tables / "accounts.parquet")
    found = regions_of(layout, ACCOUNTS)
    assert found.isna().all()
    assert found.index.tolist() == ACCOUNTS.index.tolist()


def test_the_baseline_with_the_highest_auc_is_the_best_and_an_unknown_one_is_not():
    def cell(value):
        return {"mean": {"auc": {"value": value}}}

    models = {"risk": cell(0.9), "recency": cell(None), "rfm_logistic": cell(0.7), "bg_nbd": cell(0.8)}
    assert best_baseline({"population": {"all": models}}) == "bg_nbd"
