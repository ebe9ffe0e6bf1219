"""The whole pipeline of a source in a database, through to the report."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import yaml

from pipeline import run
from pipeline.layout import Layout
from pipeline.params import load
from tests.commands import holdfast

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "HOLDFAST_TEST_URL"
TABLES = ("orders", "accounts", "contacts")


@pytest.fixture
def project(trained, tmp_path) -> Path:
    """A project whose only source, `crm`, is a DuckDB file with the tables of a small market."""
    folder = tmp_path / "project"
    source = folder / "sources" / "crm"
    source.mkdir(parents=True)
    (source / "source.yaml").write_text(f"connection: {{url_from: {VARIABLE}}}\n")
    with duckdb.connect(str(folder / "crm.duckdb")) as connection:
        for name in TABLES:
            connection.execute(f"CREATE TABLE their_{name} AS FROM '{trained.raw / name}.parquet'")
            (source / f"{name}.sql").write_text(f"SELECT * FROM their_{name};")
    params = yaml.safe_load((trained.root / "params.yaml").read_text())
    params["sources"] = ["crm"]
    params["train"] |= {"held_out": 0}
    params["reasons"] |= {"bags": 1, "warm": 3, "rounds": 5, "min_leaf": 20}
    params["evaluate"] |= {"tests": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return folder


def stages_alone(command: list[str], cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """In the place of `dvc repro`, which loads the libraries anew for each: the stages' commands as dvc.yaml has them."""
    assert command[-2:] == ["repro", "report@crm"]
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values():
        name, *arguments = shlex.split(stage["cmd"].replace("${item.source}", "crm"))
        assert name == "holdfast"
        if arguments[0] != "simulate":
            done = holdfast(cwd, *arguments, env=env)
            assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return subprocess.CompletedProcess(command, 0)


@pytest.mark.slow
def test_a_database_becomes_a_report(project, monkeypatch):
    monkeypatch.setenv(VARIABLE, "duckdb://crm.duckdb")
    monkeypatch.setattr(run.subprocess, "run", stages_alone)
    layout = Layout(project, "crm")
    said = run.run(layout, load(project, "crm"), None)
    scores = pd.read_parquet(layout.scores)
    assert f"crm, as of 2023-01-01: {(~scores['lapsed']).sum()} active accounts" in said
    assert "Report: open artifacts/crm/report/index.html" in said
    assert "crm" in (layout.report / "index.html").read_text()
    assert {path.stem for path in layout.raw.glob("*.parquet")} == set(TABLES)
    with duckdb.connect(str(project / "crm.duckdb"), read_only=True) as connection:
        bought = {
            account for (account,) in connection.execute("SELECT DISTINCT account_id FROM their_orders").fetchall()
        }
    assert 50 < len(scores) <= len(bought)
    assert set(scores["account_id"]) <= bought
