"""The scoring job: one result for one question, whatever killed it before; one at a time; a summary however it ends."""

from __future__ import annotations

import json
import shutil
import time
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from features.errors import ConfigurationError
from models.causes import CauseModel
from models.lineage import KEY, read_lineage
from models.risk import RiskModel
from pipeline import history, score
from pipeline.layout import Layout
from pipeline.params import load
from pipeline.score import Request
from pipeline.scoring import scoring
from tests.pipeline.killed import ended, start

UNTIL = date(2023, 1, 1)


def params_of(layout: Layout):
    return load(layout.root, layout.source)


def files(layout: Layout) -> dict[str, bytes]:
    """The bytes of all that a scoring leaves, whatever it is."""
    found = [path for path in layout.artifacts.rglob("*") if path.is_file() and path.name != ".score.lock"]
    return {str(path.relative_to(layout.artifacts)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def ready(trained, tmp_path_factory) -> Path:
    """Two scorings worked out beforehand, so that a run of the job takes no longer than what it writes."""
    folder = tmp_path_factory.mktemp("ready")
    models = RiskModel.load(trained.model), CauseModel.load(trained.causes)
    for name, everyone in (("some", False), ("every", True)):
        with scoring(*models, trained, params_of(trained), UNTIL, everyone) as scored:
            scored.scores.to_parquet(folder / f"{name}.parquet")
            shutil.copy(scored.rows.folder / f"{UNTIL}.arrow", folder)
    (folder / "told.json").write_text(json.dumps({"as_of": str(UNTIL)}))
    return folder


def test_the_same_question_is_scored_once(project):
    params = params_of(project)
    first = score.run(project, params, Request())
    before = files(project)
    assert (first["status"], first["as_of"]) == ("scored", "2023-01-01")
    times = {path: path.stat().st_mtime_ns for path in project.artifacts.rglob("*.parquet")}
    again = score.run(project, params, Request())
    assert again["status"] == "already scored"
    assert "features" not in again["seconds"]
    assert {path: path.stat().st_mtime_ns for path in project.artifacts.rglob("*.parquet")} == times
    forced = score.run(project, params, Request(force=True))
    assert forced["status"] == "scored"
    assert files(project) == before
    other = score.run(project, params, Request(everyone=True))  # another question
    assert other["status"] == "scored"
    assert other["lineage"]["params_hash"] != first["lineage"]["params_hash"]
    assert files(project)["scores.parquet"] != before["scores.parquet"]


def test_other_data_are_another_question(project):
    score.run(project, params_of(project), Request(as_of=date(2022, 12, 1)))
    tables = project.tables.resolve()
    (project.root / "data").unlink()
    shutil.copytree(tables, project.tables)
    orders = project.tables / "orders.parquet"
    table = pq.read_table(orders)
    pq.write_table(table.slice(0, len(table) - 1), orders)
    assert score.run(project, params_of(project), Request(as_of=date(2022, 12, 1)))["status"] == "scored"


def test_every_output_says_where_it_comes_from(project):
    summary = score.run(project, params_of(project), Request())
    lineage = summary["lineage"]
    assert set(lineage) == {
        *("as_of", "data_hash", "model_hash", "cause_hash", "model_version", "code_version", "code_hash"),
        *("taxonomy_version", "params_hash"),
    }
    assert lineage["model_hash"] == RiskModel.load(project.model).content_hash
    for path in (project.scores, project.live, project.history / "2023-01-01" / "scores.parquet"):
        assert read_lineage(path) == lineage
    assert json.loads(pq.read_schema(project.scores).metadata[KEY]) == lineage
    out = project.root / "a.csv"
    assert score.run(project, params_of(project), Request(out=out))["status"] == "completed"  # from the history
    assert json.loads((project.root / "a.csv.lineage.json").read_text()) == lineage
    fresh = score.run(project, params_of(project), Request(out=project.root / "b.csv", force=True))
    assert fresh["status"] == "scored"
    assert out.read_bytes() == (project.root / "b.csv").read_bytes()


def test_the_summary_counts_what_the_scores_say(project):
    summary = score.run(project, params_of(project), Request())
    scores = pd.read_parquet(project.scores)
    active = scores[~scores["lapsed"]]
    assert summary["counts"] == {
        "accounts": len(scores), "active": len(active), "lapsed": len(scores) - len(active), "written": len(scores),
        "with_reasons": scores["naming"].notna().sum(), "named": (scores["naming"] == "named").sum(),
    }  # fmt: skip
    assert summary["expected_losses"] == pytest.approx(active["risk"].sum())
    assert summary["expected_loss"] == pytest.approx(active["expected_loss"].sum())
    assert list(summary["seconds"]) == ["prepare", "features", "risk", "reasons", "keep", "write", "outlook"]
    assert summary["paths"]["scores"] == str(project.scores)


def test_a_second_job_is_refused_with_who_is_at_work(project):
    holder = project.artifacts / ".score.holder.json"
    holder.write_text(json.dumps({"process": 4711, "host": "night", "since": "2024-03-31T02:00:00+00:00"}))
    with (
        FileLock(project.artifacts / ".score.lock"),
        pytest.raises(
            ConfigurationError,
            match=r"Another score writes to .*: process 4711 on night, since 2024-03-31T02:00:00\+00:00\. Nothing was done",
        ),
    ):
        score.run(project, params_of(project), Request())
    assert not project.scores.exists()


@pytest.mark.slow
def test_killed_before_any_of_its_steps_the_next_run_leaves_what_an_undisturbed_one_does(project, ready, tmp_path):
    """Another scoring of the day is there already: whichever step comes next, it or the new one is whole."""
    said = tmp_path / "said.json"
    assert ended(project.root, project.source, said, ready=ready, everyone=True)[0] == 0
    old = files(project)
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(project.root, undisturbed, symlinks=True)
    code, told = ended(undisturbed, project.source, said, ready=ready, number=10_000)
    assert (code, told["summary"]["status"]) == (0, "scored")
    expected = files(Layout(undisturbed, project.source))
    assert expected != old
    assert told["steps"] > 12
    statuses = []
    for number in range(told["steps"]):
        root = tmp_path / f"killed-{number}"
        shutil.copytree(project.root, root, symlinks=True)
        layout = Layout(root, project.source)
        assert ended(root, project.source, said, ready=ready, number=number)[0] == -9, number
        left = files(layout)
        for name in ("scores.parquet", "live.json"):
            assert left[name] in (old[name], expected[name]), (number, name)
        for past in history.every(layout):
            assert read_lineage(past.folder / "scores.parquet") == past.meta["lineage"]
            assert len(past.scores) == len(past.features)
        code, healed = ended(root, project.source, said, ready=ready)
        assert code == 0
        statuses.append(healed["summary"]["status"])
        assert files(layout) == expected, number
        assert sorted(path.name for path in layout.history.iterdir()) == ["2023-01-01"]
        assert not (layout.artifacts / ".scoring").exists()
        shutil.rmtree(root)
    assert set(statuses) == {"scored", "completed", "already scored"}
    assert statuses == sorted(statuses, key=["scored", "completed", "already scored"].index)  # nothing is lost again


def test_killed_at_its_work_it_leaves_nothing_half_and_no_lock(project, tmp_path):
    said = tmp_path / "said.json"
    process = start(project.root, project.source, said)
    scratch = project.artifacts / ".scoring"
    while not list(scratch.rglob("*")) and process.is_alive():
        time.sleep(0.01)
    process.kill()
    process.join()
    assert process.exitcode == -9
    assert scratch.exists()
    assert not project.scores.exists()
    assert score.run(project, params_of(project), Request())["status"] == "scored"
    assert not scratch.exists()
