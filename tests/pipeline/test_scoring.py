"""A scoring block by block is that of all accounts at once; data too old to score are refused."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.engines import connect, open_tables
from features.errors import ContractError, LimitError
from features.matrix import build, features_of
from features.periods import Duration
from models import naming
from models.causes import CauseModel
from models.evidence import PAST
from models.risk import RiskModel
from pipeline.frames import plan_from
from pipeline.params import load
from pipeline.scoring import scoring, settled_day

UNTIL = date(2023, 1, 1)


def changed(params, section, **given):
    return params.model_copy(update={section: getattr(params, section).model_copy(update=given)})


@pytest.fixture(scope="module")
def asked(trained):
    """Models, layout and parameters of a scoring."""
    params = load(trained.root, trained.source)
    return RiskModel.load(trained.model), CauseModel.load(trained.causes), trained, params


def whole(model, why, layout, params):
    """The oracle: all accounts at all cut-offs in one frame, every horizon by its own prediction, reasons of all."""
    plan = plan_from(dict(model.meta), 10_000)
    connection = connect("1GB")
    tables = open_tables(connection, layout.tables)
    chosen = {feature.name: feature for feature in features_of(tables)}
    days = [plan.period.before(UNTIL, back) for back in sorted({*range(why.recipe.lags + 1), 1, PAST})]
    parts = build(connection, tables, days, plan, UNTIL, [chosen[name] for name in model.features])
    rows = pa.concat_tables(parts).to_pandas().sort_values(["as_of", "account_id"], ignore_index=True)
    connection.disconnect()
    frame = rows[rows["as_of"] == UNTIL].set_index("account_id")
    scores = pd.DataFrame({"risk": model.predict(frame)}, index=frame.index)
    for step in (1, 2, 3):
        scores[f"silent_{step}"] = model.predict(frame, step)
    judged = rows["as_of"].isin([plan.period.before(UNTIL, back) for back in range(why.recipe.lags + 1)])
    shares, learned = (part.reindex(frame.index) for part in why.shares_and_learned(rows[judged]))
    reasons = naming.name(shares, learned, naming.least_share(params.explain.precision), params.explain.also)
    return rows, pd.concat([scores, reasons, shares], axis=1)


@pytest.mark.parametrize("block", [20, 10_000])
def test_block_by_block_it_is_to_the_bit_what_it_is_at_once(asked, block):
    model, why, layout, params = asked
    rows, oracle = whole(*asked)
    with scoring(model, why, layout, changed(params, "featurize", block=block), UNTIL, everyone=True) as scored:
        found = scored.scores.set_index("account_id")
        assert len(found) > 80
        pd.testing.assert_frame_equal(found[list(oracle)], oracle.loc[found.index], check_exact=True)
        assert found["risk"].is_monotonic_decreasing
        for day in (UNTIL, date(2022, 12, 1), date(2022, 7, 1)):
            then = rows[rows["as_of"] == day].set_index("account_id")
            pd.testing.assert_frame_equal(scored.features(day), then, check_exact=True)


def test_reasons_of_some_are_those_told_of_all(asked):
    model, why, layout, params = asked
    with (
        scoring(model, why, layout, changed(params, "explain", rank=7), UNTIL) as some,
        scoring(model, why, layout, params, UNTIL, everyone=True) as every,
    ):
        told = some.scores[some.scores["naming"].notna()]
        assert told.groupby("lapsed").size().to_dict() == {False: 7, True: 7}
        pd.testing.assert_frame_equal(told, every.scores.loc[told.index], check_exact=True)
        assert (some.scores["rank"] == np.arange(1, len(some.scores) + 1)).all()


def test_data_that_end_long_before_the_day_are_refused_with_figures(asked):
    *_, layout, params = asked
    assert settled_day(layout, params, None) == UNTIL
    limited = changed(params, "score", max_age=Duration(45, "day"))
    assert settled_day(layout, limited, date(2023, 2, 15)) == date(2023, 2, 15)
    with pytest.raises(
        LimitError,
        match=r"orders: they end on 2022-12-31, 47 days before 2023-02-16; more than 45 days are too old to score "
        r"\(score\.max_age\)\. Ingest newer data, choose an earlier --as-of, or raise the limit\.$",
    ):
        settled_day(layout, limited, date(2023, 2, 16))
    assert settled_day(layout, changed(params, "score", max_age=None), date(2024, 1, 1)) == date(2024, 1, 1)


def test_a_feature_whose_definition_changed_since_the_training_is_refused(asked):
    model, why, layout, params = asked
    old = RiskModel(
        model.booster, {**model.meta, "feature_versions": {**model.meta["feature_versions"], "recency": "00000000"}}
    )
    with (
        pytest.raises(ContractError, match=r"  ~ recency: its definition changed, 00000000 when the model learned"),
        scoring(old, why, layout, params, UNTIL),
    ):
        pass
