"""Competing causes: each names its own losses, signs name none, and what is worse never counts for less."""

import gc
import json
import weakref
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from risk_recipes import CAUSES as RECIPE

from features.catalog import DECLARED
from features.errors import ConfigurationError
from models.causes import START, CauseModel
from models.competing import fit
from models.taxonomy import taxonomy

EVIDENCE = {
    "rebates_overdue": "broken_promises",
    "manager_absent": "staff_turnover",
    "wallet_share_3": "competitor",  # falls when it harms
}
NAMES = ["recency", "tenure", *EVIDENCE]


@pytest.fixture(scope="module")
def market():
    """6,000 accounts, of which each cause troubles a tenth; the lost show it in their recency, whatever the cause."""
    rng = np.random.default_rng(5)
    rows = 6000
    troubled = {name: rng.random(rows) < 0.1 for name in EVIDENCE}
    hazard = pd.DataFrame({EVIDENCE[name]: 0.4 * troubled[name] for name in EVIDENCE}) + 0.0
    hazard["unexplained"] = 0.03
    label = rng.random(rows) < -np.expm1(-hazard.sum(axis=1))
    chosen = (hazard.div(hazard.sum(axis=1), axis=0).cumsum(axis=1).to_numpy() < rng.random(rows)[:, None]).sum(axis=1)
    frame = pd.DataFrame(
        {
            "rebates_overdue": troubled["rebates_overdue"] * rng.integers(1, 4, rows),
            "manager_absent": troubled["manager_absent"] * rng.integers(20, 200, rows),
            "wallet_share_3": np.where(troubled["wallet_share_3"], 0.3, 0.9) + rng.uniform(-0.1, 0.1, rows),
            "recency": rng.gamma(2, 10, rows) + 40 * label,
            "tenure": rng.uniform(100, 3000, rows),
            "label": label.astype(float),
            "account_id": [f"A{number:04d}" for number in range(rows)],
        }
    )
    frame["wallet_share_3"] = frame["wallet_share_3"].where(rng.random(rows) < 0.8)
    return frame, hazard.columns[chosen].to_numpy()


@pytest.fixture(scope="module")
def model(market):
    return fit(market[0], NAMES, RECIPE, progress=False)


def test_the_true_cause_of_a_loss_has_the_largest_hazard(market, model):
    frame, reason = market
    lost = (frame["label"] == 1).to_numpy() & (reason != "unexplained") & frame["wallet_share_3"].notna().to_numpy()
    found = model.hazards(frame)[lost].idxmax(axis=1).to_numpy()
    assert (found == reason[lost]).mean() > 0.85


def test_a_market_with_one_cause_names_it(market):
    """The evidence for the other reasons is as it was, but nobody leaves for them."""
    rng = np.random.default_rng(6)
    frame = market[0].copy()
    overdue = (frame["rebates_overdue"] > 0).to_numpy()
    frame["label"] = (rng.random(len(frame)) < 0.03 + 0.4 * overdue).astype(float)
    frame["recency"] = rng.gamma(2, 10, len(frame)) + 40 * frame["label"]
    lost = frame[(frame["label"] == 1) & overdue]
    share = fit(frame, NAMES, RECIPE, progress=False).shares(lost)
    told = share.drop(columns="share_unexplained").idxmax(axis=1, skipna=True)
    assert (told == "share_broken_promises").mean() > 0.97
    assert (
        share[["share_staff_turnover", "share_competitor"]].mean().max() < 0.1 * share["share_broken_promises"].mean()
    )


def test_without_evidence_of_harm_nothing_is_explained(model):
    healthy = pd.DataFrame({"rebates_overdue": [0.0], "manager_absent": [0.0], "wallet_share_3": [1.0]})
    assert model.hazards(healthy).to_numpy().max() < 0.2


def test_a_missing_value_counts_as_a_healthy_one(model):
    missing = pd.DataFrame(np.nan, index=[0], columns=list(EVIDENCE))
    assert (model.hazards(missing) == 0).all(axis=None)


def test_signs_of_the_loss_name_no_reason(market, model):
    frame = market[0]
    assert set(model.features) == set(EVIDENCE.values())
    pd.testing.assert_frame_equal(model.hazards(frame), model.hazards(frame.assign(recency=999.0, tenure=1.0)))


@settings(max_examples=40)
@given(rebates=st.integers(0, 5), absent=st.integers(0, 300), wallet=st.floats(0, 1), step=st.floats(0, 50, width=16))
def test_evidence_that_gets_worse_never_counts_for_less(model, rebates, absent, wallet, step):
    now = pd.DataFrame({"rebates_overdue": [rebates], "manager_absent": [absent], "wallet_share_3": [wallet]})
    worse = pd.DataFrame(
        {"rebates_overdue": [rebates + step], "manager_absent": [absent + step], "wallet_share_3": [wallet - step]}
    )
    assert (model.hazards(worse).to_numpy() >= model.hazards(now).to_numpy() - 1e-12).all()


@pytest.mark.parametrize("part", [0.0, RECIPE.additive, 1.0])
def test_contributions_add_up_to_the_log_hazards_of_trees_and_of_the_additive_part(market, model, part):
    frame = market[0].head(200)
    trees, mixed, added = (with_part(model, share) for share in (0.0, part, 1.0))
    values = mixed.contributions(frame)
    for reason, names in model.features.items():
        inputs = frame[names].fillna(model.healthy).to_numpy()
        raw = np.mean([booster.predict(inputs, raw_score=True) for booster in trees.boosters[reason]], axis=0)
        whole = (1 - part) * raw + part * np.log1p(added.hazards(frame)[reason] / START)
        moved = values[list(names)].sum(axis=1)
        np.testing.assert_allclose(moved - moved.iloc[0], whole - whole.iloc[0], atol=1e-9)


def test_the_additive_part_counts_as_the_recipe_says(market, model):
    frame = market[0].head(500)
    trees, added = with_part(model, 0.0).hazards(frame), with_part(model, 1.0).hazards(frame)
    assert (added.max() > 0.1).all()
    mixed = (1 - RECIPE.additive) * trees + RECIPE.additive * added
    pd.testing.assert_frame_equal(model.hazards(frame), mixed)


def test_in_the_additive_part_the_true_cause_has_the_largest_hazard_too(market, model):
    frame, reason = market
    lost = (frame["label"] == 1).to_numpy() & (reason != "unexplained") & frame["wallet_share_3"].notna().to_numpy()
    found = with_part(model, 1.0).hazards(frame)[lost].idxmax(axis=1).to_numpy()
    assert (found == reason[lost]).mean() > 0.85


def with_part(model, part):
    """The same model, whose additive part is `part` of the hazards."""
    return replace(model, recipe=replace(RECIPE, additive=part))


def test_saved_and_loaded_it_says_the_same_and_the_same_rows_give_the_same_bytes(market, model, tmp_path):
    model.save(tmp_path / "one")
    again = CauseModel.load(tmp_path / "one")
    assert again.content_hash == model.content_hash
    assert again.recipe == RECIPE
    pd.testing.assert_frame_equal(again.hazards(market[0]), model.hazards(market[0]), check_exact=True)
    fit(market[0], NAMES, RECIPE, progress=False).save(tmp_path / "two")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == [
        *("broken_promises_0.txt", "broken_promises_1.txt", "causes.json", "competitor_0.txt", "competitor_1.txt"),
        *("staff_turnover_0.txt", "staff_turnover_1.txt"),
    ]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_part_of_a_model_is_refused(model, tmp_path):
    with pytest.raises(ConfigurationError, match=r"holds no model of causes\. Run `holdfast train` first"):
        CauseModel.load(tmp_path)
    model.save(tmp_path / "model")
    (tmp_path / "model" / "competitor_1.txt").unlink()
    with pytest.raises(ConfigurationError, match=r"competitor_1\.txt is missing\. Run `holdfast train` again"):
        CauseModel.load(tmp_path / "model")


def test_without_evidence_there_are_no_reasons(market, tmp_path):
    model = fit(market[0], ["recency", "tenure"], RECIPE, progress=False)
    assert model.hazards(market[0]).shape == model.contributions(market[0]).shape == (6000, 0)
    model.save(tmp_path / "none")
    assert CauseModel.load(tmp_path / "none").boosters == {}


@pytest.mark.parametrize("rows", [0, 6000])
def test_where_nobody_was_lost_no_reason_has_a_hazard(market, tmp_path, rows):
    frame = market[0].assign(label=0.0).head(rows)
    fit(frame, NAMES, RECIPE, progress=False).save(tmp_path / "none")
    hazards = CauseModel.load(tmp_path / "none").hazards(market[0])
    assert set(hazards) == set(EVIDENCE.values())
    assert (hazards == 0).all(axis=None)


def test_constant_and_empty_evidence_does_no_harm(market):
    frame = market[0].assign(manager_absent=7.0, wallet_share_3=np.nan)
    hazards = fit(frame, NAMES, RECIPE, progress=False).hazards(frame)
    assert (hazards[["staff_turnover", "competitor"]] == 0).all(axis=None)
    assert np.isfinite(hazards.to_numpy()).all()


@pytest.mark.parametrize("rows", [1, 2, 49])
def test_evidence_that_was_hardly_ever_seen_has_the_hazard_of_the_untried(market, rows):
    frame = market[0].assign(manager_absent=0.0)
    frame.loc[: rows - 1, "manager_absent"] = np.arange(rows) + 1.0
    model = fit(frame, NAMES, RECIPE, progress=False)
    assert model.tried["manager_absent"] == 0.0
    hazards = model.hazards(frame)["staff_turnover"]
    assert (hazards[:rows] == RECIPE.untried).all()
    assert (hazards[rows:] == 0).all()
    told = model.contributions(frame)["manager_absent"]
    assert (told[:rows] == np.log1p(RECIPE.untried / START)).all()
    assert (told[rows:] == 0).all()
    better = frame.head(1).assign(manager_absent=-1.0)
    assert model.hazards(better)["staff_turnover"].tolist() == [0.0]


def test_a_record_of_the_reason_itself_needs_no_learning(market):
    """An account of which it is known that it closed: nobody in training had, and one such day says what many would."""
    frame = market[0].assign(account_closed=0.0)
    model = fit(frame, [*NAMES, "account_closed"], RECIPE, progress=False)
    rows = frame.head(4).assign(account_closed=[0.0, 1.0, 300.0, np.nan], manager_absent=0.0)
    hazards = model.hazards(rows)["natural_end"]
    assert hazards.tolist() == [0.0, RECIPE.stated, RECIPE.stated, 0.0]
    share, learned = model.shares_and_learned(rows)
    pd.testing.assert_frame_equal(share[["share_natural_end"]], learned[["share_natural_end"]])  # it is no guess
    assert share["share_natural_end"].iloc[[1, 2]].min() > 0.5
    assert share["share_natural_end"].iloc[[0, 3]].max() == 0.0
    assert model.contributions(rows)["account_closed"].tolist() == pytest.approx(
        [0.0, *[np.log1p(RECIPE.stated / START)] * 2, 0.0]
    )
    assert [name for name, feature in DECLARED.items() if feature.states] == ["account_closed"]


def test_a_share_that_hardly_varies_is_not_untried_by_chance(market):
    frame = market[0].assign(line_stock_outs=np.random.default_rng(2).uniform(0.028, 0.032, len(market[0])))
    model = fit(frame, [*NAMES, "line_stock_outs"], RECIPE, progress=False)
    assert model.tried["line_stock_outs"] == pytest.approx(0.08, abs=0.001)
    hazards = [
        model.hazards(frame.head(1).assign(line_stock_outs=value))["turbulence"].item() for value in (0.07, 0.09)
    ]
    assert hazards[1] == pytest.approx(hazards[0] + RECIPE.untried)


def test_a_first_event_is_untried_by_its_size(market):
    """The gravest event on a twentieth of what an account buys shakes it no more than a mild one on a quarter."""
    frame = market[0].assign(events_line_recent=0.0)
    model = fit(frame, [*NAMES, "events_line_recent"], RECIPE, progress=False)
    row = frame.head(1)
    hazards = [
        model.hazards(row.assign(events_line_recent=severity))["turbulence"].item() for severity in (0.0, 0.25, 0.26)
    ]
    assert hazards == [0.0, 0.0, RECIPE.untried]


def test_evidence_far_worse_than_any_before_has_the_hazard_of_the_untried_beside_what_was_learned(market, model):
    """Towards harm only, half as far again as the worst fifty went from the usual value, and in steps that never fall."""
    frame = market[0]
    worst = np.sort(frame["manager_absent"])[-RECIPE.min_leaf]
    assert model.tried["manager_absent"] == worst * 1.5
    low = np.sort(frame["wallet_share_3"].dropna())
    assert model.tried["wallet_share_3"] == pytest.approx(
        1.5 * low[RECIPE.min_leaf - 1] - 0.5 * low[(len(low) - 1) // 2]
    )
    row = frame.head(1).assign(manager_absent=worst * 1.5)
    beyond = row.assign(manager_absent=worst * 1.5 + 1)
    model = with_part(model, 0.0)  # trees are level there
    found, more = (model.hazards(rows)["staff_turnover"].item() for rows in (row, beyond))
    assert more == pytest.approx(found + RECIPE.untried)
    assert found > 0
    share, learned = model.shares_and_learned(beyond)
    pd.testing.assert_frame_equal(learned, model.shares(row))
    assert share["share_staff_turnover"].item() > learned["share_staff_turnover"].item()
    told, told_more = (model.contributions(rows)["manager_absent"].item() for rows in (row, beyond))
    assert told_more == pytest.approx(told + np.log1p(RECIPE.untried / START))
    for column in set(EVIDENCE.values()) - {"staff_turnover"}:
        assert model.hazards(row)[column].item() == model.hazards(beyond)[column].item()


@pytest.mark.parametrize("rows", [80, 120])
def test_evidence_of_few_accounts_does_no_harm_and_is_read_back_the_same(market, tmp_path, rows):
    frame = market[0].assign(manager_absent=0.0)
    frame.loc[: rows - 1, "manager_absent"] = np.arange(rows) + 1.0
    model = fit(frame, NAMES, RECIPE, progress=False)
    assert model.tried["manager_absent"] > 0
    assert np.isfinite(model.hazards(frame).to_numpy()).all()
    model.save(tmp_path / "model")
    assert CauseModel.load(tmp_path / "model").content_hash == model.content_hash


def test_hazards_are_the_mean_of_the_bags(market, model):
    frame = market[0].head(50)
    one, other = model.bag_hazards(frame)
    pd.testing.assert_frame_equal(model.hazards(frame), (one + other) / 2)


def test_an_account_is_judged_by_the_mean_over_its_rows(market, model):
    rows = market[0].head(4).assign(account_id=["B", "A", "B", "A"])
    hazards = model.hazards_by_account(rows)
    assert hazards.index.tolist() == ["A", "B"]
    np.testing.assert_allclose(hazards.loc["B"], model.hazards(rows).iloc[[0, 2]].mean())
    np.testing.assert_allclose(model.shares(rows).sum(axis=1), 1.0)


def test_shares_of_parts_are_those_of_all_rows_and_hold_the_features_of_one_part_alone(market, model):
    rows = market[0].head(60).assign(account_id=[f"A{number % 20}" for number in range(60)])
    seen = []

    def parts():
        for start, stop in ((0, 0), (0, 7), (7, 30), (30, 60)):  # an empty one, accounts cut in two
            gc.collect()
            assert all(part() is None for part in seen[:-1])
            part = rows.iloc[start:stop].copy()
            seen.append(weakref.ref(part))
            yield part
            del part

    for found, expected in zip(model.shares_of_parts(parts()), model.shares_and_learned(rows), strict=True):
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert len(seen) == 4


def test_the_trees_of_the_bags_have_the_leaves_of_the_recipe_in_turn(market, tmp_path):
    recipe = replace(RECIPE, bags=3, rounds=5, leaves=(2, 3))
    model = fit(market[0], NAMES, recipe, progress=False)
    most = [
        max(
            tree["num_leaves"]
            for boosters in model.boosters.values()
            for tree in boosters[bag].dump_model()["tree_info"]
        )
        for bag in range(3)
    ]
    assert most == [2, 3, 2]
    model.save(tmp_path / "model")
    assert CauseModel.load(tmp_path / "model").recipe == recipe


def test_a_model_of_another_version_is_refused(model, tmp_path):
    model.save(tmp_path / "model")
    path = tmp_path / "model" / "causes.json"
    content = json.loads(path.read_text())
    del content["recipe"]["bags"]
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match=r"from another version of Holdfast\. Run `holdfast train` again"):
        CauseModel.load(tmp_path / "model")


def test_what_exits_taught_is_saved_and_changes_the_hash(market, model, tmp_path):
    taught = model.taught({"offsets": {"competitor": 1.0}, "why": "Learned."})
    taught.save(tmp_path / "model")
    again = CauseModel.load(tmp_path / "model")
    assert again.exits == taught.exits
    assert again.content_hash == taught.content_hash != model.content_hash
    frame = market[0].head(100)
    assert (again.shares(frame)["share_competitor"] >= model.shares(frame)["share_competitor"]).all()


def test_swapping_features_within_a_reason_changes_nothing():
    """A reason is the sum of its evidence: by which of its columns it comes does not matter."""
    rng = np.random.default_rng(8)
    rows = 3000
    late, overdue = rng.integers(0, 4, rows).astype(float), rng.integers(0, 4, rows).astype(float)
    label = (rng.random(rows) < 0.05 + 0.1 * late).astype(float)
    frame = pd.DataFrame(
        {"recency": rng.gamma(2, 10, rows), "rebates_overdue": late, "rebate_delay_3": overdue, "label": label}
    ).assign(account_id=[f"A{number}" for number in range(rows)])
    names = ["recency", "rebates_overdue", "rebate_delay_3"]
    recipe = replace(RECIPE, bags=1)
    one = fit(frame, names, recipe, progress=False).hazards(frame)
    swapped = frame.rename(columns={"rebates_overdue": "rebate_delay_3", "rebate_delay_3": "rebates_overdue"})
    other = fit(swapped, ["recency", "rebate_delay_3", "rebates_overdue"], recipe, progress=False).hazards(swapped)
    pd.testing.assert_frame_equal(one, other)


def test_one_account_can_be_judged(market, model):
    assert model.shares(market[0].head(1)).shape == (1, len(taxonomy().codes) + 1)
