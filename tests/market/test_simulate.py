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
from market.draws import Settings

START = date(2021, 1, 1)
PERIODS = 48
END = pd.Timestamp("2025-01-01")
CODES = ("broken_promises", "staff_turnover", "natural_end", "product", "unexplained")
ARROW = {
    "id": pa.string(),
    "text": pa.string(),
    "date": pa.date32(),
    "time": pa.timestamp("us"),
    "decimal": pa.decimal128(18, 4),
    "flag": pa.bool_(),
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


def _hazard_by(truth: pd.DataFrame, code: str, flag: pd.Series) -> tuple[float, float]:
    """Mean hazard where the flag, indexed like `truth`, is true and where it is false."""
    hazard = truth[f"hazard_{code}"]
    assert 0.01 < flag.mean() < 0.6
    return float(hazard[flag].mean()), float(hazard[~flag].mean())


# --- the contract


@pytest.mark.parametrize("name", ["orders", "accounts", "rebates", "assignments", "managers"])
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
    for name in ("orders", "rebates", "assignments", "truth"):
        assert set(tables[name]["account_id"]) <= accounts
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
    assert len(files) == 6
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_another_seed_gives_another_market() -> None:
    one, two = _small(seed=3), _small(seed=4)
    for name in one:
        assert not one[name].equals(two[name]), name


def test_writing_replaces_an_earlier_run_and_leaves_nothing_else(tmp_path: Path) -> None:
    out, truth = tmp_path / "tables", tmp_path / "truth.parquet"
    out.mkdir()
    (out / "exits.parquet").write_bytes(b"of an earlier run")
    market.write(_small(seed=3), out, truth)
    assert sorted(path.name for path in out.iterdir()) == [
        f"{name}.parquet" for name in ("accounts", "assignments", "managers", "orders", "rebates")
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
    assert (last < end_of_month).all()


def test_an_account_that_is_not_lost_goes_on_ordering(tables: Tables, losses: pd.DataFrame) -> None:
    last = tables["orders"].groupby("account_id")["ordered_at"].max()
    stays = last[~last.index.isin(losses.index)]
    assert (stays > END - pd.DateOffset(months=6)).mean() > 0.95


def test_losses_a_year_and_reasons_are_in_the_band(tables: Tables, losses: pd.DataFrame) -> None:
    assert 0.12 <= 12 * tables["truth"]["lost"].mean() <= 0.18
    share = losses["reason"].value_counts(normalize=True)
    expected = {
        "staff_turnover": 0.25,
        "broken_promises": 0.25,
        "product": 0.15,
        "natural_end": 0.10,
        "unexplained": 0.25,
    }
    for code, wanted in expected.items():
        assert share[code] == pytest.approx(wanted, abs=0.09), code


def test_truth_has_a_row_for_each_living_account_and_month(tables: Tables, losses: pd.DataFrame) -> None:
    truth, accounts = tables["truth"], tables["accounts"].set_index("account_id")
    assert set(truth.columns) == {"account_id", "period", "lost", "reason", *(f"hazard_{code}" for code in CODES)}
    assert not truth.duplicated(["account_id", "period"]).any()
    assert (truth["reason"].notna() == truth["lost"]).all()
    assert set(losses["reason"]) == set(CODES)
    assert losses.index.is_unique
    span = truth.groupby("account_id")["period"].agg(["min", "max", "size"])
    assert (span.index == accounts.index).all()
    first = np.maximum(accounts["opened_on"].to_numpy().astype("M8[M]"), np.datetime64(START, "M"))
    final = losses["period"].reindex(span.index).fillna(END - pd.DateOffset(months=1))
    assert (span["min"].to_numpy().astype("M8[M]") == first).all()
    assert (span["max"] == final).all()
    months = span["max"].to_numpy().astype("M8[M]") - span["min"].to_numpy().astype("M8[M]")
    assert (months.astype(int) + 1 == span["size"]).all()


def test_orders_decline_before_a_loss(tables: Tables, losses: pd.DataFrame) -> None:
    orders = tables["orders"]
    sales = orders[~orders["is_return"] & orders["account_id"].isin(losses.index)]
    lost = losses["period"].reindex(sales["account_id"]).to_numpy().astype("M8[M]")
    before = (lost - sales["ordered_at"].to_numpy().astype("M8[M]")).astype(int)
    # Counts and medians: a sum of money is that of a few large accounts.
    orders_left = sales["order_id"].groupby(before).nunique()
    assert orders_left[0] < 0.5 * orders_left[6]
    assert orders_left[0] < orders_left[1] < 0.85 * orders_left[6]
    amount = sales["amount"].groupby(before).median()
    assert amount[0] < amount[1] < amount[6]


def test_silence_alone_does_not_tell_who_is_lost(tables: Tables, losses: pd.DataFrame) -> None:
    as_of = pd.Timestamp("2023-07-01")
    orders = tables["orders"]
    sales = orders[~orders["is_return"] & (orders["ordered_at"] < as_of)]
    silence = (as_of - sales.groupby("account_id")["ordered_at"].max()).dt.days
    living = ~(losses["period"].reindex(silence.index) < as_of)
    assert (living & silence.between(60, 200)).sum() > 50


# --- causes


def test_promises_hurt_while_rebates_are_overdue(tables: Tables) -> None:
    truth, rebates = tables["truth"], tables["rebates"]
    overdue = pd.Series(False, index=truth.index)
    for month, rows in truth.groupby("period"):
        open_ones = rebates[(rebates["due_on"] < month) & ~(rebates["paid_on"] <= month)]
        overdue[rows.index] = rows["account_id"].isin(open_ones["account_id"])
    with_it, without = _hazard_by(truth, "broken_promises", overdue)
    assert with_it > 0.01
    assert without == 0


def test_turnover_hurts_after_the_manager_left_and_more_while_nobody_follows(tables: Tables) -> None:
    truth, spells = tables["truth"], tables["assignments"]
    settled = truth["hazard_natural_end"] > 0
    left = pd.Series(False, index=truth.index)
    alone = pd.Series(False, index=truth.index)
    for month, rows in truth.groupby("period"):
        recent = spells[(spells["ended_on"] <= month) & (spells["ended_on"] > month - pd.DateOffset(months=3))]
        cared_for = spells[(spells["started_on"] <= month) & ~(spells["ended_on"] <= month)]
        left[rows.index] = rows["account_id"].isin(recent["account_id"])
        alone[rows.index] = ~rows["account_id"].isin(cared_for["account_id"])
    with_it, without = _hazard_by(truth[settled], "staff_turnover", left[settled])
    assert with_it > 5 * without
    unattended, attended = _hazard_by(truth[settled & left], "staff_turnover", alone[settled & left])
    assert unattended > 1.3 * attended


def test_turnover_draws_more_after_others_have_gone(tables: Tables) -> None:
    without = market.simulate(3000, PERIODS, 7, START, Settings(staff_contagion=0.0))
    assert tables["truth"]["hazard_staff_turnover"].mean() > without["truth"]["hazard_staff_turnover"].mean()


def test_product_trouble_shows_as_returns(tables: Tables) -> None:
    truth, orders = tables["truth"], tables["orders"]
    month = orders["ordered_at"].dt.to_period("M").dt.to_timestamp()
    counts = orders.groupby(["account_id", month.rename("period")])["is_return"].agg(["sum", "size"])
    rows = truth.join(counts, on=["account_id", "period"])
    rows = rows[rows["size"] > 0]
    trouble = rows[rows["hazard_product"] > 0.02]
    calm = rows[rows["hazard_product"] == 0]
    assert trouble["sum"].sum() / trouble["size"].sum() > 3 * calm["sum"].sum() / calm["size"].sum()
    with_it, without = _hazard_by(rows, "product", rows["sum"] > 0)
    assert with_it > 3 * without


def test_losses_follow_the_hazards(tables: Tables, losses: pd.DataFrame) -> None:
    truth = tables["truth"]
    expected = sum(truth[f"hazard_{code}"] for code in CODES).sum()
    assert len(losses) == pytest.approx(expected, rel=0.12)


@pytest.mark.parametrize(
    ("code", "without"),
    [
        ("broken_promises", Settings(base_promises=0)),
        ("staff_turnover", Settings(base_staff=0)),
        ("natural_end", Settings(base_natural=0)),
        ("product", Settings(base_product=0)),
        ("unexplained", Settings(base_unexplained=0)),
    ],
)
def test_a_cause_taken_away_takes_its_losses_away(code: str, without: Settings) -> None:
    truth = market.simulate(800, 24, 5, START, without)["truth"]
    assert truth["lost"].sum() > 50
    assert set(truth["reason"].dropna()) == set(CODES) - {code}


# --- nothing betrays a loss


def test_no_spell_ends_because_of_a_loss(tables: Tables, losses: pd.DataFrame) -> None:
    spells = tables["assignments"].merge(tables["managers"], on="manager_id")
    ended = spells[spells["ended_on"].notna()]
    assert (ended["ended_on"] == ended["left_on"]).all()
    assert (ended["end_reason"] == "left").all()
    assert ((spells["started_on"] >= spells["hired_on"]) & ~(spells["started_on"] >= spells["ended_on"])).all()
    assert (spells[spells["left_on"].notna()]["ended_on"].notna()).all()


@pytest.mark.parametrize("name", ["accounts", "assignments", "managers"])
def test_tables_without_orders_are_the_same_when_nobody_leaves(tables: Tables, name: str) -> None:
    nobody = Settings(base_promises=0, base_staff=0, base_natural=0, base_product=0, base_unexplained=0)
    unharmed = market.simulate(3000, PERIODS, 7, START, nobody)
    assert not unharmed["truth"]["lost"].any()
    pd.testing.assert_frame_equal(tables[name], unharmed[name])


def test_a_lost_account_gets_its_last_rebates_like_anyone(tables: Tables, losses: pd.DataFrame) -> None:
    rebates = tables["rebates"]
    due = rebates[rebates["due_on"] < END - pd.DateOffset(months=8)]
    after = due["due_on"] > losses["period"].reindex(due["account_id"]).to_numpy() + np.timedelta64(31, "D")
    assert after.sum() > 200
    paid = due["paid_on"].notna()
    assert paid[after].mean() == pytest.approx(paid[~after].mean(), abs=0.04)
