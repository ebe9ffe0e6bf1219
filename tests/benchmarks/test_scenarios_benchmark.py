"""The benchmark of the evidence runs, and true hazards tell more of a loss than its signs."""

from __future__ import annotations

from pathlib import Path

from benchmarks.scenarios import measure
from pipeline.params import changed, load

PARAMS = load(Path(__file__).resolve().parents[2], "simulated")


def test_who_knows_the_hazards_ranks_better_than_who_sees_the_signs():
    small = PARAMS.model_copy(update={"train": changed(PARAMS.train, {"rounds": 30, "min_leaf": 40})})
    found = measure("plain", 400, 24, 3, small)["population"]["active"]
    auc = {model: found[model]["mean"]["auc"]["value"] for model in ("risk", "symptoms", "attention", "oracle")}
    assert auc["oracle"] > auc["symptoms"] > 0.5
    assert auc["risk"] > auc["attention"]
