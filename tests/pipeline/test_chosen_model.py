"""What is worked out beside the scores is of their day, their models and their tables, or refused."""

from __future__ import annotations

import shutil
from datetime import date

import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.errors import ConfigurationError, ContractError
from models.lineage import read_lineage
from pipeline import decide, explain, score
from pipeline.artifacts import read_frame
from pipeline.frames import write_frame
from pipeline.layout import Layout
from pipeline.params import load

pytestmark = pytest.mark.filterwarnings("ignore:The set_.* function")  # SHAP's beeswarm calls it
STAGES = {"explain": explain.run, "decide": decide.run}
EARLIER = date(2024, 5, 1)


@pytest.fixture
def layout(small_project, tmp_path) -> Layout:
    shutil.copytree(small_project, tmp_path / "project", symlinks=True)
    return Layout(tmp_path / "project", "contract")


def test_an_earlier_scoring_is_explained_at_its_own_day(layout):
    params = load(layout.root, layout.source)
    score.run(layout, params, score.Request(as_of=EARLIER))
    for stage in STAGES.values():
        stage(layout, params)
    scores = read_frame(layout.scores)
    told = scores[scores["naming"].notna()]
    explained = read_frame(layout.explanations)
    assert explained["account_id"].tolist() == told["account_id"].tolist()
    assert set(explained["as_of"]) == {EARLIER}
    assert explained["risk"].tolist() == told["risk"].tolist()
    assert read_frame(layout.previous)["as_of"].max() < EARLIER
    accounts = read_frame(layout.decisions / "accounts.parquet")
    assert set(accounts["as_of"]) == {EARLIER}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("part", ["model_hash", "cause_hash"])
def test_scores_of_another_model_are_refused(layout, stage, part):
    lineage = {**read_lineage(layout.scores), part: "0123456789abcdef"}
    for path in (layout.scores, layout.previous):
        write_frame(read_frame(path), path, lineage)
    with pytest.raises(ConfigurationError, match=r"0123456789abcdef.*which are not those of .*Run `holdfast score"):
        STAGES[stage](layout, load(layout.root, layout.source))


@pytest.mark.parametrize("stage", STAGES)
def test_scores_of_other_tables_are_refused(layout, stage):
    """As after a corrected extract: an account that was scored may no longer be there."""
    orders = pd.read_parquet(layout.tables / "orders.parquet")
    gone = read_frame(layout.scores)["account_id"].iloc[-1]
    schema = pq.read_schema(layout.tables / "orders.parquet")
    left = orders[orders["account_id"] != gone]
    left.to_parquet(layout.tables / "orders.parquet", index=False, schema=schema)
    with pytest.raises(
        ConfigurationError, match=r"was made of other tables \(data \w{16}\) .*Run `holdfast score --source"
    ):
        STAGES[stage](layout, load(layout.root, layout.source))


def test_scores_without_a_lineage_are_made_again(layout):
    write_frame(read_frame(layout.scores), layout.scores, None)
    with pytest.raises(ContractError, match=r"scores\.parquet is damaged: it has no lineage.*`holdfast score"):
        explain.run(layout, load(layout.root, layout.source))
