"""The challenger beside the champion: never on labels the champion has seen, and recipes where it has seen all."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import ConfigurationError, HoldfastError
from features.matrix import KEYS, SILENT
from features.periods import Duration
from models import registry
from models.causes import CauseRecipe
from models.competing import ahead
from models.competing import fit as fit_causes
from models.metrics import evaluate
from models.registry import Registered
from pipeline.champion import changes, comparable, compare, decider, out_of_time, recipe_of
from pipeline.evaluate import gate
from pipeline.layout import Layout
from pipeline.params import changed, load
from pipeline.past import Past
from pipeline.train import fit_at

PARAMS = load(Path(__file__).resolve().parents[2], "simulated")
TRAIN = changed(PARAMS.train, {"rounds": 8, "min_leaf": 20, "held_out": 2})
EVALUATE = changed(PARAMS.evaluate, {"bootstrap": 20})
DAYS = [date(2024, month, 1) for month in range(1, 11)]
TESTS = DAYS[-3:]  # 2024-08-01, 2024-09-01, 2024-10-01
LAYOUT = Layout(Path("nowhere"), "mine")


def matrix_of(count: int = 150) -> pd.DataFrame:
    """Accounts at ten cut-offs; what is late, and who is alone, goes."""
    rng = np.random.default_rng(5)
    frames = []
    for day in DAYS:
        overdue, absent = rng.random(count) < 0.3, rng.random(count) < 0.3
        recency = rng.gamma(2, 20, count)
        chance = 1 / (1 + np.exp(3 - 2 * overdue - 1.5 * absent - recency / 40))
        frames.append(
            pd.DataFrame(
                {
                    "account_id": [f"A{number}" for number in range(count)],
                    "as_of": day,
                    "label": (rng.random(count) < chance).astype(float),
                    "lapsed": recency > 90,
                    **{name: (rng.random(count) < chance).astype(float) for name in SILENT[:6]},
                    "recency": recency,
                    "order_days_total": rng.integers(1, 40, count).astype(float),
                    "amount_12": rng.gamma(2, 100, count),
                    "tenure": rng.gamma(3, 200, count) + recency,
                    "rebates_overdue": overdue * 2.0,
                    "manager_absent": absent * 60.0,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def matrix():
    return matrix_of()


@pytest.fixture(scope="module")
def predictions(matrix):
    """As `holdfast evaluate` makes them, without the baselines."""
    return pd.concat(
        [
            matrix.loc[matrix["as_of"] == day, ["account_id", "as_of", "label", "lapsed"]].assign(
                risk=fit_at(matrix, day, PARAMS.featurize, TRAIN).predict(matrix[matrix["as_of"] == day])
            )
            for day in TESTS
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="module")
def why(matrix):
    recipe = CauseRecipe(**{**PARAMS.reasons.model_dump(), "bags": 1, "rounds": 10, "min_leaf": 20})
    features = [name for name in matrix.columns if name not in KEYS]
    return fit_causes(ahead(matrix, PARAMS.featurize.period, recipe.lead), features, recipe, progress=False)


@pytest.fixture(scope="module")
def champion_at(matrix, why):
    """A champion that was trained at a day, with what its run was told."""

    def at(day: date, **told) -> Registered:
        risk = fit_at(matrix, day, PARAMS.featurize, changed(TRAIN, told))
        params = {name: str(value) for name, value in changed(TRAIN, told).model_dump().items()}
        return Registered("3", risk, why, {**params, "reasons.lead": "2", "horizon": "3 months"})

    return at


@pytest.fixture
def compared(matrix, predictions, why, monkeypatch):
    def against(champion: Registered, **given):
        monkeypatch.setattr(registry, "registered", lambda source, version: champion)
        frame, today = given.get("matrix", matrix), given.get("featurize", PARAMS.featurize)
        return compare(LAYOUT, "3", why, Past(frame), predictions, today, TRAIN, EVALUATE)

    return against


@pytest.mark.parametrize(
    ("until", "fair"),
    [
        (date(2024, 7, 1), TESTS),
        (date(2024, 8, 1), TESTS),  # it knows of orders before that day
        (date(2024, 8, 2), TESTS[1:]),
        (date(2024, 9, 1), TESTS[1:]),
        (date(2024, 10, 1), TESTS[2:]),
        (date(2024, 10, 2), []),
    ],
)
def test_a_champion_is_judged_only_where_it_has_seen_no_label(champion_at, until, fair):
    risk = champion_at(TESTS[0]).risk
    assert out_of_time(replace(risk, meta={**risk.meta, "known_until": str(until)}), TESTS) == fair


def test_an_old_champion_is_compared_by_its_own_predictions(compared, champion_at, matrix, predictions):
    champion = champion_at(TESTS[1])
    found = compared(champion)
    assert (found["version"], found["compared"]) == ("3", "models")
    assert found["cutoffs"] == ["2024-09-01", "2024-10-01"]
    assert set(found["population"]["all"]) == {"risk", "champion"}
    assert set(found["paired"]["all"]) == {"champion"}
    assert found["population"]["all"]["risk"]["mean"]["n"] == 300
    rows = predictions[predictions["as_of"].isin(TESTS[1:])].reset_index(drop=True)
    rows["champion"] = champion.risk.predict(matrix[matrix["as_of"].isin(TESTS[1:])])
    expected = evaluate(rows, ["risk", "champion"], EVALUATE.bootstrap, EVALUATE.level, EVALUATE.seed)
    assert found["paired"] == expected["paired"]
    assert found["model_hash"] == champion.risk.content_hash


def test_a_champion_that_has_seen_all_is_compared_by_its_recipe(compared, champion_at, matrix):
    found = compared(champion_at(date(2025, 1, 1), rounds=2))
    assert (found["compared"], found["cutoffs"]) == ("recipes", [str(day) for day in TESTS])
    assert found["why"] == "the champion has seen labels of every test cut-off"
    assert found["paired"]["all"]["champion"]["mean"]["auc"]["value"] != 0
    assert found["reasons"] == {"accounts": int((~matrix.loc[matrix["as_of"] == TESTS[-1], "lapsed"]).sum())} | {
        "all": 0.0,
        "large": found["reasons"]["large"],
    }


def test_a_refitted_recipe_knows_nothing_of_labels_that_had_not_matured(compared, champion_at, matrix):
    """The labels of cut-offs that had not matured at the first test cut-off are turned: its predictions stay."""
    champion = champion_at(date(2025, 1, 1), rounds=2)
    before = compared(champion)["population"]["all"]["champion"]["2024-08-01"]
    turned = matrix.copy()
    late = turned["as_of"].between(date(2024, 5, 2), date(2024, 7, 31))
    turned.loc[late, "label"] = 1 - turned.loc[late, "label"]
    after = compared(champion, matrix=turned)["population"]["all"]["champion"]
    assert after["2024-08-01"] == before
    early = matrix.copy()
    matured = early["as_of"] == date(2024, 5, 1)  # ends on 2024-08-01: known on that day
    early.loc[matured, "label"] = 1 - early.loc[matured, "label"]
    assert compared(champion, matrix=early)["population"]["all"]["champion"]["2024-08-01"] != before


def test_the_same_recipe_differs_by_nothing(compared, champion_at):
    found = compared(champion_at(date(2025, 1, 1)))
    assert found["why"].endswith("; the recipes are the same")
    cell = found["paired"]["all"]["champion"]["mean"]["auc"]
    assert (cell["value"], cell["low"], cell["high"]) == (0, 0, 0)


def test_a_recipe_keeps_the_features_of_the_champion(compared, champion_at, matrix):
    fewer = matrix.drop(columns=["rebates_overdue", "manager_absent"])
    champion = champion_at(date(2025, 1, 1))
    risk = fit_at(fewer, date(2025, 1, 1), PARAMS.featurize, TRAIN)
    found = compared(replace(champion, risk=risk))
    assert found["compared"] == "recipes"
    assert found["paired"]["all"]["champion"]["mean"]["auc"]["value"] > 0  # the challenger knows more


def test_a_parameter_the_run_was_not_told_is_taken_as_today_and_named(champion_at):
    champion = champion_at(TESTS[0], rounds=5)
    told = {name: value for name, value in champion.params.items() if name != "l2"}
    recipe, assumed = recipe_of(replace(champion, params=told), TRAIN)
    assert (recipe.rounds, recipe.l2, assumed) == (5, TRAIN.l2, ["l2"])
    with pytest.raises(HoldfastError, match=r"^its recipe cannot be used: rounds: Input should be a valid integer"):
        recipe_of(replace(champion, params={**told, "rounds": "many"}), TRAIN)


def test_what_predicts_another_thing_or_lacks_features_is_not_compared(compared, champion_at, matrix):
    champion = champion_at(TESTS[0])
    other = PARAMS.featurize.model_copy(update={"horizon": Duration(6, "month")})
    assert compared(champion, featurize=other) == {
        "version": "3",
        "compared": "nothing",
        "why": "its horizon is 3 months, now it is 6 months",
    }
    found = compared(champion, matrix=matrix.drop(columns="tenure"))
    assert found["why"] == "the matrix lacks 1 of its features, for example 'tenure'"
    metrics = {"paired": {"all": {}}, "population": {"all": {"risk": {"mean": {"ece": {"value": 0.01}}}}}}
    judged = gate({**metrics, "champion": found}, EVALUATE)
    assert not judged["passed"]
    assert judged["why"].startswith("cannot be compared with the champion (version 3): the matrix lacks")
    assert gate(metrics, EVALUATE)["passed"]
    comparable(champion, matrix, PARAMS.featurize)


def test_a_champion_whose_files_are_gone_is_not_compared(matrix, predictions, why, monkeypatch):
    def gone(source, version):
        raise ConfigurationError("its files are gone")

    monkeypatch.setattr(registry, "registered", gone)
    found = compare(LAYOUT, "3", why, Past(matrix), predictions, PARAMS.featurize, TRAIN, EVALUATE)
    assert found == {"version": "3", "compared": "nothing", "why": "its files are gone"}


def test_reasons_that_change_are_counted_among_active_accounts(matrix, why):
    assert changes(why, why, Past(matrix), PARAMS.featurize)["all"] == 0
    other = why.taught({"offsets": {"broken_promises": 50.0}})  # whatever the evidence
    found = changes(why, other, Past(matrix), PARAMS.featurize)
    assert found["all"] > 0.3
    assert found["accounts"] == int((~matrix.loc[matrix["as_of"] == TESTS[-1], "lapsed"]).sum())


def test_who_decides_is_given_or_the_user():
    assert decider("Ann", {"USER": "bob"}) == "Ann"
    assert decider(None, {"USER": "bob"}) == "bob"
    assert decider(None, {"LOGNAME": "eve"}) == "eve"
    with pytest.raises(ConfigurationError, match=r"^Who decides\? .* Give --by NAME\.$"):
        decider(" ", {})
