"""A placebo is learned from what training learns from."""

from __future__ import annotations

import numpy as np

from pipeline import reasons
from pipeline.frames import read_matrix
from pipeline.params import load


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
