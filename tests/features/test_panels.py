"""Folded rows find their place in the panel of a block, whatever order the engine reads them in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ConfigurationError
from features.panels import EXACT, ItemsOf, Kept, Place, whole
from features.windows import NEVER, Grid, Panel

GRID = Grid(np.array([0, 31, 59, 90]), np.array([2, 3]), 12)


def kept(**changed) -> Kept:
    nothing = {"sums": {}, "items": {}, "as_of": {}, "regions": False, "shared": Panel(0), "horizons": 0}
    return Kept(GRID, **(nothing | changed))


@given(st.integers(-EXACT, EXACT))
def test_sums_survive_the_way_through_floating_point(tenthousandths):
    assert whole(np.array([tenthousandths / 10_000]), "amount").item() == tenthousandths


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_beyond_what_is_added_exactly_is_refused_by_its_name(sign):
    assert whole(np.array([np.nan]), "amount").item() == 0
    with pytest.raises(ConfigurationError, match=r"sums of amount exceed 225179981369 in one period.*larger unit"):
        whole(np.array([sign * (EXACT + 2) / 10_000]), "amount")


def test_what_was_booked_late_stays_out_of_the_dense_array():
    rows = {"code": np.array([1, 0, 1]), "period": np.array([0, 2, 1]), "late": np.array([-1, -1, 2])}
    cells = Place(rows, 2, 3).cells(np.array([10, 20, 30]))
    assert cells.dense.tolist() == [[0, 0, 20], [10, 0, 0]]
    late = cells.late
    assert [late.row.tolist(), late.period.tolist(), late.known.tolist(), late.value.tolist()] == [[1], [1], [2], [30]]


def test_the_latest_day_belongs_to_the_period_in_which_it_became_known():
    rows = {"code": np.array([0, 0]), "period": np.array([0, 0]), "late": np.array([-1, 2])}
    assert Place(rows, 1, 3).latest(np.array([5, 9])).tolist() == [[5, -1, 9]]


def test_items_are_told_apart_though_numbered_within_their_account():
    tables = {
        "items": {
            "code": np.array([1, 0, 0]),
            "item": np.array([0, 1, 0]),
            "chunk_0": np.array([0b100, 0b010, 0b001]),
            "value_launched": np.array([NEVER, 7, 8]),
            "known_launched": np.array([NEVER, 17, 18]),
        },
        "late": {
            "code": np.array([1, 0]),
            "item": np.array([0, 1]),
            "period": np.array([0, 0]),
            "late": np.array([1, 2]),
        },
    }
    panel = kept(items={"products": ItemsOf("items", "late", ["launched"])}).panel(tables.__getitem__, 2)
    items = panel.items["products"]
    assert items.owner.tolist() == [0, 0, 1]
    assert items.seen.tolist() == [[False, True, False], [True, False, False], [False, False, True]]
    of_late = dict(zip(items.late.row.tolist(), items.late.known.tolist(), strict=True))
    assert of_late == {2: 1, 0: 2}  # the account 1's only item; the first read of account 0
    np.testing.assert_array_equal(items.values["launched"], [[7, 8, np.nan], [17, 18, np.nan]])


def test_values_regions_and_late_orders_are_those_of_the_block():
    tables = {
        "as_of_open": {"code": np.array([1]), "cutoff": np.array([0]), "value": np.array([3.5])},
        "region_codes": {"code": np.array([1]), "number": np.array([4])},
        "late_accounts": {"code": np.array([0])},
        "late_orders": {"code": np.array([0]), "cutoff": np.array([1]), "day_0": np.array([95])},
    }
    block = kept(as_of={"open": "as_of_open"}, regions=True, horizons=1)
    panel = block.panel(tables.__getitem__, 2)
    np.testing.assert_array_equal(panel.as_of["open"], [[np.nan, np.nan], [3.5, np.nan]])
    assert panel.groups["region"].tolist() == [-1, 4]
    late = block.late_orders(tables.__getitem__)
    assert [late.accounts.tolist(), late.cutoff.tolist(), late.day.tolist()] == [[0], [1], [[95]]]
    assert kept().late_orders(tables.__getitem__) is None
