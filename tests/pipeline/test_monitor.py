"""`holdfast monitor` as a user meets it: a first scoring, a later one, planted changes, and its exit code."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from features.catalog import DECLARED, shared
from features.errors import ConfigurationError, LimitError
from models.advice import ADVICE, NOTHING
from pipeline import history
from pipeline.layout import Layout
from pipeline.monitor import run
from pipeline.params import changed, load
from tests.commands import holdfast

CHECK = {"kind", "name", "value", "watch", "alarm", "verdict", "chance", "usual", "do"}
KEYS = {
    *("source", "as_of", "model", "verdict", "counts", "chance", "level", "reference", "reasons", "pictures"),
    *("checks", "weights", "grades", "pending", "scorings"),
}


@pytest.fixture(scope="module")
def market(small_market, tmp_path_factory):
    project = tmp_path_factory.mktemp("monitor") / "project"
    shutil.copytree(small_market, project)
    done = holdfast(project, "monitor", "--source", "simulated", "--no-strict")
    assert done.returncode == 0, done.stderr
    return project, done.stderr


@pytest.fixture
def changeable(market, tmp_path):
    """A copy that a test may spoil, its layout and parameters."""
    project = tmp_path / "project"
    shutil.copytree(market[0], project)
    return Layout(project, "simulated"), load(project, "simulated")


def found_in(layout: Layout) -> dict:
    return json.loads(layout.monitoring.read_text())


def test_a_first_scoring(market):
    project, said = market
    found = found_in(Layout(project, "simulated"))
    assert set(found) == KEYS
    assert "0 of 1 scorings kept have matured" in said
    assert found["grades"] == []
    assert found["pending"] == [found["as_of"]]
    assert found["reference"]["season"] is True
    assert found["verdict"] in ("fine", "watch", "alarm")
    assert sum(found["counts"].values()) == len(found["checks"])
    for check in found["checks"]:
        assert set(check) == CHECK
        assert check["kind"] in ADVICE
        assert (check["verdict"] == "fine") == (check["value"] <= check["watch"])
        assert (check["do"] == NOTHING) == (check["verdict"] == "fine")
    assert {
        "stale_days",
        "model_days",
        "drift",
        "risk",
        "expected_share",
        "reason_mix",
        "missing",
        "unseen",
        "bounds",
    } <= {check["kind"] for check in found["checks"]}
    assert not [check for check in found["checks"] if check["kind"] == "bounds" and check["verdict"] != "fine"]
    assert sum(cell["now"]["value"] for cell in found["reasons"].values()) == pytest.approx(1.0)
    page = (project / "artifacts/simulated/monitoring.html").read_text()
    assert "No scoring kept has matured yet" in page


def test_the_same_twice_is_the_same_bytes(changeable):
    layout, params = changeable
    before = layout.monitoring.read_bytes(), layout.monitoring_page.read_bytes()
    run(layout, params, strict=False)
    assert (layout.monitoring.read_bytes(), layout.monitoring_page.read_bytes()) == before


def test_the_page_is_in_the_first_of_the_reports_languages_and_the_figures_in_none(changeable):
    layout, params = changeable
    before = layout.monitoring.read_bytes()
    report = changed(params.report, {"languages": ["ro", "en"]})
    run(layout, params.model_copy(update={"report": report}), strict=False)
    assert layout.monitoring.read_bytes() == before
    assert '<html lang="ro">' in layout.monitoring_page.read_text()


def test_a_planted_drift_is_named_and_passes_the_limit(changeable):
    layout, params = changeable
    day = found_in(layout)["as_of"]
    path = layout.history / day / "features.parquet"
    weights = {name: weight for name, weight in found_in(layout)["weights"].items() if not shared(DECLARED[name])}
    used = max(weights, key=lambda name: weights[name])
    features = pd.read_parquet(path)
    features.assign(**{used: -1e12}).to_parquet(path)
    with pytest.raises(LimitError, match=rf"limits are passed: .*{used}.*says what to do"):
        run(layout, params)
    alarms = {(check["kind"], check["name"]) for check in found_in(layout)["checks"] if check["verdict"] == "alarm"}
    assert {("drift", used), ("unseen", used)} <= alarms
    assert ("drift", "contacts_3") not in alarms
    assert {used, "risk"} <= set(found_in(layout)["pictures"])


def test_a_shift_of_risk_and_reasons(changeable):
    layout, params = changeable
    scores = pd.read_parquet(layout.scores)
    shares = [name for name in scores if name.startswith("share_")]
    one = scores.assign(risk=1 - (1 - scores["risk"]) ** 4, **dict.fromkeys(shares, 0.0))
    one.assign(share_competitor=1.0).to_parquet(layout.scores)
    run(layout, params, strict=False)
    verdicts = {check["kind"]: check["verdict"] for check in found_in(layout)["checks"] if not check["name"]}
    assert verdicts["risk"] == verdicts["expected_share"] == verdicts["reason_mix"] == "alarm"
    assert found_in(layout)["reasons"]["competitor"]["now"]["value"] == 1.0


def test_a_scoring_that_matured_is_graded_and_missing_history_is_no_error(changeable):
    layout, params = changeable
    day = found_in(layout)["as_of"]
    earlier = date.fromisoformat(day).replace(month=date.fromisoformat(day).month - 5)
    kept = history.at(layout, date.fromisoformat(day))
    folder = layout.history / str(earlier)
    shutil.copytree(layout.history / day, folder)
    kept.scores.assign(as_of=earlier).to_parquet(folder / "scores.parquet")
    meta = kept.meta | {"as_of": str(earlier), "known_until": str(earlier)}
    (folder / history.META_FILE).write_text(json.dumps(meta))
    run(layout, params, strict=False)
    found = found_in(layout)
    assert [grade["as_of"] for grade in found["grades"]] == [str(earlier)]
    assert {"auc", "level", "calibration"} <= {check["kind"] for check in found["checks"]}
    shutil.rmtree(layout.history)
    run(layout, params, strict=False)
    assert found_in(layout)["scorings"] == []
    again = {(check["kind"], check["name"]): check["value"] for check in found_in(layout)["checks"]}
    kept = {(check["kind"], check["name"]): check["value"] for check in found["checks"]}
    assert again["drift", "gap_mean"] == pytest.approx(kept["drift", "gap_mean"])  # the features were built again


def test_mistakes_are_told(changeable):
    layout, params = changeable
    live = json.loads(layout.live.read_text())
    layout.live.write_text(json.dumps(live | {"model": "another"}))
    with pytest.raises(ConfigurationError, match=r"made by the model another, this is .* Give the same --model"):
        run(layout, params)
    layout.scores.unlink()
    with pytest.raises(ConfigurationError, match=r"scores.parquet is missing. Run `holdfast score --source simulated`"):
        run(layout, params)


def test_the_exit_code(market):
    project, _ = market
    layout = Layout(project, "simulated")
    done = holdfast(project, "monitor", "--source", "simulated")
    assert done.returncode == (4 if found_in(layout)["verdict"] == "alarm" else 0)
    assert "Traceback" not in done.stderr
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("chance: 0.01", "chance: 0.9"))
    done = holdfast(project, "monitor", "--source", "simulated")
    (project / "params.yaml").write_text(text)
    assert done.returncode == 2
    assert "monitor.chance" in done.stderr
    assert Path(layout.monitoring_page).exists()
