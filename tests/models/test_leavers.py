"""If a manager left: only features of managers move, money adds up, and what cannot be told is said."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features import leaving
from features.catalog import FEATURES
from features.engines import connect, open_tables
from features.errors import ConfigurationError
from features.matrix import Plan, build, features_of
from features.periods import Duration, Label
from market.simulate import simulate, write
from models.leavers import ACCOUNTS, LACKING_MODEL, MANAGERS, NOT_CAUSAL, experience, if_left
from models.risk import Recipe, fit

AS_OF = date(2023, 1, 1)
AGO = Duration(1, "month")
LEFT_ON = date(2022, 12, 1)
PAST = [date(2022, month, 1) for month in (4, 7, 10)]
PLAN = Plan(Duration(1, "month"), Label(Duration(3, "month"), Duration(12, "month")), steps=0)
RECIPE = Recipe(60, 0.1, 6, 15, 1.0, 1.0, 1.0, 7)
META = {"horizon_periods": 3.0, "steps": 0, "season": {}, "spread": None}
NAMES = [feature.name for feature in FEATURES]


def features_at(connection, tables, cutoffs, until):
    frame = pa.concat_tables(list(build(connection, tables, cutoffs, PLAN, until, progress=False))).to_pandas()
    return frame.sort_values(["as_of", "account_id"], ignore_index=True)


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """Engine, tables, frame at the as_of and a model that looks at managers and little else."""
    folder = tmp_path_factory.mktemp("market")
    write(simulate(260, 30, 101, date(2021, 1, 1)), folder / "tables", folder / "truth.parquet")
    connection = connect("1GB")
    tables = open_tables(connection, folder / "tables")
    names = [feature.name for feature in features_of(tables) if feature.theme in ("managers", "attention")]
    rows = features_at(connection, tables, [*PAST, AS_OF], date(2023, 7, 1))
    past = rows[rows["as_of"] != AS_OF].assign(horizon=3.0)
    model = fit(past, [*names, "recency", "amount_12"], RECIPE, META)
    return connection, tables, rows[rows["as_of"] == AS_OF].reset_index(drop=True), model


@pytest.fixture(scope="module")
def told(market):
    connection, tables, frame, model = market
    return if_left(connection, tables, AS_OF, PLAN, model, frame, AGO)


def test_only_features_of_managers_are_taken_and_each_of_them_moves_as_it_should(market, told):
    connection, tables, frame, model = market
    care = leaving.care(tables, AS_OF, LEFT_ON)
    everyone = sorted(set(care.loc[care["present"], "manager_id"]))
    views = leaving.without(tables, everyone, AS_OF, LEFT_ON)
    left = features_at(connection, views, [AS_OF], AS_OF).set_index("account_id")
    now = frame.set_index("account_id")
    moved = {name for name in NAMES if name in left and not left[name].equals(now[name])}
    crossing = {name for name in moved if name not in leaving.NAMES}
    assert crossing == {"manager_contacts"}  # of the other accounts in his care: not taken
    # Of accounts that are nobody else's concern, who else leaves with their manager is all the same.
    alone = care[care.groupby("account_id")["manager_id"].transform("size") == 1]
    rows = told.accounts[told.accounts["account_id"].isin(alone["account_id"])]
    assert len(rows) > 50
    mine = left.loc[rows["account_id"]]
    assert (mine["manager_absent"] == 31).all()
    assert mine["manager_tenure"].isna().all()
    assert (mine["manager_left_since"] <= 31).all()
    # By hand: the model on today's rows with those columns only.
    names = [name for name in model.features if name in leaving.NAMES]
    then = now.loc[mine.index].assign(**{name: mine[name] for name in names})
    np.testing.assert_array_equal(rows["risk_if_left"], model.predict(then))
    np.testing.assert_array_equal(rows["risk"], model.predict(now.loc[mine.index]))
    assert (rows["risk"] != rows["risk_if_left"]).any()
    assert rows["risk_if_left"].mean() > rows["risk"].mean()


def test_money_adds_up_and_the_order_is_certain(market, told):
    frame = market[2].set_index("account_id")
    rows = told.accounts
    assert tuple(rows.columns) == ACCOUNTS
    assert tuple(told.managers.columns) == MANAGERS
    yearly = frame.loc[rows["account_id"], "amount_12"].clip(lower=0).to_numpy()
    np.testing.assert_allclose(rows["expected_loss"], rows["risk"] * yearly)
    np.testing.assert_allclose(rows["expected_loss"] + rows["extra"], rows["expected_loss_if_left"])
    assert rows["lapsed"].any()
    active = rows[~rows["lapsed"]]
    assert told.managers["accounts"].sum() == len(active)
    assert told.managers["lapsed"].sum() == rows["lapsed"].sum()
    first = told.managers.iloc[0]
    mine = active[active["manager_id"] == first["manager_id"]]
    assert first["extra"] == pytest.approx(mine["extra"].sum())
    assert first["expected_loss_if_left"] == pytest.approx(mine["expected_loss_if_left"].sum())
    assert (told.managers["extra"].diff().dropna() <= 0).all()
    assert "not prove" in NOT_CAUSAL.format(ago=AGO)


def test_accounts_without_a_manager_are_not_in_it(market, told):
    connection, tables, frame, model = market
    account = told.accounts["account_id"].iloc[0]
    bare = {**tables, "assignments": tables["assignments"].filter(tables["assignments"].account_id != account)}
    rows = if_left(connection, bare, AS_OF, PLAN, model, frame, AGO)
    assert account not in set(rows.accounts["account_id"])
    assert rows.unattended == told.unattended + 1
    assert len(frame) == told.accounts["account_id"].nunique() + told.unattended


def test_the_future_changes_nothing(market, told):
    connection, tables, frame, model = market
    spells, people, orders = tables["assignments"], tables["managers"], tables["orders"]
    later = {
        **tables,
        "assignments": spells.filter(spells.started_on < AS_OF).mutate(
            ended_on=(spells.ended_on >= AS_OF).ifelse(AS_OF + timedelta(3), spells.ended_on),
            end_reason=(spells.ended_on >= AS_OF).ifelse("account_lost", spells.end_reason),
        ),
        "managers": people.mutate(left_on=(people.left_on >= AS_OF).ifelse(AS_OF, people.left_on)),
        "orders": orders.filter(orders.ordered_at < pd.Timestamp(AS_OF)),
    }
    again = if_left(connection, later, AS_OF, PLAN, model, frame, AGO)
    pd.testing.assert_frame_equal(again.accounts, told.accounts, check_exact=True)
    pd.testing.assert_frame_equal(again.managers, told.managers, check_exact=True)


def test_the_list_of_the_day_he_resigns(told):
    manager = told.managers["manager_id"].iloc[0]
    rows = told.resigned(manager)
    assert set(rows["manager_id"]) == {manager}
    assert rows["lapsed"].is_monotonic_increasing
    for _, part in rows.groupby("lapsed"):
        assert part["extra"].is_monotonic_decreasing
    with pytest.raises(ConfigurationError, match=rf"'{manager}x'.*closest name is '{manager}'"):
        told.resigned(manager + "x")


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        (lambda tables: {"orders": tables["orders"]}, "assignments"),
        (lambda tables: {**tables, "assignments": tables["assignments"].drop("ended_on")}, "assignments.ended_on"),
    ],
)
def test_without_spells_it_does_not_exist_and_says_so(market, change, lacking):
    connection, tables, frame, model = market
    told = if_left(connection, change(tables), AS_OF, PLAN, model, frame, AGO)
    assert told.lacking == lacking
    assert told.accounts.empty
    assert told.managers.empty
    with pytest.raises(ConfigurationError, match=f"Without {lacking} it is not known"):
        told.resigned("M001")


def test_a_model_that_knows_nothing_of_managers_says_so(market):
    connection, tables, frame, _ = market
    names = ["recency", "amount_12"]
    plain = fit(frame.assign(horizon=3.0, label=0.0 + (frame["recency"] > 40)), names, RECIPE, META)
    told = if_left(connection, tables, AS_OF, PLAN, plain, frame, AGO)
    assert told.lacking == LACKING_MODEL
    assert told.managers.empty


def test_what_became_of_accounts_whose_manager_had_left():
    rows = pd.DataFrame(
        [
            ["A", 5.0, 1.0],
            ["B", 31.0, 0.0],
            ["B", 32.0, 1.0],
            ["C", np.nan, 0.0],
            ["D", np.nan, 1.0],
            ["E", 3.0, np.nan],
        ],
        columns=["account_id", "manager_left_since", "label"],
    ).assign(lapsed=False)
    gone = rows.iloc[:1].assign(account_id="F", lapsed=True)
    told = experience(pd.concat([rows, gone]), 200, 0.9, 7)
    assert [(band["above"], band["most"]) for band in told] == [(0, 31), (31, 92), (92, 365), (None, None)]
    assert [(band["rows"], band["accounts"], band["value"]) for band in told] == [
        (2, 2, 0.5),
        (1, 1, 1.0),
        (0, 0, None),
        (2, 2, 0.5),
    ]
    assert (told[0]["low"], told[0]["high"]) == (0.0, 1.0)
    assert experience(rows.drop(columns="manager_left_since"), 20, 0.9, 7) == []
    assert experience(rows.assign(manager_left_since=np.nan), 20, 0.9, 7) == []
