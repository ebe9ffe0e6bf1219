"""Who is champion: what an evaluation decides, what a person decides, and the way back."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from risk_recipes import META, WHY

from features.errors import ConfigurationError, LimitError
from models.registry import Standing, decide, promote, registered, rollback, settle, standing
from models.risk import Recipe, RiskModel, fit
from models.tracking import log_evaluation, log_training, registered_name

# MLflow's own warnings, which the library keeps quiet, reach the client of these tests
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
NAMES = ["recency", "amount_12"]
DAY = date(2024, 3, 15)
NAME = registered_name("mine")
PASSED = {"passed": True, "why": "better than every baseline", "criteria": []}
FAILED = {
    "passed": False,
    "why": "gain in AUC over recency +0.0100, from -0.0020, not above +0.0000",
    "criteria": [{"name": "AUC over recency", "passed": False, "figure": -0.002, "limit": 0.0, "words": "..."}],
}


def rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.gamma(2.0, 1.0, (200, 2)), columns=NAMES)
    frame["label"] = (frame["recency"] + rng.normal(0, 1, 200) > 2).astype(float)
    return frame.assign(as_of=DAY)


def model(number: int) -> RiskModel:
    recipe = Recipe(3, 0.3, 3, 20, 1.0, 1.0, 1.0, 7)
    trained = fit(rows().assign(horizon=3.0), NAMES, recipe, META)
    return replace(trained, meta={**trained.meta, "number": number, "train_cutoffs": ["2023-12-15"]})


MODELS = {number: model(number) for number in (1, 2, 3)}


@pytest.fixture(scope="module")
def three(registry):
    """A registry with three versions; the third is challenger, none is champion."""
    tables = registry / "tables"
    tables.mkdir()
    (tables / "orders.parquet").write_bytes(b"orders")
    for number, one in MODELS.items():
        own = registry / str(number) / "model"
        one.save(own)
        WHY.save(own.with_name("causes"))
        log_training("mine", one, WHY, own, own.with_name("causes"), rows(), {"seed": number}, tables, {})
    return mlflow.MlflowClient(os.environ["MLFLOW_TRACKING_URI"])


@pytest.fixture
def client(three):
    """The registry as it was, before anything was decided."""
    found = three.get_registered_model(NAME)
    if "champion" in found.aliases:
        three.delete_registered_model_alias(NAME, "champion")
    for tag in found.tags:
        three.delete_registered_model_tag(NAME, tag)
    for version in three.search_model_versions(f"name='{NAME}'"):
        for tag in set(version.tags) - {"model_hash", "cause_hash"}:
            three.delete_model_version_tag(NAME, version.version, tag)
    return three


def evaluated(number: int, gate: dict) -> dict:
    """What `holdfast evaluate` does of the registry."""
    found = standing("mine", MODELS[number], WHY)
    decision = decide(found, gate)
    settle("mine", found, gate, decision)
    return decision


def champion(client) -> str | None:
    version = client.get_registered_model(NAME).aliases.get("champion")
    return None if version is None else str(version)


def tags(client, number: int) -> dict[str, str]:
    return client.get_model_version(NAME, str(number)).tags


def decision_of(client, number: int, folder: Path) -> dict:
    run_id = client.get_model_version(NAME, str(number)).run_id
    return json.loads(Path(client.download_artifacts(run_id, "decision.json", str(folder))).read_text(encoding="utf-8"))


def by_hand(number: int | None = None, why: str | None = None, force: bool = False, by: str = "Ann") -> str:
    return promote("mine", None if number is None else str(number), by, why, force, lambda facts: "card")


def back(by: str = "Bob", why: str | None = "phones rang") -> str:
    return rollback("mine", by, why, lambda facts: "card")


def test_the_first_that_passes_is_champion_and_the_decision_is_on_record(client, tmp_path):
    assert evaluated(1, FAILED) == {"champion": False, "by": "holdfast evaluate", "why": FAILED["why"]}
    assert champion(client) is None
    assert (tags(client, 1)["decision"], tags(client, 1)["gate_passed"]) == ("not promoted", "False")
    assert evaluated(1, PASSED) == {"champion": True, "by": "holdfast evaluate", "why": PASSED["why"]}
    assert champion(client) == "1"
    assert tags(client, 1)["decision"] == "promoted"
    assert tags(client, 1)["replaced"] == "none"
    said = decision_of(client, 1, tmp_path)
    assert {key: said[key] for key in ("decision", "version", "by", "why", "gate")} == {
        "decision": "promoted",
        "version": "1",
        "by": "holdfast evaluate",
        "why": PASSED["why"],
        "gate": PASSED,
    }
    run_id = client.get_model_version(NAME, "1").run_id
    assert len(client.list_artifacts(run_id, "decisions")) >= 2  # each is kept
    assert client.get_run(run_id).data.tags["decided_by"] == "holdfast evaluate"


def test_a_rival_is_the_champion_and_a_champion_evaluated_again_has_the_rival_it_had(client):
    assert standing("mine", MODELS[1], WHY).rival is None
    evaluated(1, PASSED)
    assert standing("mine", MODELS[1], WHY) == Standing("1", True, None, "holdfast evaluate", PASSED["why"], None)
    assert standing("mine", MODELS[2], WHY).rival == "1"
    evaluated(2, PASSED)
    assert champion(client) == "2"
    assert standing("mine", MODELS[2], WHY).rival == "1"
    assert standing("mine", MODELS[1], WHY).rival == "2"
    at = tags(client, 2)["decided_at"]
    assert evaluated(2, PASSED) == {"champion": True, "by": "holdfast evaluate", "why": PASSED["why"]}
    assert tags(client, 2)["decided_at"] == at


def test_a_champion_stays_one_where_the_gate_is_not_passed_later(client):
    evaluated(1, PASSED)
    assert evaluated(1, FAILED)["champion"]
    assert champion(client) == "1"
    assert tags(client, 1)["gate_passed"] == "False"


def test_a_champion_from_before_decisions_were_kept(client):
    client.set_registered_model_alias(NAME, "champion", "1")
    assert evaluated(1, PASSED) == {"champion": True, "by": "holdfast evaluate", "why": "stays champion"}
    evaluated(2, PASSED)
    assert back().startswith("Version 1 of holdfast-mine is champion again")


def test_an_evaluation_killed_before_the_end_can_be_given_again(client, monkeypatch):
    evaluated(1, PASSED)

    def killed(*arguments):
        raise KeyboardInterrupt("killed")

    with monkeypatch.context() as patch:
        patch.setattr("models.registry._crown", killed)
        with pytest.raises(KeyboardInterrupt, match="killed"):
            evaluated(2, PASSED)
    assert champion(client) == "1"
    evaluated(2, PASSED)
    assert champion(client) == "2"
    assert client.get_registered_model(NAME).tags["previous_champion"] == "1"


def test_back_to_the_champion_before_once_and_not_forward_again_by_itself(client, tmp_path):
    evaluated(1, PASSED)
    evaluated(2, PASSED)
    said = "version 2 was rolled back to version 1 by Bob (phones rang)"
    assert back() == f"Version 1 of holdfast-mine is champion again: {said}."
    assert champion(client) == "1"
    assert (tags(client, 2)["decision"], tags(client, 1)["decision"]) == ("rolled back", "restored")
    assert decision_of(client, 1, tmp_path)["rolled_back"] == "2"
    assert back("Eve") == f"V{said[1:]}; no version was promoted since. Nothing was changed."
    assert champion(client) == "1"
    assert tags(client, 1)["decided_by"] == "Bob"
    decision = evaluated(2, PASSED)  # the same model again, as DVC would
    assert decision["why"] == f"{said}; the gate is passed, `holdfast promote` brings it back"
    assert not decision["champion"]
    assert champion(client) == "1"
    evaluated(3, PASSED)  # another one may
    assert champion(client) == "3"
    back()
    assert champion(client) == "1"


def test_what_was_rolled_back_comes_back_by_a_person(client):
    evaluated(1, PASSED)
    evaluated(2, PASSED)
    back()
    assert by_hand(2, "it was the network") == (
        "Version 2 of holdfast-mine is champion, instead of version 1: promoted by Ann (it was the network)."
    )
    assert "withdrawn" not in tags(client, 2)
    assert evaluated(2, PASSED) == {"champion": True, "by": "Ann", "why": "it was the network"}
    back()
    assert champion(client) == "1"


def test_what_a_person_replaced_does_not_come_back_by_itself(client):
    evaluated(1, PASSED)
    evaluated(2, PASSED)
    by_hand(1, "calmer")
    decision = evaluated(2, PASSED)
    assert (decision["champion"], decision["why"].split(";")[0]) == (
        False,
        "version 2 was replaced by version 1 by Ann (calmer)",
    )
    assert champion(client) == "1"
    back()
    assert champion(client) == "2"
    assert "withdrawn" not in tags(client, 2)


def test_files_of_another_version_are_not_read(client, monkeypatch):
    def other(folder):
        raise ConfigurationError(f"{folder} holds a model of causes from another version of Holdfast.")

    monkeypatch.setattr("models.registry.CauseModel.load", other)
    with pytest.raises(ConfigurationError, match=r"^its files are gone, or of another version of Holdfast$"):
        registered("mine", "1")


def test_a_rollback_without_a_reason(client):
    evaluated(1, PASSED)
    evaluated(2, PASSED)
    assert back(why=None).endswith("version 2 was rolled back to version 1 by Bob.")


def test_without_an_earlier_champion_there_is_no_way_back(client):
    with pytest.raises(ConfigurationError, match=r"^holdfast-mine has no champion\. `holdfast promote --source mine`"):
        back()
    evaluated(1, PASSED)
    with pytest.raises(
        ConfigurationError, match=r"^There is no champion to roll back to: version 1 of holdfast-mine is the first\.$"
    ):
        back()


def test_the_challenger_is_promoted_where_no_version_is_named(client):
    evaluated(3, FAILED)
    evaluated(1, PASSED)
    settle("mine", standing("mine", MODELS[3], WHY), PASSED, {"champion": False, "by": "holdfast evaluate", "why": "-"})
    assert by_hand() == (
        "Version 3 of holdfast-mine is champion, instead of version 1: promoted by Ann (better than every baseline)."
    )
    at = tags(client, 3)["decided_at"]
    assert by_hand() == "Version 3 of holdfast-mine is champion already; nothing was changed."
    assert tags(client, 3)["decided_at"] == at


def test_a_gate_not_passed_is_passed_over_by_force_and_reason_only(client, tmp_path):
    evaluated(1, PASSED)
    evaluated(2, FAILED)
    with pytest.raises(
        LimitError,
        match=r"^Version 2 of holdfast-mine did not pass the gate: gain in AUC over recency .* from -0\.0020",
    ):
        by_hand(2)
    with pytest.raises(ConfigurationError, match=r"^--force passes over the gate: say why with --why TEXT\.$"):
        by_hand(2, force=True)
    assert champion(client) == "1"
    assert by_hand(2, "a new region", force=True) == (
        "Version 2 of holdfast-mine is champion, instead of version 1: promoted by force by Ann (a new region)."
    )
    said = decision_of(client, 2, tmp_path)
    assert (said["forced"], said["gate_why"], said["by"]) == (True, FAILED["why"], "Ann")
    assert evaluated(2, FAILED) == {"champion": True, "by": "Ann", "why": "a new region"}
    assert standing("mine", MODELS[2], WHY).rival == "1"


def test_a_version_that_was_not_evaluated_is_not_promoted(client):
    with pytest.raises(
        ConfigurationError, match=r"^Version 2 of holdfast-mine was not evaluated\. Run `holdfast evaluate"
    ):
        by_hand(2)
    assert "promoted by force by Ann (in a hurry)" in by_hand(2, "in a hurry", force=True)


def test_a_gate_passed_against_another_champion_is_told(client):
    evaluated(1, PASSED)
    evaluated(2, PASSED)  # against 1
    evaluated(3, PASSED)  # against 2
    assert by_hand(2, "steadier").endswith(" Its gate was passed against version 1, not against this one.")
    assert standing("mine", MODELS[2], WHY).rival == "3"


def test_an_unknown_version_is_refused_with_those_there_are(client):
    with pytest.raises(ConfigurationError, match=r"^holdfast-mine has no version 9\. It has: 1, 2, 3\. Choose with"):
        by_hand(9)
    for call in (
        lambda: promote("other", None, "Ann", None, False, lambda facts: ""),
        lambda: rollback("other", "Ann", None, lambda facts: ""),
    ):
        with pytest.raises(
            ConfigurationError, match=r"knows no model of 'other'\. Run `holdfast train --source other`"
        ):
            call()


def test_the_models_of_a_version_and_what_its_run_was_told(client):
    found = registered("mine", "2")
    assert found.risk.content_hash == MODELS[2].content_hash
    assert found.why.content_hash == WHY.content_hash
    assert found.params["seed"] == "2"
    with pytest.raises(ConfigurationError, match=r"^its files are gone, or of another version of Holdfast$"):
        registered("mine", "9")


def test_the_card_of_a_run_tells_the_decision_of_a_person(client, tmp_path):
    metrics = {"population": {}, "gate": FAILED, "decision": {"champion": False, "by": "holdfast evaluate", "why": "-"}}
    predictions = pd.DataFrame({"label": [0.0, 1.0] * 30, "risk": np.linspace(0.01, 0.99, 60)})
    texts = {"model_card.json": json.dumps({"metrics": metrics}), "model_card.md": "before"}
    log_evaluation("mine", MODELS[2], WHY, metrics, predictions, texts)
    evaluated(2, FAILED)
    promote("mine", "2", "Ann", "a new region", True, lambda facts: json.dumps(facts["metrics"]["decision"]))
    run_id = client.get_model_version(NAME, "2").run_id
    card = Path(client.download_artifacts(run_id, "model_card.md", str(tmp_path))).read_text(encoding="utf-8")
    assert json.loads(card) == {"champion": True, "by": "Ann", "why": "a new region"}
    facts = Path(client.download_artifacts(run_id, "model_card.json", str(tmp_path))).read_text(encoding="utf-8")
    assert json.loads(facts)["metrics"]["gate"] == FAILED
