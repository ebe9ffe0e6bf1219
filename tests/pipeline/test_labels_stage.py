"""`holdfast labels` and `featurize.label` as a user meets them, on a small market and on orders alone."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from features.errors import ConfigurationError
from features.labels import LABELS
from pipeline import featurize, labels, past
from pipeline.frames import label_of, meta_of, plan_from, plan_of, read_matrix
from pipeline.layout import Layout
from pipeline.params import Params, load
from pipeline.train import fit_at
from tests.commands import holdfast
from tests.features.worlds import write

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["silent", "halved", "range_lost", "rhythm"]


def choose(project: Path, **values) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["featurize"] |= values
    (project / "params.yaml").write_text(yaml.safe_dump(params))


@pytest.fixture(scope="module")
def market(small_market, tmp_path_factory):
    project = tmp_path_factory.mktemp("family") / "project"
    shutil.copytree(small_market, project)
    done = holdfast(project, "labels", "--source", "simulated")
    assert done.returncode == 0, done.stderr
    return project, done.stderr


def test_every_definition_ranks_the_active_accounts(market):
    project, said = market
    found = json.loads((project / "artifacts/simulated/labels.json").read_text())
    matrix = read_matrix(Layout(project, "simulated").matrix)
    assert list(found["formula"]) == NAMES
    day = date.fromisoformat(found["as_of"])
    rows = matrix[(matrix["as_of"] == day) & ~matrix["lapsed"]]
    assert found["accounts"] == len(rows)
    assert matrix.loc[matrix["as_of"] > day, "label_rhythm"].isna().any()  # the last known of all
    for name in NAMES:
        own = rows[f"label_{name}"].dropna()
        assert found["lost"][name] == {"accounts": len(own), "lost": int(own.sum()), "share": own.mean()}
        assert found["auc"][name][name] > 0.5
        assert found["spearman"][name][name] == pytest.approx(1.0)
    assert len(found["moves"]) == labels.MOVED
    page = (project / "artifacts/simulated/labels.html").read_text()
    assert "What counts as a loss" in page
    assert "under 0.5 times the account" in page
    assert "by silent (" in said


@pytest.mark.slow
def test_another_label_is_learned_and_evaluated(market):
    project, _ = market
    before = read_matrix(Layout(project, "simulated").matrix)
    choose(project, label="halved")
    for stage in ("featurize", "train", "evaluate"):
        done = holdfast(project, stage, "--source", "simulated")
        assert done.returncode == 0, done.stderr
    assert "a loss is halved, BG/NBD speaks of no order" in done.stderr
    matrix = read_matrix(Layout(project, "simulated").matrix)
    np.testing.assert_array_equal(matrix["label"], before["label_halved"])
    pd.testing.assert_frame_equal(matrix.drop(columns="label"), before.drop(columns="label"))
    metrics = json.loads((project / "artifacts/simulated/metrics.json").read_text())
    assert metrics["label"]["name"] == "halved"
    meta = json.loads((project / "artifacts/simulated/model/model.json").read_text())
    assert meta["label"] == "halved"
    assert not set(meta["features"]) & set(before.columns[:10])
    assert not [name for name in meta["features"] if name.startswith(("label", "silent"))]
    choose(project, label="silent")


def test_a_label_that_nobody_knows_is_refused(market):
    project, _ = market
    choose(project, label="gone")
    done = holdfast(project, "featurize", "--source", "simulated")
    assert done.returncode == 2
    assert "featurize.label: Value error, must be one of silent, halved, range_lost, rhythm" in done.stderr
    choose(project, label="silent")


def orders(accounts: int, months: int) -> list[dict]:
    rng = np.random.default_rng(3)
    rows = []
    for number in range(accounts):
        stops = rng.integers(6, 2 * months)
        for month in range(months):
            if month < stops and rng.random() < 0.7:
                day = date(2021 + month // 12, month % 12 + 1, int(rng.integers(1, 28)))
                rows.append(
                    {
                        "order_id": f"{number}-{month}",
                        "account_id": f"A{number}",
                        "ordered_at": pd.Timestamp(day).to_pydatetime(),
                        "amount": float(rng.integers(1, 100)),
                        "is_return": False,
                    }
                )
    return rows


def contract(folder: Path, rows: list[dict], **values) -> tuple[Layout, Params]:
    layout = Layout(folder, "contract")
    layout.tables.parent.mkdir(parents=True)
    write(layout.tables, {"orders": rows})
    table = pq.read_table(layout.tables / "orders.parquet").select(list(rows[0]))  # orders in the smallest form
    pq.write_table(table, layout.tables / "orders.parquet")
    params = load(ROOT, "contract")
    small = {"rounds": 20, "min_leaf": 5, "held_out": 0, "min_losses": 1}
    return layout, params.model_copy(
        update={
            "featurize": params.featurize.model_copy(update=values),
            "train": params.train.model_copy(update=small),
        }
    )


def test_what_the_tables_cannot_show_is_left_out_and_said(tmp_path, caplog):
    layout, params = contract(tmp_path, orders(60, 36))
    with caplog.at_level("INFO", "holdfast"):
        featurize.run(layout, params.featurize)
        labels.run(layout, params)
    assert "without the label range_lost, which needs orders.product_line" in caplog.text
    assert set(LABELS) - set(read_matrix(layout.matrix).columns) == {"label_range_lost"}
    assert list(json.loads(layout.labels.read_text())["formula"]) == ["silent", "halved", "rhythm"]
    wanted = params.featurize.model_copy(update={"label": "range_lost"})
    with pytest.raises(ConfigurationError, match=r"featurize\.label is range_lost, which needs orders\.product_line"):
        featurize.run(layout, wanted)


def test_of_a_sample_no_others_are_read_and_the_ranking_is_that_of_all(tmp_path, monkeypatch):
    some = orders(60, 36)
    days = pd.date_range("2021-01-03", "2023-12-28", freq="14D")  # of accounts that no definition calls lost
    steady = [
        {**some[0], "order_id": f"{name}/{number}", "account_id": f"S{name}", "ordered_at": day}
        for name in range(20)
        for number, day in enumerate(days)
    ]
    layout, params = contract(tmp_path, [*some, *steady])
    params = params.model_copy(update={"train": params.train.model_copy(update={"sample": 0.3})})
    featurize.run(layout, params.featurize)
    kept, chosen = [], past.accounts_in

    def accounts_in(*given):
        kept.extend(chosen(*given))
        return kept

    monkeypatch.setattr(past, "accounts_in", accounts_in)
    labels.run(layout, params)
    found = json.loads(layout.labels.read_text())
    matrix = read_matrix(layout.matrix)
    lost = matrix[matrix[[name for name in LABELS if name in matrix]].eq(1).any(axis=1)]
    assert set(lost["account_id"]) <= set(kept) < set(matrix["account_id"])
    monkeypatch.setattr(past, "accounts_in", lambda *given: None)  # then all are read
    labels.run(layout, params)
    assert json.loads(layout.labels.read_text()) == found


def test_one_account_has_a_page_too(tmp_path):
    layout, params = contract(tmp_path, [row for row in orders(60, 36) if row["account_id"] == "A1"])
    featurize.run(layout, params.featurize)
    labels.run(layout, params)
    found = json.loads(layout.labels.read_text())
    assert found["accounts"] == 1
    assert found["moves"] == []
    assert found["spearman"]["silent"]["halved"] is None
    assert "No account moves." in layout.labels_page.read_text()


def test_too_little_is_refused_in_words(tmp_path):
    layout, params = contract(tmp_path / "short", orders(30, 11))
    featurize.run(layout, params.featurize)
    with pytest.raises(ConfigurationError, match="no cut-off at which every definition of a loss has matured"):
        labels.run(layout, params)
    with pytest.raises(ConfigurationError, match="has no labels beside its own"):
        labels.last_known(read_matrix(layout.matrix), [])
    steady = [row for row in orders(60, 36) if row["account_id"] == "A1"]
    days = pd.date_range("2021-01-03", "2023-12-28", freq="14D")
    steady = [{**steady[0], "order_id": str(number), "ordered_at": day} for number, day in enumerate(days)]
    layout, params = contract(tmp_path / "steady", steady)
    featurize.run(layout, params.featurize)
    with pytest.raises(ConfigurationError, match="fewer than two can be learned from what was known"):
        labels.run(layout, params)


def test_a_label_of_own_horizons_is_learned_only_from_what_has_matured(tmp_path):
    layout, params = contract(tmp_path, orders(60, 36), label="rhythm")
    featurize.run(layout, params.featurize)
    matrix = read_matrix(layout.matrix)
    label = label_of(params.featurize)
    last = max(matrix.loc[matrix["label"].notna(), "as_of"])
    assert label.matures(last) == params.featurize.period.after(last, 6)
    assert matrix.loc[matrix["as_of"] > last, "label_rhythm"].notna().any()  # some are known before all are
    model = fit_at(matrix, last, params.featurize, params.train)
    assert max(map(date.fromisoformat, model.meta["train_cutoffs"])) == params.featurize.period.before(last, 6)
    plan = plan_from(meta_of(plan_of(params.featurize)), 7)
    assert plan.label == label


def test_the_grid_of_cutoffs_is_the_same_whatever_is_predicted(tmp_path):
    found = []
    for name in ("silent", "rhythm"):
        layout, params = contract(tmp_path / name, orders(20, 30), label=name)
        featurize.run(layout, params.featurize)
        found.append(read_matrix(layout.matrix).drop(columns="label"))
    pd.testing.assert_frame_equal(*found)
