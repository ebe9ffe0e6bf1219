"""A market end to end on `featurize.engine: spark`: the matrix and the scores are those of DuckDB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.commands import holdfast
from tests.features.test_spark import SETTINGS
from tests.small_project import project_at

SPARK = {"engine": "spark", "spark": {"master": "local[2]", "settings": SETTINGS}}


def read(project: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    matrix = pd.read_parquet(project / "data/simulated/matrix").sort_values(["as_of", "account_id"], ignore_index=True)
    return matrix, pd.read_parquet(project / "artifacts/simulated/scores.parquet")


def run(project: Path, *stages: list[str]) -> None:
    for arguments in stages:
        done = holdfast(project, *arguments)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.spark
def test_the_matrix_and_the_scores_of_a_market_are_those_of_duckdb(tmp_path):
    project = project_at(tmp_path / "project")
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["featurize"]["block"] = 150  # three blocks
    stages = [["featurize", "--source", "simulated"], ["score", "--source", "simulated"]]
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    run(
        project,
        ["simulate", "--out", "data/simulated/raw"],
        ["ingest", "--source", "simulated", "--data", "data/simulated/raw"],
        stages[0],
        ["train", "--source", "simulated"],
        stages[1],
    )
    expected = read(project)
    params["featurize"] |= SPARK
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    for path in (project / "data/simulated/matrix").iterdir():
        path.unlink()
    (project / "artifacts/simulated/scores.parquet").unlink()
    run(project, *stages)
    for found, wanted in zip(read(project), expected, strict=True):
        assert len(wanted) > 100
        pd.testing.assert_frame_equal(found, wanted, rtol=1e-9, atol=1e-9)
    assert np.isfinite(expected[1]["risk"]).all()
