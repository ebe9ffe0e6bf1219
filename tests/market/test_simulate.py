"""The market: keeps the contract, repeats itself, and plants its causes where the truth says."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.tables import TABLES
from market import simulate as market
from market.scenarios import ABOUT, SCENARIOS

START = date(2021, 1, 1)
PERIODS = 48
END = pd.Timestamp("2025-01-01")
CODES = (
    *("competitor", "broken_promises", "unequal_treatment", "staff_turnover", "turbulence", "neglected_details"),
    *("product", "natural_end", "unexplained"),
)
OWN_FAULTS = ("broken_promises", "unequal_treatment", "neglected_details")
ARROW = {
    "id": pa.string(),
    "text": pa.string(),
    "date": pa.date32(),
    "time": pa.timestamp("us"),
    "decimal": pa.decimal128(18, 4),
    "flag": pa.bool_(),
    "integer": pa.int64(),
}

Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return market.simulate(accounts=3000, periods=PERIODS, seed=7, start=START)


@pytest.fixture(scope="module")
def losses(tables: Tables) -> pd.DataFrame:
    truth = tables["truth"]
    return truth[truth["lost"]].set_index("account_id")


def _small(seed: int) -> Tables:
    return market.simulate(accounts=200, periods=18, seed=seed, start=START)


# --- the contract


@pytest.mark.parametrize("name", [name for name in TABLES if name != "feedback"])
def test_table_keeps_its_contract(tables: Tables, tmp_path: Path, name: str) -> None:
    market.write(tables, tmp_path / "tables", tmp_path / "truth.parquet")
    contract = TABLES[name]
    table = pq.read_table(tmp_path / "tables" / f"{name}.parquet")
    kinds = {column.name: column.kind for column in contract.columns}
    assert {field.name: field.type for field in table.schema} == {
        field.name: ARROW[kinds[field.name]] for field in table.schema
    }
    assert {column.name for column in contract.columns if column.required} <= set(table.column_names)
    assert table.num_rows > 0
    assert not tables[name].duplicated(list(contract.key)).any()
    for column in contract.columns:
        if column.name not in table.column_names:
            continue
        values = tables[name][column.name]
        assert column.nullable or values.notna().all()
        assert not column.allowed or set(values.dropna()) <= set(column.allowed)
        assert column.least is None or values.min() >= column.least
        assert column.most is None or values.max() <= column.most
        if column.kind in ("date", "time") and not column.planned:
            assert values.max() < END, f"{column.name} lies after the last month"
    assert b"pandas" not in (table.schema.metadata or {})


def test_written_values_are_those_of_the_frames(tables: Tables, tmp_path: Path) -> None:
    market.write(tables, tmp_path / "tables", tmp_path / "truth.parquet")
    rebates = pq.read_table(tmp_path / "tables" / "rebates.parquet")
    orders = pq.read_table(tmp_path / "tables" / "orders.parquet")
    cents = np.rint(tables["orders"]["amount"].sum() * 100)
    assert sum(orders["amount"].to_pylist()) * 100 == cents
    assert rebates["paid_amount"].null_count == tables["rebates"]["paid_on"].isna().sum() > 0
    truth = pq.read_table(tmp_path / "truth.parquet").to_pandas(date_as_object=False)
    pd.testing.assert_frame_equal(truth, tables["truth"], check_dtype=False)


def test_ids_refer_to_rows_that_exist(tables: Tables) -> None:
    accounts, managers = set(tables["accounts"]["account_id"]), set(tables["managers"]["manager_id"])
    for name in tables:
        if "account_id" in tables[name]:
            assert set(tables[name]["account_id"].dropna()) <= accounts
    assert set(tables["assignments"]["manager_id"]) <= managers
    assert tables["accounts"]["account_id"].iloc[0] == "A00001"
    assert tables["managers"]["manager_id"].iloc[0] == "M001"


def test_amounts_are_in_cents_and_pieces_are_whole(tables: Tables) -> None:
    orders = tables["orders"]
    for column in ("amount", "list_amount", "margin"):
        assert np.array_equal(orders[column], orders[column].round(2))
    assert pd.api.types.is_integer_dtype(orders["quantity"])
    assert (orders["quantity"] != 0).all()
    assert ((orders["quantity"] < 0) == orders["is_return"]).all()
    assert ((orders["amount"] < 0) == orders["is_return"]).all()


def test_an_order_is_one_account_at_one_moment_with_one_to_six_products(tables: Tables) -> None:
    order = tables["orders"].groupby("order_id")
    for column in ("account_id", "ordered_at", "is_return"):
        assert (order[column].nunique() == 1).all()
    assert order.size().between(1, 6).all()
    assert tables["orders"]["ordered_at"].is_monotonic_increasing
    assert (tables["orders"]["ordered_at"].dt.normalize() != tables["orders"]["ordered_at"]).all()


def test_what_comes_back_was_bought_before(tables: Tables) -> None:
    orders = tables["orders"]
    first = orders[~orders["is_return"]].groupby(["account_id", "product_id"])["ordered_at"].min()
    back = orders[orders["is_return"]]
    bought = first.reindex(pd.MultiIndex.from_frame(back[["account_id", "product_id"]]))
    assert (bought.to_numpy() < back["ordered_at"].to_numpy()).all()


# --- the same again


def test_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for run in ("one", "two"):
        market.write(_small(seed=3), tmp_path / run / "tables", tmp_path / run / "truth.parquet")
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.parquet"))
    assert len(files) == len(TABLES)  # all but feedback, and the truth
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_another_seed_gives_another_market() -> None:
    one, two = _small(seed=3), _small(seed=4)
    for name in one:
        assert not one[name].equals(two[name]), name


def test_writing_replaces_an_earlier_run_and_leaves_nothing_else(tmp_path: Path) -> None:
    out, truth = tmp_path / "tables", tmp_path / "truth.parquet"
    out.mkdir()
    (out / "feedback.parquet").write_bytes(b"of an earlier run")
    market.write(_small(seed=3), out, truth)
    assert sorted(path.name for path in out.iterdir()) == [
        f"{name}.parquet" for name in sorted(TABLES) if name != "feedback"
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tables", "truth.parquet"]


def test_a_failed_write_leaves_the_earlier_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, truth = tmp_path / "tables", tmp_path / "truth.parquet"
    market.write(_small(seed=3), out, truth)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    real = pq.write_table

    def fails(table: pa.Table, path: Path, **options: str) -> None:
        if path.name == "managers.parquet":
            raise OSError("no space left on device")
        real(table, path, **options)

    monkeypatch.setattr(pq, "write_table", fails)
    with pytest.raises(OSError, match="no space left"):
        market.write(_small(seed=4), out, truth)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_write_refuses_a_folder_with_other_things(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"notes\.txt.*Choose another folder"):
        market.write(_small(seed=3), tmp_path, tmp_path.parent / "truth.parquet")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_write_keeps_the_truth_out_of_the_tables(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lies among the tables"):
        market.write(_small(seed=3), tmp_path / "tables", tmp_path / "tables" / "truth.parquet")


@pytest.mark.parametrize(
    ("accounts", "periods", "seed", "start", "message"),
    [
        (0, 18, 1, START, r"accounts \(0\)"),
        (10, 0, 1, START, r"periods \(0\)"),
        (10, 18, -1, START, r"seed \(-1\)"),
        (10, 18, 1, date(2021, 1, 15), "not the first of a month. Use 2021-01-01"),
    ],
)
def test_refuses_what_it_cannot_simulate(accounts: int, periods: int, seed: int, start: date, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        market.simulate(accounts, periods, seed, start)


@pytest.mark.parametrize(("accounts", "periods"), [(1, 1), (1, 30), (10, 18), (50, 3)])
def test_tiny_markets_can_be_written(tmp_path: Path, accounts: int, periods: int) -> None:
    tables = market.simulate(accounts, periods, seed=1, start=START)
    market.write(tables, tmp_path / "tables", tmp_path / "truth.parquet")
    assert tables["accounts"].shape[0] == accounts


# --- losses


def test_an_account_stops_after_the_month_of_its_loss(tables: Tables, losses: pd.DataFrame) -> None:
    last = tables["orders"].groupby("account_id")["ordered_at"].max().reindex(losses.index).dropna()
    end_of_month = losses["period"].reindex(last.index) + pd.DateOffset(months=1)
    assert len(last) > 1000
    sales = tables["orders"][~tables["orders"]["is_return"]].groupby("account_id")["ordered_at"].max()
    assert (sales.reindex(last.index) < end_of_month).all()


def test_an_account_that_is_not_lost_goes_on_ordering(tables: Tables, losses: pd.DataFrame) -> None:
    last = tables["orders"].groupby("account_id")["ordered_at"].max()
    decided = tables["truth"].dropna(subset="decided")["account_id"].unique()
    stays = last[~last.index.isin(losses.index) & ~last.index.isin(decided)]
    assert (stays > END - pd.DateOffset(months=6)).mean() > 0.95


def test_every_reason_takes_its_part(losses: pd.DataFrame) -> None:
    share = losses["reason"].value_counts(normalize=True)
    assert set(share.index) == set(CODES)
    assert share.between(0.03, 0.25).all(), share.to_dict()


def test_truth_has_a_row_for_each_living_account_and_month(tables: Tables, losses: pd.DataFrame) -> None:
    truth = tables["truth"]
    assert {f"hazard_{code}" for code in CODES} <= set(truth.columns)
    assert not truth.duplicated(["account_id", "period"]).any()
    assert (truth["reason"].notna() == truth["lost"]).all()
    assert losses.index.is_unique
    span = truth.groupby("account_id")["period"].agg(["min", "max", "size"])
    final = losses["period"].reindex(span.index).fillna(END - pd.DateOffset(months=1))
    assert (span["max"] == final).all()
    months = span["max"].to_numpy().astype("M8[M]") - span["min"].to_numpy().astype("M8[M]")
    assert (months.astype(int) + 1 == span["size"]).all()
    assert span["min"].min() == pd.Timestamp(START)


def test_orders_decline_before_a_loss(tables: Tables, losses: pd.DataFrame) -> None:
    orders = tables["orders"]
    sales = orders[~orders["is_return"] & orders["account_id"].isin(losses.index)]
    lost = losses["period"].reindex(sales["account_id"]).to_numpy().astype("M8[M]")
    before = (lost - sales["ordered_at"].to_numpy().astype("M8[M]")).astype(int)
    orders_left = sales["order_id"].groupby(before).nunique()
    assert orders_left[0] < 0.6 * orders_left[6]
    assert orders_left[0] < orders_left[1] < orders_left[6]


def test_silence_alone_does_not_tell_who_is_lost(tables: Tables, losses: pd.DataFrame) -> None:
    as_of = pd.Timestamp("2023-07-01")
    orders = tables["orders"]
    sales = orders[~orders["is_return"] & (orders["ordered_at"] < as_of)]
    silence = (as_of - sales.groupby("account_id")["ordered_at"].max()).dt.days
    living = ~(losses["period"].reindex(silence.index) < as_of)
    assert (living & silence.between(60, 200)).sum() > 50


# --- causes


def _at_risk(truth: pd.DataFrame) -> pd.DataFrame:
    """Rows of accounts that had not decided before, with `goes` where they decide in the month."""
    rows = truth[truth["decided"].isna() | (truth["decided"] == truth["period"])]
    return rows.assign(goes=rows["decided"] == rows["period"], total=rows.filter(like="hazard_").sum(axis=1))


def test_losses_follow_the_hazards(tables: Tables) -> None:
    rows = _at_risk(tables["truth"])
    expected = -np.expm1(-rows["total"])
    assert rows["goes"].sum() == pytest.approx(expected.sum(), rel=0.08)
    tenth = pd.qcut(rows["total"].rank(method="first"), 10, labels=False)
    observed = rows["goes"].groupby(tenth).mean()
    assert observed.iloc[-1] > 5 * observed.iloc[:5].mean()
    assert observed.to_numpy() == pytest.approx(expected.groupby(tenth).mean().to_numpy(), abs=0.015)


def test_the_reason_is_drawn_by_the_hazards_of_the_decision(tables: Tables, losses: pd.DataFrame) -> None:
    decided = _at_risk(tables["truth"]).query("goes and period < '2024-06-01'").set_index("account_id")
    for code in CODES:
        expected = (decided[f"hazard_{code}"] / decided["total"]).sum()
        found = (losses["reason"].reindex(decided.index) == code).sum()
        assert found == pytest.approx(expected, abs=float(4 * np.sqrt(expected) + 3)), code


def test_responses_are_planted(tables: Tables) -> None:
    effects = tables["truth"].filter(like="effect_")
    assert {"effect_contact", "effect_broken_promises", "effect_product"} <= set(effects.columns)
    assert "effect_natural_end" not in effects
    assert effects.min().min() >= 0
    assert effects.max().max() <= 1
    assert (effects.std() > 0.02).all()  # accounts answer differently


@pytest.mark.parametrize(
    ("scenario", "codes"), [("placebo", ["broken_promises", "turbulence"]), ("reverse", ["unequal_treatment"])]
)
def test_a_placebo_shows_in_the_tables_and_takes_nobody(scenario: str, codes: list[str]) -> None:
    tables = market.simulate(400, 24, 5, START, SCENARIOS[scenario])
    for code in codes:
        assert (tables["truth"][f"hazard_{code}"] == 0).all()
    assert code not in set(tables["truth"]["reason"].dropna())
    assert (tables["rebates"]["paid_on"] > tables["rebates"]["due_on"]).any()
    assert len(tables["events"]) > 0


def test_scenarios_differ_as_they_say(tables: Tables) -> None:
    assert list(ABOUT) == list(SCENARIOS)
    rates, contacts, delay = {}, {}, {}
    for name in ("plain", "hidden", "quiet", "late"):
        other = market.simulate(500, 24, 5, START, SCENARIOS[name])
        rates[name] = _at_risk(other["truth"])["goes"].mean()
        contacts[name] = len(other["contacts"]) / len(other["truth"])
        booked = other["contacts"]["recorded_at"] - other["contacts"]["contacted_at"]
        delay[name] = booked.dt.days.median()
    assert rates["quiet"] < 0.4 * rates["plain"]
    assert contacts["hidden"] < 0.7 * contacts["plain"]
    assert delay["late"] >= 14
    assert not delay["plain"] >= 2  # or not given at all


# --- what the CRM makes of it


def test_rows_closed_because_of_a_loss_come_after_it(tables: Tables) -> None:
    closing = tables["assignments"].query("end_reason == 'account_lost'")
    sales = tables["orders"][~tables["orders"]["is_return"]].groupby("account_id")["ordered_at"].max()
    assert len(closing) > 200
    last = sales.reindex(closing["account_id"]).to_numpy()
    silent = (closing["ended_on"].to_numpy() - last)[~np.isnat(last)]  # some never ordered after the start
    assert (silent > np.timedelta64(0, "D")).all()
    assert np.median(silent) > np.timedelta64(45, "D")


def test_closing_rows_can_be_left_out() -> None:
    settings = SCENARIOS["plain"]
    without = market.simulate(400, 24, 5, START, type(settings)(closing_rows=False))
    assert "account_lost" not in set(without["assignments"]["end_reason"].dropna())


def test_managers_underreport_their_own_faults_and_audits_do_not(tables: Tables, losses: pd.DataFrame) -> None:
    exits = tables["exits"].set_index("account_id")
    true = losses["reason"].reindex(exits.index)
    audited = exits["audited"].fillna(False).astype(bool)
    assert 0.01 < audited.mean() < 0.3
    named = true.notna() & (true != "unexplained")
    assert (exits["reason"] == true)[audited & named].mean() == 1.0
    own = lambda reasons: reasons[~audited].isin(OWN_FAULTS).mean()  # noqa: E731
    assert own(exits["reason"]) < 0.8 * own(true)


def test_prospects_are_judged_alike_on_all_criteria_less_so_by_a_third_party(tables: Tables) -> None:
    prospects = tables["prospects"]
    criteria = prospects[["size_strength", "management_level", "customer_reach", "purchasing_power", "marketing_level"]]
    third = prospects["third_party"]
    assert 0.1 < third.mean() < 0.4
    assert third[prospects["source"] == "third_party"].all()
    assert not third[~prospects["source"].isin(["third_party", "record"])].any()
    alike = {whose: criteria[third == whose].corr().to_numpy()[np.triu_indices(5, 1)].mean() for whose in (False, True)}
    assert 0.3 > alike[True] > 0.1
    assert alike[False] > alike[True] + 0.1
    assert criteria.isna().any().all()
    assert set(criteria.stack().dropna().unique()) == {1, 2, 3, 4, 5}


def test_prospects_of_weak_intent_say_why_and_want_more_where_our_advantage_is_larger(tables: Tables) -> None:
    prospects = tables["prospects"]
    assert set(prospects["intent"].dropna()) == {"strong", "weak"}
    assert ((prospects["intent"] == "weak") == prospects["intent_why"].notna()).all()
    advantage = prospects.groupby("intent")["relative_advantage"].mean()
    assert advantage["strong"] > advantage["weak"] + 0.5
    why = prospects.groupby("intent_why")["relative_advantage"].mean()
    assert why.idxmin() == "competitor_stronger"


def test_later_months_do_not_change_earlier_truth() -> None:
    settings = type(SCENARIOS["plain"])(growth=0.0)
    short, long = (market.simulate(300, periods, 3, START, settings)["truth"] for periods in (18, 24))
    long = long[long["period"] <= short["period"].max()]
    columns = [name for name in short if name.startswith("hazard_")]
    pd.testing.assert_frame_equal(
        short.set_index(["account_id", "period"])[columns], long.set_index(["account_id", "period"])[columns]
    )
