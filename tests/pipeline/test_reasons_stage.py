"""A placebo is learned from what training learns from; what exits teach is registered with the recipe of the training."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.causes import CauseModel
from pipeline import reasons
from pipeline.frames import read_matrix
from pipeline.params import Reasons, Train, changed, load


def test_a_placebo_is_learned_from_the_sample_with_its_weights(trained, monkeypatch):
    params = load(trained.root, trained.source)
    params = params.model_copy(update={"train": params.train.model_copy(update={"sample": 0.3})})
    fitted = []
    fit = reasons.stability.fit

    def watched(rows, *given, **more):
        fitted.append((rows["account_id"], more["weight"]))
        return fit(rows, *given, **more)

    monkeypatch.setattr("models.stability.fit", watched)
    said = reasons.placebo(trained, params)
    accounts, weight = fitted[0]
    matrix = read_matrix(trained.matrix)
    lost = set(matrix.loc[matrix["label"] == 1, "account_id"])
    assert set(accounts) < set(matrix["account_id"])
    np.testing.assert_allclose(weight, np.where(accounts.isin(lost), 1, 1 / 0.3))
    monkeypatch.setattr("pipeline.past.accounts_in", lambda *given: None)  # then all are read
    assert reasons.placebo(trained, params) == said


def test_exits_are_learned_beside_the_recipe_that_trained_the_models(project, monkeypatch):
    """`params.yaml` may have changed since: the champion would be compared by a recipe that it was not made by."""
    params = load(project.root, project.source)
    now = params.model_copy(
        update={"train": changed(params.train, {"leaves": 3}), "reasons": changed(params.reasons, {"lead": 1})}
    )
    logged = []
    monkeypatch.setattr(reasons, "log_training", lambda *given: logged.append(given[6]))
    reasons.learn(project, now)
    why = CauseModel.load(project.causes)
    assert logged[0]["leaves"] == params.train.leaves != 3
    assert logged[0]["reasons.lead"] == why.recipe.lead != 1
    assert set(logged[0]) == {*Train.model_fields, *(f"reasons.{name}" for name in Reasons.model_fields)}


@pytest.mark.parametrize(
    ("every", "large", "said"),
    [
        (0.1234, 0.05, "changes in 12.3% of active accounts, 5.0% where it exceeds one half."),
        (0.1234, None, "changes in 12.3% of active accounts, it exceeds one half nowhere."),
        (None, None, "cannot be told: there are no bags to compare"),
    ],
)
def test_how_steady_the_reasons_are_is_told_in_words(project, every, large, said):
    project.reasons.write_text(json.dumps({"top_changes_between_bags": {"all": every, "large": large}, "exits": {}}))
    why = CauseModel.load(project.causes)
    why.taught({"why": "Nothing was learned: none."}).save(project.causes)
    assert said in reasons.summary(project, load(project.root, project.source))
