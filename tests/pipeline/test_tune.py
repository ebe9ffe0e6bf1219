"""`holdfast tune`: sees nothing of the evaluation, goes on where it was broken off, and says what to paste."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import date
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml

from features.errors import ConfigurationError
from features.matrix import SILENT
from features.periods import Duration
from pipeline import tune
from pipeline.frames import read_matrix
from pipeline.layout import Layout
from pipeline.params import changed, load
from pipeline.past import Past
from pipeline.train import horizons_of
from tests import commands

ROOT = Path(__file__).resolve().parents[2]
DAYS = [date(2023, month, 1) for month in range(5, 13)] + [date(2024, month, 1) for month in range(1, 6)]
TESTS = DAYS[-2:]  # 2024-04-01 and 2024-05-01, so that labels up to 2024-01-01 may be seen
VALIDATED = ["2023-12-01", "2024-01-01"]
SPACE = {"rounds": [3, 30], "leaves": [2, 8], "l2": [0.1, 50.0], "cutoffs": [2, 24]}


def matrix_of(count: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    frames = []
    for day in DAYS:
        overdue, recency = rng.random(count) < 0.3, rng.gamma(2, 20, count)
        chance = 1 / (1 + np.exp(3 - 2 * overdue - recency / 40))
        frames.append(
            pd.DataFrame(
                {
                    "account_id": [f"A{number}" for number in range(count)],
                    "as_of": day,
                    "label": (rng.random(count) < chance).astype(float),
                    "lapsed": recency > 90,
                    **{name: (rng.random(count) < chance).astype(float) for name in SILENT[:6]},
                    "recency": recency,
                    "amount_12": rng.gamma(2, 100, count),
                    "rebates_overdue": overdue * 2.0,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


MATRIX = matrix_of()


def project_at(folder: Path, matrix: pd.DataFrame = MATRIX, **given) -> Path:
    (folder / "sources" / "mine").mkdir(parents=True)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["train"] |= {"rounds": 8, "min_leaf": 20, "held_out": 2, "min_losses": 50}
    params["evaluate"] |= {"tests": len(TESTS)}
    params["tune"] |= {"tests": 2, "warm": 2, "bootstrap": 20, "space": SPACE} | given
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    write(folder, matrix)
    return folder


def write(project: Path, matrix: pd.DataFrame) -> None:
    target = project / "data" / "mine" / "matrix"
    target.mkdir(parents=True, exist_ok=True)
    matrix.to_parquet(target / "part.parquet", index=False)


@pytest.fixture(scope="module", autouse=True)
def tracking(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracking")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        yield folder


def run(project: Path, trials: int, fresh: bool = False, **given) -> str:
    params = load(project, "mine")
    section = changed(params.tune, {"trials": trials, **given})
    return tune.run(Layout(project, "mine"), params.featurize, params.train, params.evaluate, section, fresh)


def found(project: Path) -> dict:
    content = json.loads((project / "artifacts/mine/tuning.json").read_text())
    content["trials"].pop("seconds")
    return content


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """A project in which six trials were made in one go, and what was said."""
    project = project_at(tmp_path_factory.mktemp("six") / "project")
    return project, run(project, 6)


def test_it_writes_what_it_found_by_cutoff_and_beside_the_present(six):
    project, said = six
    content = found(project)
    assert (content["before"], content["cutoffs"]) == ("2024-04-01", VALIDATED)
    assert content["trials"]["ended"] == 6
    for which in ("present", "best", "smallest"):
        assert set(content[which]["values"]) == set(SPACE)
        assert list(content[which]["auc"]) == [*VALIDATED, "mean"]
        assert set(content[which]["against_present"]) == {"auc", "log_loss"}
    assert content["present"]["values"] == {"rounds": 8, "leaves": 12, "l2": 20.0, "cutoffs": 18}
    assert content["recommended"] in ("change", "keep")
    assert said.startswith(f"6 trials, {content['trials']['pruned']} of them given up early, validated at 2023-12-01, ")
    assert (project / "artifacts/mine/plots/tuning.png").exists()
    assert yaml.safe_load((project / "params.yaml").read_text())["train"]["rounds"] == 8  # it changes nothing itself


def test_three_trials_and_three_more_are_six(six, tmp_path):
    project = project_at(tmp_path / "project")
    run(project, 3)
    assert found(project)["trials"]["ended"] == 3
    run(project, 6)
    assert found(project) == found(six[0])


def test_labels_that_mature_after_the_first_test_cutoff_do_not_exist_for_it(six, tmp_path):
    """Every label later than 2024-01-01 is turned, every silence told after 2024-04-01, and every later feature: nothing
    of what is found moves."""
    turned = MATRIX.copy()
    late = turned["as_of"] > date(2024, 1, 1)
    turned.loc[late, "label"] = 1 - turned.loc[late, "label"]
    turned.loc[late, ["recency", "amount_12"]] *= 7
    for step, name in enumerate(SILENT[:6], start=1):
        ends = [Duration(step, "month").after(day) for day in turned["as_of"]]
        turned.loc[[end > date(2024, 4, 1) for end in ends], name] += 1
    project = project_at(tmp_path / "project", turned)
    run(project, 6)
    assert found(project) == found(six[0])
    known = turned.copy()
    last = known["as_of"] == date(2024, 1, 1)  # ends on 2024-04-01: known on that day
    known.loc[last, "label"] = 1 - known.loc[last, "label"]
    write(project, known)
    run(project, 1)
    assert found(project)["present"]["auc"]["2024-01-01"] != found(six[0])["present"]["auc"]["2024-01-01"]


def test_of_a_sample_only_its_accounts_and_those_judged_are_read(tmp_path, monkeypatch):
    """What is found is the same as where all accounts are in memory."""
    steady = MATRIX.copy()
    never = steady["account_id"].str[1:].astype(int) < 70
    steady.loc[never, "label"] = 0.0
    project = project_at(tmp_path / "project", steady)
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["train"] |= {"sample": 0.3, "min_losses": 20}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    rows = []

    def read(folder, cutoffs=None, accounts=None, columns=None):
        rows.append(read_matrix(folder, cutoffs, accounts, columns))
        return rows[-1]

    monkeypatch.setattr("pipeline.past.read_matrix", read)
    run(project, 2, fresh=True)
    sampled = found(project)
    assert len(rows[0]) < 0.7 * len(steady)
    assert all(set(part["as_of"]) <= set(map(date.fromisoformat, VALIDATED)) for part in rows[1:])
    assert all(len(part) == steady["account_id"].nunique() for part in rows[1:])
    monkeypatch.setattr("pipeline.past.accounts_in", lambda *arguments: None)
    run(project, 2, fresh=True)
    assert len(rows[-1]) == len(steady) / len(DAYS)
    for content in (sampled, whole := found(project)):
        content.pop("study")
    assert sampled == whole


def test_a_changed_matrix_space_or_recipe_starts_a_new_study(six):
    params = load(six[0], "mine")
    seen = tune.seen_by(read_matrix(Layout(six[0], "mine").matrix), date(2024, 4, 1), horizons_of(params.featurize))
    days = [date.fromisoformat(day) for day in VALIDATED]

    def name(frame=seen, train=params.train, **given):
        section = changed(params.tune, given)
        past = Past(frame)
        task = tune.task_of(past, days, params.featurize, train, section)[0]
        return tune.name_of(task, past, params.featurize, train)

    assert name() == name(seen.copy()) == found(six[0])["study"]
    other = seen.copy()
    other.loc[0, "amount_12"] += 1
    names = {
        name(),
        name(other),
        name(space={**SPACE, "l2": [0.1, 60]}),
        name(also=[{"l2": 1.0}]),
        name(seed=8),
        name(train=changed(params.train, {"rounds": 9})),
        name(train=changed(params.train, {"seed": 9})),
    }
    assert len(names) == 7


def test_other_predictions_of_the_same_parameters_start_a_new_study(six, monkeypatch):
    """Other code or libraries behind the risk model."""
    params = load(six[0], "mine")
    seen = tune.seen_by(read_matrix(Layout(six[0], "mine").matrix), date(2024, 4, 1), horizons_of(params.featurize))
    days = [date.fromisoformat(day) for day in VALIDATED]
    task, _ = tune.task_of(Past(seen), days, params.featurize, params.train, params.tune)
    before = tune.name_of(task, Past(seen), params.featurize, params.train)
    fitted = tune.fit_at
    monkeypatch.setattr(
        tune,
        "fit_at",
        lambda rows, day, featurize, train: fitted(rows, day, featurize, changed(train, {"learning_rate": 0.5})),
    )
    assert tune.name_of(task, Past(seen), params.featurize, params.train) != before


def test_more_stacked_cutoffs_than_there_are_is_written_as_it_was(six):
    content = found(six[0])
    assert all(
        item["values"]["cutoffs"] in (2, 3, 4, 5, 18) for item in content["finalists"]
    )  # 6 there are at the last
    stacked = tune.Stacked(most=6, present=18)
    assert [stacked.searched("cutoffs", value) for value in (2, 6, 24)] == [2, 6, 6]
    assert stacked.searched("rounds", 24) == 24
    assert [stacked.written({"cutoffs": value})["cutoffs"] for value in (2, 6)] == [2, 18]
    assert tune.Stacked(most=6, present=4).written({"cutoffs": 6}) == {"cutoffs": 6}


def test_values_to_try_come_right_after_the_present_ones(tmp_path):
    project = project_at(tmp_path / "project", also=[{"rounds": 25, "leaves": 3}])
    run(project, 2)
    values = [item["values"] for item in found(project)["finalists"]]
    assert values[1] == {**values[0], "rounds": 25, "leaves": 3}


def test_a_change_is_printed_ready_to_paste(six):
    content = {**found(six[0]), "recommended": "change", "params": {"rounds": 25, "l2": 0.5}, "why": "It is better"}
    said = tune.in_words(content)
    assert yaml.safe_load(said[said.index("\ntrain:") :]) == {"train": {"rounds": 25, "l2": 0.5}}
    kept = tune.in_words({**content, "recommended": "keep"})
    assert kept.endswith("It is better: keep `train` in params.yaml as it is.")
    assert "\ntrain:" not in kept


def test_trials_are_runs_nested_in_the_searchs_own(tmp_path):
    project = project_at(tmp_path / "project", space={"rounds": [3, 31]})
    run(project, 2)
    run(project, 3)
    runs = mlflow.search_runs(experiment_names=["holdfast/mine"])
    parents = runs[runs["tags.study"] == found(project)["study"]]
    assert parents["tags.mlflow.runName"].tolist() == ["tune mine"]
    assert parents["status"].tolist() == ["FINISHED"]
    nested = runs[runs["tags.mlflow.parentRunId"] == parents["run_id"].iloc[0]].sort_values("tags.mlflow.runName")
    assert nested["tags.mlflow.runName"].tolist() == ["trial 0", "trial 1", "trial 2"]
    assert nested["params.rounds"].iloc[0] == "8"
    content = found(project)
    assert nested["metrics.auc"].iloc[0] == pytest.approx(content["present"]["auc"]["mean"])
    assert parents["metrics.best.auc"].iloc[0] == pytest.approx(content["best"]["auc"]["mean"])
    artifacts = mlflow.MlflowClient().list_artifacts(parents["run_id"].iloc[0])
    assert {item.path for item in artifacts} == {"tuning.json", "tuning.png"}
    run(project, 1, fresh=True)
    runs = mlflow.search_runs(experiment_names=["holdfast/mine"])
    assert (runs["tags.study"] == content["study"]).sum() == 2
    assert found(project)["trials"]["ended"] == 1


def test_a_spent_budget_ends_the_search_after_the_present_parameters(tmp_path, monkeypatch):
    clock = iter(range(0, 10_000, 30))
    monkeypatch.setattr(tune, "perf_counter", lambda: float(next(clock)))
    project = project_at(tmp_path / "project")
    run(project, 100, budget="1s")
    assert found(project)["trials"]["ended"] == 1


def test_parameters_are_not_chosen_on_what_they_are_judged_by(tmp_path):
    project = project_at(tmp_path / "project", before="2024-04-02")
    with pytest.raises(ConfigurationError, match=r"^tune\.before 2024-04-02 is later than 2024-04-01, the first test "):
        run(project, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"before": "2023-11-30"}, r"matured by 2023-11-30: 1 from 2023-08-01 to 2023-08-01 of 4; tuning takes at least 2\. Give"),
        ({"before": "2023-08-15"}, r"matured by 2023-08-15: none of 1; tuning takes at least 2\. "),
        ({"cutoffs": ["2024-01-01", "2024-02-01"]}, r": 6 from 2023-08-01 to 2024-01-01 of 9; tune\.cutoffs: 2024-02-01 is not one"),
        ({"cutoffs": ["2024-01-01"]}, r"tuning takes at least 2\. "),
    ],
)  # fmt: skip
def test_too_few_cutoffs_are_counted_and_what_to_do_is_said(tmp_path, given, message):
    project = project_at(tmp_path / "project", **given)
    with pytest.raises(ConfigurationError, match=message):
        run(project, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"budget": "soon"}, r"tune\.budget: .*'10m', '2h', or seconds as in '90' \(got 'soon'\)"),
        ({"budget": 0}, r"tune\.budget: .* \(got 0\)"),
        ({"space": {"leafs": [2, 8]}}, r"tune\.space: .*leafs cannot be searched; of train can be: cutoffs, .*, l2"),
        ({"space": {"seed": [2, 8]}}, r"tune\.space: .*seed cannot be searched"),
        ({"space": {"sample": [0.1, 1]}}, r"tune\.space: .*sample cannot be searched"),
        ({"space": {"leaves": [1, 8]}}, r"tune\.space: .*leaves: Input should be greater than or equal to 2, .* be 1 "),
        ({"space": {"leaves": [2.5, 8]}}, r"tune\.space: .*leaves: Input should be a valid integer.* cannot be 2\.5 "),
        ({"space": {"leaves": [8, 2]}}, r"tune\.space: .*leaves must be searched from a lower to a higher value"),
        ({"also": [{"leaves": 1}]}, r"tune\.also: .*leaves: Input should be greater"),
        ({"also": [{"bagging_fraction": 0.5}]}, r"also: bagging_fraction is not searched; add it to space"),
    ],
)
def test_a_value_that_cannot_be_is_named(tmp_path, given, message):
    project = project_at(tmp_path / "project", **given)
    with pytest.raises(ConfigurationError, match=message):
        load(project, "mine")


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), (90, 90), ("45s", 45), ("10m", 600), (" 2 h ", 7200)])
def test_a_budget_is_a_time(tmp_path, text, seconds):
    assert load(project_at(tmp_path / "project", budget=text), "mine").tune.budget == seconds


def holdfast(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return commands.holdfast(project, "tune", "--source", "mine", *arguments)


def test_on_the_command_line_it_says_what_it_found_and_nothing_else(six, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(six[0], project)
    done = holdfast(project, "--trials", "6", "--budget", "10m")
    assert done.returncode == 0, done.stderr
    assert done.stdout == six[1] + "\n"
    lines = done.stderr.splitlines()
    assert len(lines) == 1  # no bar without a terminal, no chatter of libraries
    assert lines[0].startswith("tune mine: 6 trials, 0 of them new, ")


def test_without_a_matrix_the_step_before_is_named(tmp_path):
    project = project_at(tmp_path / "project")
    shutil.rmtree(project / "data")
    with pytest.raises(
        ConfigurationError, match=r"matrix is missing\. Run `holdfast featurize --source mine` first\.$"
    ):
        run(project, 1)


def test_a_wrong_budget_is_one_message(six):
    done = holdfast(six[0], "--budget", "ten minutes")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "holdfast: The options are not valid:\n"
        "  budget: Value error, must be a time above zero: '10m', '2h', or seconds as in '90' (got 'ten minutes')\n"
    )
