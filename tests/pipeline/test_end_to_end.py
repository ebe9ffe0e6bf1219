"""The command line as a user types it, on a small market and on a slice of real orders."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from models import evidence
from models.lineage import read_lineage
from pipeline.pseudonyms import Pseudonyms
from tests.commands import holdfast
from tests.small_project import STAGES, project_at

ROOT = Path(__file__).resolve().parents[2]
CHAMPION_AUC = "AUC against the champion"


@pytest.fixture(scope="module")
def market(small_market, tmp_path_factory):
    project = tmp_path_factory.mktemp("market") / "project"
    shutil.copytree(small_market, project, symlinks=True)
    return project


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_scores_have_the_promised_columns(market):
    scores = pd.read_parquet(market / "artifacts/simulated/scores.parquet")
    codes = [reason["code"] for reason in yaml.safe_load((ROOT / "reasons.yaml").read_text())["reasons"]]
    assert list(scores.columns) == [
        *("account_id", "as_of", "lapsed", "risk", "risk_low", "risk_high"),
        *(f"silent_{step}" for step in range(1, 7)),
        *("rank", "amount_12", "expected_loss", "contact_profit"),
        *("naming", "reason_1", "reason_2", "reason_3"),
        *(f"share_{code}" for code in codes),
        "share_unexplained",
    ]
    assert scores["risk"].between(0, 1).all()
    assert scores["rank"].tolist() == list(range(1, len(scores) + 1))
    assert scores["risk"].is_monotonic_decreasing
    assert ((scores["risk_low"] < scores["risk"]) & (scores["risk"] < scores["risk_high"])).all()
    assert (scores.filter(like="silent_").diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)
    np.testing.assert_allclose(scores["silent_3"], scores["risk"])  # the horizon is three periods
    shares = scores.filter(like="share_")
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert shares.notna().all(axis=None)  # every table is there


def test_explanations_add_up_to_the_risk(market):
    scores = pd.read_parquet(market / "artifacts/simulated/scores.parquet")
    explained = pd.read_parquet(market / "artifacts/simulated/explanations.parquet")
    total = explained.filter(like="pushes_").sum(axis=1) + explained["base"]
    np.testing.assert_allclose(1 / (1 + np.exp(-total)), scores["risk"], atol=1e-6)
    points = explained.filter(like="points_")
    np.testing.assert_allclose(points.sum(axis=1), scores["risk"], atol=1e-6)
    moved = explained.dropna(subset="since")
    assert len(moved) > 100
    change = moved["risk"] - moved["risk_then"]
    np.testing.assert_allclose(moved.filter(like="change_").sum(axis=1), change, atol=1e-6)
    assert (moved["change_model"] == 0).all()  # nothing was scored before: then as today's model has it
    assert (explained.filter(like="risk_without_").to_numpy() <= explained[["risk"]].to_numpy()).all()
    loss = explained.filter(regex="^expected_loss_without_").to_numpy() / scores[["expected_loss"]].to_numpy()
    risk = explained.filter(regex="^risk_without_").to_numpy() / scores[["risk"]].to_numpy()
    np.testing.assert_allclose(loss[scores["expected_loss"] > 0], risk[scores["expected_loss"] > 0], atol=1e-9)


def test_a_named_reason_has_its_evidence(market):
    scores = pd.read_parquet(market / "artifacts/simulated/scores.parquet")
    told = pd.read_parquet(market / "artifacts/simulated/evidence.parquet")
    assert told.columns.tolist() == [*evidence.COLUMNS, "sentence"]
    codes = scores.set_index("account_id")
    assert len(told[told["place"] > 0]) > 50
    for place in (1, 2, 3):
        rows = told[told["place"] == place]
        assert (rows["code"].to_numpy() == codes.loc[rows["account_id"], f"reason_{place}"].to_numpy()).all()
    assert told.groupby(["account_id", "place"]).size().max() <= 3
    assert told["sentence"].str.contains("on 1 January 2023").any()  # half a year before: the own past
    earlier = told["as_of"] < told["latest"]
    assert earlier.any()
    assert told.loc[earlier, "sentence"].str.match("On 1 [A-Z][a-z]+ 2023: ").all()
    assert not told.loc[earlier, "place"].eq(0).any()  # what speaks against the loss is of now


@pytest.fixture(scope="module")
def later(market):
    """The market with a scoring of before and a model that another seed has trained."""
    project = market.parent / "later"
    shutil.copytree(market, project, symlinks=True)
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["score"]["as_of"] = "2023-04-01"
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    assert holdfast(project, "score").returncode == 0
    params["train"]["seed"] = 8
    params["evaluate"] |= {"gate_margin": 0.1, "gate_ece_margin": 0.1, "gate_reasons": 0.9}  # chance is large here
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    done = holdfast(project, "train")
    assert done.returncode == 0, done.stderr
    return project


def test_a_scoring_is_kept_and_the_next_one_says_what_changed(later):
    """Two scorings, the second by a model that another seed trained."""
    project = later
    before = pd.read_parquet(project / "artifacts/simulated/scores.parquet").set_index("account_id")
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["score"]["as_of"] = "2023-06-01"
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    for stage in ("score", "explain"):
        done = holdfast(project, stage)
        assert done.returncode == 0, done.stderr
    kept = sorted(path.name for path in (project / "artifacts/simulated/history").iterdir())
    assert kept == ["2023-04-01", "2023-06-01", "2023-07-01"]
    explained = pd.read_parquet(project / "artifacts/simulated/explanations.parquet").set_index("account_id")
    moved = explained.dropna(subset="since")
    assert moved["since"].astype(str).unique().tolist() == ["2023-04-01"]
    np.testing.assert_allclose(moved["risk_then"], before.loc[moved.index, "risk"], atol=1e-12)
    for column in ("naming", "reason_1", "reason_2"):
        assert (moved[f"{column}_then"].fillna("") == before.loc[moved.index, column].fillna("")).all()
    assert moved["naming_then"].notna().any()
    change = moved["risk"] - moved["risk_then"]
    np.testing.assert_allclose(moved.filter(like="change_").sum(axis=1), change, atol=1e-6)
    assert moved["change_model"].abs().max() > 0


def test_a_challenger_takes_over_and_is_rolled_back(later):
    """A seed changes next to nothing: the challenger may replace the champion, which has seen all test cut-offs."""
    folder = later / "artifacts/simulated"
    done = holdfast(later, "evaluate")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((folder / "metrics.json").read_text())
    against = metrics["champion"]
    assert (against["version"], against["compared"], len(against["cutoffs"])) == ("1", "recipes", 2)
    auc = against["paired"]["all"]["champion"]["mean"]["auc"]
    assert auc["low"] <= auc["value"] <= auc["high"]
    names = [criterion["name"] for criterion in metrics["gate"]["criteria"]]
    assert names[:5] == ["AUC over recency", "AUC over rfm_logistic", "AUC over bg_nbd", "calibration", CHAMPION_AUC]
    assert all(criterion["passed"] for criterion in metrics["gate"]["criteria"])
    assert metrics["decision"] == {"champion": True, "by": "holdfast evaluate", "why": metrics["gate"]["why"]}
    assert "### Against the champion" in (folder / "model_card.md").read_text()
    back = holdfast(later, "rollback", "--why", "phones rang")
    assert back.returncode == 0, back.stderr
    assert back.stdout == (
        "Version 1 of holdfast-simulated is champion again: version 2 was rolled back to version 1 by ann (phones rang).\n"
    )
    for stage in (("score", "--model", "champion"), ("explain",), ("decide",), ("report",)):
        done = holdfast(later, *stage)
        assert done.returncode == 0, done.stderr
    scores = pd.read_parquet(folder / "scores.parquet").set_index("account_id")
    left = pd.read_parquet(folder / "decisions" / "leavers.parquet").set_index("account_id")
    assert len(left) > 50
    np.testing.assert_array_equal(left["risk"], scores["risk"][left.index])  # not those of version 2, beside them
    footer = (folder / "report" / "index.html").read_text().split("<footer")[1]
    made = read_lineage(folder / "scores.parquet")
    assert made["model_hash"] in footer
    assert f"the evaluation is of the model {metrics['model_hash']}" in footer
    assert made["model_hash"] != metrics["model_hash"]
    unknown = holdfast(later, "promote", "--version", "9")
    assert (unknown.returncode, "It has: 1, 2." in unknown.stderr) == (2, True)
    again = holdfast(later, "promote", "--version", "2", "--by", "Eve", "--force", "--why", "they did not")
    assert again.returncode == 0, again.stderr
    assert "Version 2 of holdfast-simulated is champion, instead of version 1: promoted" in again.stdout
    assert "by Eve (they did not)" in again.stdout


def test_reasons_of_the_riskiest_alone_or_of_all(market):
    project = market.parent / "riskiest"
    shutil.copytree(market, project, symlinks=True)
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["explain"]["rank"] = 20
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    for stage in ("score", "explain", "decide", "report"):
        done = holdfast(project, stage)
        assert done.returncode == 0, done.stderr
    scores = pd.read_parquet(project / "artifacts/simulated/scores.parquet")
    told = scores["naming"].notna()
    assert scores[told].groupby("lapsed").size().to_dict() == {False: 20, True: 20}
    assert (scores[told].groupby("lapsed")["rank"].max() < scores[~told].groupby("lapsed")["rank"].min()).all()
    assert scores.loc[~told].filter(regex="reason_|share_").isna().all(axis=None)
    full = pd.read_parquet(market / "artifacts/simulated/scores.parquet")
    pd.testing.assert_frame_equal(scores[told], full[told])
    explained = pd.read_parquet(project / "artifacts/simulated/explanations.parquet")
    assert explained["account_id"].tolist() == scores.loc[told, "account_id"].tolist()
    assert holdfast(project, "score", "--all").returncode == 0
    pd.testing.assert_frame_equal(pd.read_parquet(project / "artifacts/simulated/scores.parquet"), full)


def test_reasons_say_how_far_they_can_be_trusted(market):
    said = holdfast(market, "reasons")
    assert said.returncode == 0, said.stderr
    assert "right in 70% of the cases on markets with planted reasons" in said.stdout
    assert "Between bags the largest share, that of the unexplained among them, changes in" in said.stdout
    assert "Nothing was learned: " in said.stdout
    before = digest(market / "artifacts/simulated/causes/causes.json")
    again = holdfast(market, "reasons", "--learn")
    assert again.returncode == 0, again.stderr
    assert "audited exits are there, 50 are needed" in again.stdout
    assert digest(market / "artifacts/simulated/causes/causes.json") == before  # the same exits teach the same


def test_more_audited_exits_teach_and_change_the_shares(market):
    project = market.parent / "audited"
    shutil.copytree(market, project, symlinks=True)
    path = project / "data/simulated/tables/exits.parquet"
    exits = pd.read_parquet(path)
    assert len(exits) > 60
    pd.DataFrame(exits).assign(audited=True, reason="staff_turnover").to_parquet(path)
    done = holdfast(project, "reasons", "--learn")
    assert done.returncode == 0, done.stderr
    assert "Learned from" in done.stdout
    assert "held-out audited exits" in done.stdout
    assert holdfast(project, "score").returncode == 0
    share = [
        pd.read_parquet(folder / "artifacts/simulated/scores.parquet")["share_staff_turnover"].mean()
        for folder in (market, project)
    ]
    assert share[1] > 1.5 * share[0]


def test_metrics_and_predictions_are_written(market):
    metrics = json.loads((market / "artifacts/simulated/metrics.json").read_text())
    predictions = pd.read_parquet(market / "artifacts/simulated/predictions.parquet")
    assert list(predictions.columns) == [
        *("account_id", "as_of", "label", "lapsed", "value", "tier", "region", "tenure", "spread"),
        *("risk", "recency", "rfm_logistic", "bg_nbd"),
    ]
    assert predictions["value"].ge(0).all()
    assert metrics["risk_interval"]["tenths"] == 10 * predictions.groupby("as_of")["spread"].first().notna().sum() > 0
    cell = metrics["population"]["active"]["risk"]["mean"]
    assert cell["auc"]["low"] <= cell["auc"]["value"] <= cell["auc"]["high"]
    assert set(metrics["paired"]["all"]) == {"recency", "rfm_logistic", "bg_nbd"}
    assert metrics["gate"]["passed"]
    assert metrics["decision"]["champion"]
    assert "champion" not in metrics  # the first has nobody to be compared with
    assert (market / "artifacts/simulated/model_card.md").read_text().startswith("# Model card: simulated, model ")


def test_slices_are_cut_by_the_accounts_own_facts(market):
    folder = market / "artifacts/simulated"
    predictions = pd.read_parquet(folder / "predictions.parquet")
    regions = pd.read_parquet(market / "data/simulated/tables/accounts.parquet").set_index("account_id")["region"]
    assert predictions["region"].tolist() == regions.loc[predictions["account_id"]].tolist()
    matrix = pd.read_parquet(market / "data/simulated/matrix").astype({"as_of": str})
    keyed = matrix.set_index(["account_id", "as_of"]).loc[
        list(zip(predictions["account_id"], predictions["as_of"].astype(str), strict=True))
    ]
    assert predictions["tenure"].tolist() == keyed["tenure"].tolist()
    ordered = keyed["amount_12"].groupby("as_of").rank(pct=True)
    assert (predictions["tier"].to_numpy() == np.ceil(ordered.to_numpy() * 5) - 1).mean() > 0.99
    found = json.loads((folder / "metrics.json").read_text())["slices"]
    for kind, rows in (("all", predictions), ("active", predictions.query("not lapsed"))):
        for cut in found[kind].values():
            assert sum(row["n"] for row in cut) == len(rows)
            assert sum(row["losses"] for row in cut) == rows["label"].sum()
    assert "By kind of active account" in (folder / "model_card.md").read_text()


def test_every_output_after_the_scores_says_which_scoring_it_is_of(market):
    folder = market / "artifacts/simulated"
    lineage = read_lineage(folder / "scores.parquet")
    assert lineage["as_of"] == "2023-07-01"
    tables = [folder / f"{name}.parquet" for name in ("explanations", "evidence", "previous", "similar")]
    tables += [*(folder / "decisions").glob("*.parquet"), *(folder / "report/data").glob("*.parquet")]
    assert len(tables) > 12
    for path in (*tables, folder / "decisions/decisions.json", folder / "live.json"):
        assert read_lineage(path) == lineage, path
    assert json.loads((folder / "report/data/lineage.json").read_text()) == lineage


def test_a_scheduler_is_told_how_it_ended_as_json(market):
    project = market.parent / "scheduled"  # a scoring of its own in the history would change what is told of the next
    shutil.copytree(market, project, symlinks=True)
    asked = ["--log-format", "json", "score", "--as-of", "2023-06-15", "--out", "d.csv", "--summary"]
    done = holdfast(project, *asked, "-")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["status"], summary["exit_code"], summary["as_of"]) == ("scored", 0, "2023-06-15")
    assert summary["counts"]["accounts"] == len(pd.read_csv(project / "d.csv"))
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [set(line) for line in lines] == [{"time", "level", "logger", "message", "fields"}]
    assert lines[0]["fields"]["counts"] == summary["counts"]
    failed = holdfast(project, *asked, "failed.json", "--model", "nobody")
    assert failed.returncode == 2
    summary = json.loads((project / "failed.json").read_text())
    assert (summary["status"], summary["exit_code"]) == ("failed", 2)
    told = [json.loads(line) for line in failed.stderr.splitlines()]
    assert told[-1]["message"] == f"holdfast: {summary['message']}"
    assert (told[-1]["level"], told[-1]["fields"]) == ("error", {"exit_code": 2})


def test_what_is_expected_of_the_scoring_is_written_and_shown(market):
    folder = market / "artifacts/simulated"
    live = json.loads((folder / "live.json").read_text())
    scores = pd.read_parquet(folder / "scores.parquet")
    assert live["as_of"] == str(scores["as_of"].iloc[0])
    active = live["population"]["active"]
    assert active["n"] == (~scores["lapsed"]).sum()
    risk = scores.loc[~scores["lapsed"], "risk"]
    assert active["share_lost"]["value"] == pytest.approx(risk.mean(), abs=0.02)
    past = json.loads((folder / "metrics.json").read_text())["label_free"]["active"]
    page = (folder / "report/methods.html").read_text()
    assert f"expected AUC {active['auc']['value']:.3f}" in page
    assert f"was off by {past['error']['auc']:.3f} on average" in page


def test_too_few_losses_to_learn_from_are_refused_with_the_count(market, tmp_path):
    params = yaml.safe_load((market / "params.yaml").read_text())
    params["train"]["min_losses"] = 1_000_000
    project = tmp_path / "project"
    project.mkdir()
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    for name in ("sources", "data"):
        (project / name).symlink_to(market / name)
    done = holdfast(project, "train")
    assert done.returncode == 2
    assert "at least 1,000,000 are needed (train.min_losses)" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_contact_earns_is_the_formula_with_the_parameters(market):
    scores = pd.read_parquet(market / "artifacts/simulated/scores.parquet")
    money = yaml.safe_load((ROOT / "params.yaml").read_text())["money"]
    active = scores[~scores["lapsed"]]
    assert scores.loc[scores["lapsed"], "contact_profit"].isna().all()
    np.testing.assert_allclose(scores["expected_loss"], scores["risk"] * scores["amount_12"])
    value = money["margin"] * active["amount_12"]
    expected = active["risk"] * money["kept"] * value - money["contact_share"] * value.mean()
    np.testing.assert_allclose(active["contact_profit"], expected, atol=1e-6)
    page = (market / "artifacts/simulated/report/methods.html").read_text()
    assert f"Contacting <strong>{(active['contact_profit'] > 0).sum()}</strong> of the {len(active)} active" in page


def test_the_money_of_past_cut_offs_is_measured_on_the_predictions_themselves(market):
    found = json.loads((market / "artifacts/simulated/metrics.json").read_text())["money"]["active"]
    predictions = pd.read_parquet(market / "artifacts/simulated/predictions.parquet").query("not lapsed")
    cutoffs = predictions.groupby("as_of")
    assert (found["cutoffs"], found["accounts"]) == (2, len(predictions) / 2)
    money = yaml.safe_load((ROOT / "params.yaml").read_text())["money"]
    contact = money["contact_share"] * money["margin"] * cutoffs["value"].transform("mean")
    lost = predictions["label"] * money["kept"] * money["margin"] * predictions["value"]
    hoped = predictions["risk"] * money["kept"] * money["margin"] * predictions["value"] > contact
    assert found["rankings"]["contact_profit"]["profit"]["value"] == pytest.approx((lost - contact)[hoped].sum() / 2)
    assert set(found["emp"]) == {"risk", "recency", "rfm_logistic", "bg_nbd"}


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes(market):
    before = {
        name: digest(market / "artifacts/simulated" / name)
        for name in (
            *(
                "scores.parquet",
                "live.json",
                "explanations.parquet",
                "evidence.parquet",
                "metrics.json",
                "reasons.json",
                "model_card.md",
            ),
            *("model/model.txt", "model/model.json", "causes/causes.json"),
        )
    }
    for stage in STAGES:
        force = ["--force"] if stage == "score" else []
        assert holdfast(market, stage, *force).returncode == 0
    after = {name: digest(market / "artifacts/simulated" / name) for name in before}
    assert after == before


def test_score_at_a_date_as_csv_by_path_and_by_alias(market):
    by_path = holdfast(
        market, "score", "--as-of", "2023-03-15", "--out", "a.csv", "--model", "artifacts/simulated/model"
    )
    by_alias = holdfast(market, "score", "--as-of", "2023-03-15", "--out", "b.csv", "--model", "challenger")
    assert (by_path.returncode, by_alias.returncode) == (0, 0), by_path.stderr + by_alias.stderr
    assert (market / "a.csv").read_bytes() == (market / "b.csv").read_bytes()
    assert pd.read_csv(market / "a.csv")["as_of"].unique().tolist() == ["2023-03-15"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["score", "--model", "nobody"], 2, "'nobody' is neither a folder with a model nor an alias"),
        (["score", "--as-of", "15.3.2023"], 2, "is not a date. Write it as 2024-03-31"),
        (["score", "--as-of", "2031-01-01"], 4, "2742 days before 2031-01-01; more than 45 days are too old to score"),
        (["score", "--as-of", "2019-01-01"], 2, "Nobody is eligible at 2019-01-01"),
        (["score", "--since", "previous"], 2, "--since writes only what changed"),
        (["score", "--since", "yesterday", "--out", "c.csv"], 2, "'yesterday' must be 'previous' or a day before"),
        (["score", "--to-table", "scores; drop"], 2, "'scores; drop' is no name of a table"),
        (["--log-format", "xml", "score"], 2, "'xml' is not known. Choose among text, json"),
        (["score", "--out", "scores.xls"], 2, "the ending must be .parquet or .csv"),
        (["reasons", "--learn", "--placebo"], 2, "Give one of --learn, --placebo, --benchmark and --tune"),
        (["reasons", "--seed", "81"], 2, "--seed and --scenario are of simulated markets"),
        (["reasons", "--tune", "--scenario", "late"], 2, "leave --scenario out"),
        (["reasons", "--benchmark", "--source", "contract"], 2, "leave --source contract out"),
        (["reasons", "--benchmark", "--scenario", "sunny"], 2, "'sunny' is not known. There are: plain, hidden"),
        (["reasons", "--source", "iowa"], 2, "holds no model of causes. Run `holdfast train` first"),
        (["train", "--source", "iowa"], 2, "matrix is missing. Run `holdfast featurize --source iowa` first"),
        (["ingest", "--source", "contract", "--data", "nowhere"], 2, "nowhere"),
    ],
)
def test_a_mistake_gets_one_clear_message(market, arguments, code, words):
    done = holdfast(market, *arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_outside_a_project_it_says_so(tmp_path):
    """By the command that is installed."""
    command = [str(Path(sys.executable).with_name("holdfast")), "train"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "is not inside a Holdfast project" in done.stderr


def test_a_wrong_parameter_is_named(market, tmp_path):
    project = project_at(tmp_path / "project")
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["train"]["leaves"] = "many"
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    done = holdfast(project, "train")
    assert done.returncode == 2
    assert "train.leaves" in done.stderr
    assert "'many'" in done.stderr


@pytest.mark.slow
def test_a_slice_of_iowa(real_data, tmp_path):
    project = project_at(tmp_path / "project")
    raw = project / "raw"
    raw.mkdir()
    for name in ("lines", "stores", "market"):
        column = "store" if name != "stores" else '"Store"::INTEGER'
        duckdb.connect().execute(
            f"COPY (SELECT * FROM '{real_data / 'iowa' / name}.parquet' WHERE {column} % 6 = 0) TO '{raw / name}.parquet'"
        )
    overlay = yaml.safe_load((project / "sources/iowa/params.yaml").read_text())
    overlay["evaluate"] = {"cutoffs": None}
    (project / "sources/iowa/params.yaml").write_text(yaml.safe_dump(overlay))
    for arguments in (["ingest", "--data", "raw"], *([stage] for stage in STAGES)):
        done = holdfast(project, arguments[0], "--source", "iowa", *arguments[1:])
        assert done.returncode == 0, done.stderr
    metrics = json.loads((project / "artifacts/iowa/metrics.json").read_text())
    assert metrics["population"]["all"]["risk"]["mean"]["auc"]["value"] > 0.8
    page = (project / "artifacts/iowa/report/index.html").read_text()
    assert "Cannot be seen on this data" in page


def texts(path: Path) -> bytes:
    """All that a file says in words, whatever packs it."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        cells = [value for column in table.columns for value in column.to_pylist() if isinstance(value, str)]
        return "\n".join(cells).encode()
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as parts:
            return b"\n".join(parts.read(name) for name in parts.namelist())
    return path.read_bytes()


@pytest.mark.slow
def test_pseudonymised_no_name_is_left_in_anything_written(market, tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_PSEUDONYM_KEY", "k" * 40)
    project = project_at(tmp_path / "project")
    shutil.copytree(market / "data/simulated/raw", project / "raw")
    for arguments in (["ingest", "--data", "raw", "--pseudonymise"], *([stage] for stage in STAGES)):
        done = holdfast(project, arguments[0], "--source", "simulated", *arguments[1:])
        assert done.returncode == 0, done.stderr
    raw = {name: pd.read_parquet(project / "raw" / f"{name}.parquet") for name in ("accounts", "managers", "prospects")}
    secret = {
        value.encode()
        for name, columns in {
            "accounts": ["account_id", "name", "address"],
            "managers": ["manager_id", "name"],
            "prospects": ["prospect_id", "name"],
        }.items()
        for column in columns
        if column in raw[name]
        for value in raw[name][column].dropna()
    }
    assert len(secret) > 800
    shutil.rmtree(project / "raw")
    anything = re.compile(b"|".join(map(re.escape, sorted(secret, key=len, reverse=True))))
    written = [path for path in project.rglob("*") if path.is_file()]
    found = {str(path.relative_to(project)): match for path in written if (match := anything.search(texts(path)))}
    assert not found, list(found.items())[:5]
    scores = pd.read_parquet(project / "artifacts/simulated/scores.parquet")
    plain = pd.read_parquet(market / "artifacts/simulated/scores.parquet").assign(
        account_id=lambda frame: [Pseudonyms(b"k" * 40).of("account", value) for value in frame["account_id"]]
    )
    both = scores.merge(plain, on="account_id", suffixes=("", "_plain"))
    assert len(both) == len(plain) == len(scores)
    assert both["risk"].corr(both["risk_plain"], method="spearman") > 0.98


def decisions(project: Path) -> tuple[dict[str, pd.DataFrame], dict]:
    folder = project / "artifacts/simulated/decisions"
    return {path.stem: pd.read_parquet(path) for path in folder.glob("*.parquet")}, json.loads(
        (folder / "decisions.json").read_text()
    )


def test_every_active_account_gets_a_decision_and_every_lapsed_one_another(market):
    scores = pd.read_parquet(market / "artifacts/simulated/scores.parquet")
    frames, told = decisions(market)
    assert set(frames["worklist"]["account_id"]) == set(scores.loc[~scores["lapsed"], "account_id"])
    assert set(frames["win_back"]["account_id"]) == set(scores.loc[scores["lapsed"], "account_id"])
    assert set(frames["accounts"]["account_id"]) == set(scores["account_id"])
    listed = frames["worklist"].merge(
        scores[["account_id", "naming", "reason_2"]], on="account_id", suffixes=("", "_scored")
    )
    assert (listed["naming"].fillna("") == listed["naming_scored"].fillna("")).all()
    two = listed["naming"] == "candidates"
    assert (listed.loc[two, "other_reason"] == listed.loc[two, "reason_2"]).all()
    assert listed.loc[~two, "other_reason"].isna().all()
    do = frames["worklist"][frames["worklist"]["decision"] == "do"]
    assert len(do) > 3
    assert (do["profit"] > 0).all()
    hours = do.groupby("manager_id")["hours"].sum()
    room = {row["manager_id"]: row["capacity"] for row in told["worklist"]["managers"]}
    assert (hours <= hours.index.map(room) + 1e-9).all()
    assert told["worklist"]["profit"] == pytest.approx(do["profit"].sum())
    assert len(frames["accounts"]["class"].dropna().unique()) >= 3
    assert frames["history"]["periods_ago"].between(1, 24).all()


def test_the_site_has_a_page_for_whom_it_should_and_for_whom_is_asked(market):
    scores = pd.read_parquet(market / "artifacts/simulated/scores.parquet")
    frames, _ = decisions(market)
    do = frames["worklist"].query("decision == 'do'")["account_id"]
    site = market / "artifacts/simulated/report"
    pages = {path.stem for path in (site / "accounts").iterdir()}
    at_risk = scores.query("not lapsed and risk >= 0.1")["account_id"]
    assert set(do) | set(at_risk) <= pages
    safe = scores.loc[~scores["account_id"].isin(pages), "account_id"].iloc[0]
    done = holdfast(market, "report", "--account", safe, "--lang", "en", "--lang", "zh_Hant")
    assert done.returncode == 0, done.stderr
    assert (site / f"accounts/{safe}.html").exists()
    assert 'lang="zh-Hant"' in (site / "zh_Hant/index.html").read_text()
    for arguments, said in (
        (["--account", "A9999"], "--account 'A9999' was not scored"),
        (["--lang", "fr"], "There is no language 'fr'"),
    ):
        done = holdfast(market, "report", *arguments)
        assert done.returncode == 2
        assert said in done.stderr
    assert (site / f"accounts/{safe}.html").exists()  # what failed wrote nothing
    assert holdfast(market, "report").returncode == 0


def test_a_report_before_its_stages_is_refused_with_the_stage_that_is_missing(market, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(market, project, symlinks=True)
    shutil.rmtree(project / "artifacts/simulated/decisions")
    done = holdfast(project, "report")
    assert done.returncode == 2
    assert "decisions.json is missing. Run `holdfast decide --source simulated` first." in done.stderr
