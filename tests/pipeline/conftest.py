"""A small market in contract form with models trained on it, which the tests of the scoring job share."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml

from features.catalog import DECLARED
from features.engines import connect, open_tables
from features.matrix import build, write
from features.periods import rolling_cutoffs
from models import competing
from models.causes import CauseRecipe
from pipeline import simulate
from pipeline.frames import known_until, plan_of, read_matrix
from pipeline.ingest import ingest
from pipeline.layout import Layout
from pipeline.params import load
from pipeline.train import fit_at

ROOT = Path(__file__).resolve().parents[2]
FEATURES = (
    *("recency", "tenure", "amount_3", "amount_12", "order_days_total", "rebates_overdue", "manager_absent"),
    *("contacts_3", "complaints_open", "contacts_against_peers_3"),
)
SMALL = {"bags": 1, "warm": 3, "rounds": 5, "min_leaf": 20}


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Layout:
    """A project with tables and models; nothing is scored yet. To be copied, not to be written into."""
    layout = Layout(tmp_path_factory.mktemp("trained") / "project", "simulated")
    layout.root.mkdir()
    (layout.root / "sources").symlink_to(ROOT / "sources")
    given = yaml.safe_load((ROOT / "params.yaml").read_text())
    given["simulate"] |= {"accounts": 120, "periods": 24}
    given["train"] |= {"rounds": 10, "min_leaf": 20, "min_losses": 5}
    given["featurize"] |= {"block": 50}
    given["explain"] |= {"rank": 15}
    given["evaluate"] |= {"bootstrap": 20}
    (layout.root / "params.yaml").write_text(yaml.safe_dump(given))
    params = load(layout.root, layout.source)
    simulate.run(params.simulate, layout.raw)
    ingest(layout.source, layout.raw, layout.data, params.ingest, layout.root)
    connection = connect("1GB")
    tables = open_tables(connection, layout.tables)
    until = known_until(tables)
    cutoffs = rolling_cutoffs(date(2021, 9, 1), date(2022, 9, 1), params.featurize.period)
    chosen = [DECLARED[name] for name in FEATURES]
    write(build(connection, tables, cutoffs, replace(plan_of(params.featurize), steps=3), until, chosen), layout.matrix)
    connection.disconnect()
    matrix = read_matrix(layout.matrix)
    fit_at(matrix, until, params.featurize.model_copy(update={"steps": 3}), params.train).save(layout.model)
    recipe = replace(CauseRecipe(**params.reasons.model_dump()), **SMALL)
    competing.fit(competing.ahead(matrix, params.featurize.period, recipe.lead), FEATURES, recipe).save(layout.causes)
    return layout


@pytest.fixture
def project(trained, tmp_path) -> Layout:
    """A project of the same tables and models to score in."""
    layout = Layout(tmp_path / "project", trained.source)
    shutil.copytree(trained.artifacts, layout.artifacts)
    shutil.copy(trained.root / "params.yaml", layout.root)
    for name in ("data", "sources"):
        (layout.root / name).symlink_to(trained.root / name)
    return layout
