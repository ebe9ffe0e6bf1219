"""What the evaluation adds to a prediction: today's region; and which baseline the slices are held against."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from features.errors import ConfigurationError
from pipeline import evaluate
from pipeline.evaluate import best_baseline, regions_of
from pipeline.layout import Layout
from pipeline.params import changed, load

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


def test_no_file_says_champion_before_the_registry_does(small_project, tmp_path, monkeypatch):
    layout = Layout(tmp_path / "project", "contract")
    shutil.copytree(small_project, layout.root, symlinks=True)
    params = load(layout.root, layout.source)
    written = (layout.metrics, layout.card, layout.predictions, layout.summary)
    before = [path.read_bytes() for path in written]

    def refused(*given):
        raise ConfigurationError("the registry cannot be written")

    monkeypatch.chdir(layout.root)
    monkeypatch.setattr(evaluate, "log_evaluation", lambda *given: None)
    monkeypatch.setattr(evaluate, "settle", refused)
    changed_params = changed(params.evaluate, {"seed": 8})
    with pytest.raises(ConfigurationError, match="the registry cannot be written"):
        evaluate.run(layout, params.featurize, params.train, changed_params, params.money, params.score, params.explain)
    assert [path.read_bytes() for path in written] == before
