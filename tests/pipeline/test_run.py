"""The run of a whole source: the link to the raw files, the stages' exit code, and what it says in the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from features.errors import ConfigurationError, ContractError, HoldfastError, LimitError
from pipeline import cli, run
from pipeline.layout import Layout
from pipeline.params import load

ROOT = Path(__file__).resolve().parents[2]
PARAMS = load(ROOT, "simulated")


@pytest.fixture
def layout(tmp_path):
    (tmp_path / "project" / "sources" / "iowa").mkdir(parents=True)
    return Layout(tmp_path / "project", "iowa")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "extract"
    folder.mkdir()
    (folder / "orders.csv").write_text("order_id\n1\n")
    return folder


def nothing_runs(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("nothing should be run")

    monkeypatch.setattr(subprocess, "run", refuse)


def test_a_link_leads_to_the_users_folder(layout, data, monkeypatch):
    monkeypatch.chdir(data.parent)
    run.link(Path("extract"), layout.raw)
    assert layout.raw.is_symlink()
    assert layout.raw.resolve() == data
    assert (layout.raw / "orders.csv").read_text() == "order_id\n1\n"


def test_a_link_can_be_moved_to_another_folder(layout, data, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    run.link(data, layout.raw)
    run.link(other, layout.raw)
    assert layout.raw.resolve() == other
    assert (data / "orders.csv").exists()


def test_a_link_to_a_folder_that_is_gone_can_be_moved(layout, data, tmp_path):
    run.link(data, layout.raw)
    data.rename(tmp_path / "moved")
    run.link(tmp_path / "moved", layout.raw)
    assert layout.raw.resolve() == tmp_path / "moved"


def test_a_link_given_as_the_folder_stays_what_it_is(layout, data):
    run.link(data, layout.raw)
    run.link(layout.raw, layout.raw)
    assert layout.raw.resolve() == data


def test_raw_files_that_lie_in_the_project_stay_there(layout, data):
    layout.raw.parent.mkdir(parents=True)
    data.rename(layout.raw)
    run.link(layout.raw, layout.raw)
    assert not layout.raw.is_symlink()
    assert (layout.raw / "orders.csv").exists()


@pytest.mark.parametrize("name", ["nowhere", "extract/orders.csv"])
def test_what_is_no_folder_is_refused(layout, data, tmp_path, name):
    with pytest.raises(
        ConfigurationError, match=rf"{name} is not a folder\. Give the folder that holds the raw files\.$"
    ):
        run.link(tmp_path / name, layout.raw)
    assert not layout.raw.parent.exists()


def test_a_folder_of_raw_files_is_not_replaced_by_a_link(layout, data):
    layout.raw.mkdir(parents=True)
    (layout.raw / "mine.csv").write_text("mine")
    with pytest.raises(
        ConfigurationError, match=r"raw is a folder of its own, not a link\. Move it away, then run again"
    ):
        run.link(data, layout.raw)
    assert (layout.raw / "mine.csv").read_text() == "mine"


def test_an_unknown_source_is_refused_with_those_there_are(tmp_path, monkeypatch):
    nothing_runs(monkeypatch)
    known = ", ".join(PARAMS.sources)
    with pytest.raises(
        ConfigurationError,
        match=rf"^'ohio' is not among the sources in params\.yaml \({known}\)\. Add it there, and its SQL under sources/\.$",
    ):
        run.run(Layout(tmp_path, "ohio"), PARAMS, None)


def test_a_source_without_raw_files_asks_for_them(layout, monkeypatch):
    nothing_runs(monkeypatch)
    with pytest.raises(ConfigurationError, match=r"raw files of 'iowa'\? .* make run SOURCE=iowa DATA=path/to/folder$"):
        run.run(layout, PARAMS, None)


def dvc(monkeypatch, code: int, left: str | None = None) -> list[SimpleNamespace]:
    """Put something in the place of DVC that ends with `code`, after a stage that has `left` its own."""
    calls = []

    def instead(command, cwd, env):
        calls.append(SimpleNamespace(command=command, cwd=cwd, env=env))
        if left is not None:
            Path(env["HOLDFAST_EXIT_FILE"]).write_text(left)
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(subprocess, "run", instead)
    return calls


@pytest.mark.parametrize(("left", "code"), [("1", 1), ("2", 2), ("4", 4), (None, 3)])
def test_a_stages_exit_code_is_that_of_the_run(layout, data, monkeypatch, left, code):
    dvc(monkeypatch, 255, left)
    with pytest.raises(HoldfastError, match="The pipeline stopped; the stage named above says why") as caught:
        run.run(layout, PARAMS, data)
    assert caught.value.exit_code == code


def test_dvc_runs_up_to_the_report_of_the_source_in_the_projects_folder(layout, data, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere.db")
    monkeypatch.setattr(run, "found", lambda layout, horizon: f"found with {horizon}")
    calls = dvc(monkeypatch, 0)
    assert run.run(layout, PARAMS, data) == f"found with {PARAMS.featurize.horizon}"
    (call,) = calls
    assert call.command == [sys.executable, "-m", "dvc", "repro", "report@iowa"]
    assert call.cwd == layout.root
    assert call.env["MLFLOW_TRACKING_URI"] == "sqlite:///elsewhere.db"
    assert layout.raw.resolve() == data
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert "data/${item.source}/feedback" in stages["ingest"]["deps"]
    assert layout.feedback.is_dir()  # else DVC would refuse to run


def test_raw_files_of_an_earlier_run_are_used_again(layout, data, monkeypatch):
    run.link(data, layout.raw)
    monkeypatch.setattr(run, "found", lambda layout, horizon: "found")
    assert dvc(monkeypatch, 0) == []
    assert run.run(layout, PARAMS, None) == "found"
    assert layout.raw.resolve() == data


def fails(error: Exception):
    def stage() -> None:
        raise error

    return stage


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ContractError("orders.amount: wrong"), 1),
        (ConfigurationError("no such file"), 2),
        (HoldfastError("a mistake"), 3),
        (LimitError("too many"), 4),
        (run.StageError("stopped", 4), 4),
    ],
)
def test_a_mistake_is_one_message_and_its_exit_code_also_in_the_file(tmp_path, monkeypatch, capsys, error, code):
    monkeypatch.setenv("HOLDFAST_EXIT_FILE", str(tmp_path / "code"))
    monkeypatch.setattr(cli, "app", fails(error))
    with pytest.raises(SystemExit, match=rf"^{code}$"):
        cli.main()
    assert capsys.readouterr().err == f"holdfast: {error}\n"
    assert (tmp_path / "code").read_text() == str(code)


def test_what_nobody_foresaw_is_code_three_and_the_traceback_in_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOLDFAST_EXIT_FILE", str(tmp_path / "code"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(cli, "app", fails(ZeroDivisionError("division by zero")))
    with pytest.raises(SystemExit, match=r"^3$"):
        cli.main()
    said = capsys.readouterr().err
    assert said.startswith("holdfast: internal error: ZeroDivisionError: division by zero. Details: ")
    assert "Traceback" not in said
    assert "Traceback" in Path(said.strip().rpartition(" ")[2]).read_text()
    assert (tmp_path / "code").read_text() == "3"


def test_no_file_is_written_where_none_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("HOLDFAST_EXIT_FILE", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "app", fails(ConfigurationError("no such file")))
    with pytest.raises(SystemExit, match=r"^2$"):
        cli.main()
    assert not list(tmp_path.iterdir())


@pytest.fixture
def results(layout):
    layout.artifacts.mkdir(parents=True)
    risk, expected_loss = [0.5, 0.25, 0.25, 0.9], [1000.0, 500.0, 34.0, 9999.0]
    scores = pd.DataFrame({"as_of": ["2024-03-15"] * 4, "risk": risk, "expected_loss": expected_loss})
    scores["lapsed"] = [False, False, False, True]
    scores["naming"] = ["named", "none", "named", "candidates"]
    scores["reason_1"] = ["staff_turnover", "unexplained", "staff_turnover", "competitor"]
    scores.to_parquet(layout.scores)
    auc = {"value": 0.871, "low": 0.852, "high": 0.889}
    mean = {name: {"mean": {"auc": {**auc, "value": value}}} for name, value in (("risk", 0.871), ("bg_nbd", 0.79))}
    decision = {"champion": True, "by": "holdfast evaluate", "why": "above every baseline"}
    layout.metrics.write_text(json.dumps({"population": {"all": mean}, "decision": decision}))
    listed = pd.DataFrame(
        {"decision": ["do", "not_worth", "do"], "hours": [2.0, 9.0, 1.5], "profit": [1000.0, -5.0, 250.0]}
    )
    layout.decisions.mkdir()
    listed.to_parquet(layout.decisions / "worklist.parquet")
    return layout


def test_where_nothing_is_worth_its_effort_that_is_told(results):
    listed = pd.DataFrame({"decision": ["not_worth"], "hours": [2.0], "profit": [-1.0]})
    listed.to_parquet(results.decisions / "worklist.parquet")
    assert "Worklist: empty" in run.found(results, "3 months")


def test_what_was_found_is_told_in_plain_words(results):
    assert run.found(results, "3 months").split("\n") == [
        "",
        "iowa, as of 2024-03-15: 3 active accounts (ordered within 3 months), 1 lapsed.",
        "About 1 of the active ones will not order in the next 3 months; 1,534 of yearly purchases are at risk.",
        "Most often named: account manager left (2 accounts).",
        "On past cut-offs it ranked a lost account above a kept one 87.1% of the time (85.2% to 88.9%; BG/NBD 79.0%). "
        "Champion: above every baseline.",
        "Scores: artifacts/iowa/scores.parquet",
        "Worklist: 2 accounts, 3.5 hours, expected to earn 1,250 more than they cost.",
        "Report: open artifacts/iowa/report/index.html",
    ]


def test_a_guess_is_told_beside_the_names(results):
    scores = pd.read_parquet(results.scores).assign(naming=["named", "untried", "candidates", "untried"])
    scores.to_parquet(results.scores)
    assert (
        "Most often named: account manager left (1 accounts); of 1 accounts two reasons are candidates; "
        "of 1 one is a guess: nothing like it happened before."
    ) in run.found(results, "3 months")


def test_no_reason_that_can_be_named_is_told_too(results):
    scores = pd.read_parquet(results.scores).assign(reason_1="unexplained", naming="none")
    scores.to_parquet(results.scores)
    assert "No documented reason is sure enough to be named on this data." in run.found(results, "3 months")
    scores.assign(naming="candidates").to_parquet(results.scores)
    assert "named on this data; of 3 accounts two reasons are candidates." in run.found(results, "3 months")
