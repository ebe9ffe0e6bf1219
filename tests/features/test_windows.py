"""Windows over panels of a few numbers, against sums done by hand.

Edges lie ten days apart, so that day 34 is the fifth day of period 3 (days 30 to 39), and edge 4 is day 40.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.declaration import Additive, AsOf, Days, Distinct, ItemValue, Latest, Reach, Shared
from features.windows import SCALE, Cells, Grid, Items, Late, Panel, Recorder, View, unpack_bits

SOLD = Additive("sold", "orders", "ordered_at")
BY_REGION = Shared("sold_by_region", SOLD, by="region")
BY_COMPANY = Shared("sold_by_company", SOLD, by="company")
ORDERED = Days("ordered", "orders", "ordered_at")
PRODUCTS = Distinct("products", "orders", "ordered_at", item="product_id")
LAUNCHED = ItemValue("launched", PRODUCTS, "products", "launched_on")
SEEN = Latest("seen", "contacts", "contacted_at")
OPEN = AsOf("open", "rebates", lambda known: known.rows("rebates"))
PERIODS = 6


def grid(*at: int) -> Grid:
    return Grid(np.arange(0, 10 * PERIODS + 1, 10), np.array(at), 12)


def late(*cells: tuple[int, int, int, int]) -> Late:
    """Cells of (row, period, period it became known in, value)."""
    columns = np.array(cells, dtype=np.int64).reshape(-1, 4).T
    return Late(*columns)


def sold(dense: list[list[int]], *cells: tuple[int, int, int, int], at: tuple[int, ...] = (4, 6)) -> View:
    scaled = [(row, period, known, value * SCALE) for row, period, known, value in cells]
    return View(Panel(len(dense), additive={"sold": Cells(np.array(dense) * SCALE, late(*scaled))}), grid(*at))


def ordered(days: list[list[int]], *booked_late: tuple[int, int, int], at: tuple[int, ...]) -> View:
    """Order days of each account, and (account, day, period in which it became known) of those booked late."""
    dense = np.zeros((len(days), PERIODS), dtype=np.int64)
    for account, mine in enumerate(days):
        for day in mine:
            dense[account, day // 10] |= 1 << day % 10
    cells = late(*((account, day // 10, known, 1 << day % 10) for account, day, known in booked_late))
    return View(Panel(len(days), day_bits={"ordered": Cells(dense, cells)}), grid(*at))


SALES = sold([[1, 2, 3, 4, 5, 6], [0, 0, 10, 0, 0, -5]])


@pytest.mark.parametrize(
    ("w", "ago", "expected"),
    [
        (None, 0, [[10, 21], [10, 5]]),
        (2, 0, [[3 + 4, 5 + 6], [10, -5]]),
        (2, 1, [[2 + 3, 4 + 5], [10, 0]]),
        (None, 1, [[6, 15], [10, 10]]),
        (12, 0, [[10, 21], [10, 5]]),  # longer than the history
        (5, 2, [[1 + 2, 1 + 2 + 3 + 4], [0, 10]]),
        (2, 5, [[0, 1], [0, 0]]),  # begins before the history, or lies before it
    ],
)
def test_a_total_of_a_window_some_periods_ago(w, ago, expected):
    np.testing.assert_array_equal(SALES.total(SOLD, w, ago), expected)


def test_a_total_keeps_ten_thousandths():
    view = View(Panel(1, additive={"sold": Cells(np.array([[1, 0, 0, 0, 0, 2]]))}), grid(6))
    assert view.total(SOLD).item() == 3 / SCALE


def test_asking_for_a_total_changes_nothing():
    first = SALES.total(SOLD, 2)
    first += 99
    np.testing.assert_array_equal(SALES.total(SOLD, 2), [[7, 11], [10, -5]])


def test_a_total_of_a_region_and_of_the_company():
    panel = Panel(3, groups={"region": np.array([1, -1, 0])})
    panel.additive["sold_by_region"] = Cells(np.array([[1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 7, 0]]) * SCALE)
    panel.additive["sold_by_company"] = Cells(np.array([[1, 1, 1, 1, 7, 0]]) * SCALE)
    view = View(panel, grid(4, 6))
    np.testing.assert_array_equal(view.total(BY_REGION, 3), [[0, 7], [np.nan, np.nan], [3, 1]])
    np.testing.assert_array_equal(view.total(BY_COMPANY, 3), [[3, 8]] * 3)


# Seven of period 2 became known in period 4: they count from edge 5, as long as period 2 is in the window.
EDGES = (3, 4, 5, 6)
SALES_BOOKED_LATE = sold([[0] * 6, [1] * 6], (0, 2, 4, 7), at=EDGES)


@pytest.mark.parametrize(
    ("w", "ago", "expected"),
    [
        (None, 0, [0, 0, 7, 7]),
        (3, 0, [0, 0, 7, 0]),  # periods 2 to 4 at edge 5
        (2, 0, [0, 0, 0, 0]),  # known only when it has left the window
        (2, 2, [0, 0, 7, 7]),  # periods 1 and 2 at edge 5, periods 2 and 3 at edge 6
        (1, 2, [0, 0, 7, 0]),
        (1, 3, [0, 0, 0, 7]),
        (1, 0, [0, 0, 0, 0]),  # known when it has long left the window
        (None, 4, [0, 0, 0, 0]),
    ],
)
def test_late_bookings_count_from_the_edge_after_they_became_known(w, ago, expected):
    np.testing.assert_array_equal(SALES_BOOKED_LATE.total(SOLD, w, ago)[0], expected)


def test_late_bookings_leave_other_accounts_alone():
    np.testing.assert_array_equal(SALES_BOOKED_LATE.total(SOLD, 3)[1], [3, 3, 3, 3])


def test_late_bookings_add_up_within_an_account():
    view = sold([[0] * 6], (0, 2, 4, 7), (0, 2, 5, 1), (0, 3, 4, 10), at=EDGES)
    np.testing.assert_array_equal(view.total(SOLD, 4), [[0, 0, 17, 18]])


@given(st.data())
def test_a_total_is_the_sum_of_what_is_known_in_the_window(data):
    cells = data.draw(
        st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(1, 6), st.integers(-9, 9)), max_size=8)
    )
    cells = [(row, period, max(known, period + 1), value) for row, period, known, value in cells]
    dense = data.draw(st.lists(st.lists(st.integers(-9, 9), min_size=6, max_size=6), min_size=2, max_size=2))
    w, ago = data.draw(st.one_of(st.none(), st.integers(1, 7))), data.draw(st.integers(0, 7))
    found = sold(dense, *cells, at=(1, 2, 4, 6)).total(SOLD, w, ago)
    for row in range(2):
        for column, edge in enumerate((1, 2, 4, 6)):
            inside = range(max(edge - ago - (99 if w is None else w), 0), max(edge - ago, 0))
            expected = sum(dense[row][period] for period in inside)
            expected += sum(v for r, p, known, v in cells if r == row and p in inside and known < edge)
            assert found[row, column] == expected


# the first account orders on days 3, 8, 21 and 45, after gaps of 5, 13 and 24 days; the second never
ORDER_DAYS = ordered([[3, 8, 21, 45], []], at=(2, 5))


def test_days_and_periods_with_a_row():
    np.testing.assert_array_equal(ORDER_DAYS.days(ORDERED), [[2, 4], [0, 0]])
    np.testing.assert_array_equal(ORDER_DAYS.days(ORDERED, 3), [[2, 2], [0, 0]])
    np.testing.assert_array_equal(ORDER_DAYS.days(ORDERED, 2, 3), [[0, 2], [0, 0]])  # days 0 to 19 at day 50
    np.testing.assert_array_equal(ORDER_DAYS.active_periods(ORDERED, 12), [[1, 3], [0, 0]])
    np.testing.assert_array_equal(ORDER_DAYS.active_periods(ORDERED, 3), [[1, 2], [0, 0]])


def test_days_since_the_first_and_last_row_and_until_the_next():
    np.testing.assert_array_equal(ORDER_DAYS.since_last(ORDERED), [[20 - 8, 50 - 45], [np.nan, np.nan]])
    np.testing.assert_array_equal(ORDER_DAYS.since_first(ORDERED), [[20 - 3, 50 - 3], [np.nan, np.nan]])
    np.testing.assert_array_equal(ORDER_DAYS.until_next(ORDERED), [[21 - 20, np.inf], [np.inf, np.inf]])


def test_a_day_on_the_edge_lies_after_it():
    view = ordered([[20]], at=(2, 3))
    np.testing.assert_array_equal(view.since_last(ORDERED), [[np.nan, 10]])
    np.testing.assert_array_equal(view.since_first(ORDERED), [[np.nan, 10]])
    np.testing.assert_array_equal(view.until_next(ORDERED), [[0, np.inf]])
    np.testing.assert_array_equal(view.days(ORDERED, 1), [[0, 1]])


def test_gaps():
    number, mean, spread = ORDER_DAYS.gaps(ORDERED)
    np.testing.assert_array_equal(number, [[1, 3], [0, 0]])
    np.testing.assert_array_equal(mean, [[5, 14], [np.nan, np.nan]])
    np.testing.assert_allclose(spread, [[0, np.sqrt((81 + 1 + 100) / 3)], [np.nan, np.nan]])


def test_a_gap_belongs_to_the_window_of_its_later_day():
    number, mean, spread = ORDER_DAYS.gaps(ORDERED, 3)  # those that days 21 and 45 ended, at day 50
    assert (number[0, 1], mean[0, 1], spread[0, 1]) == (2, 18.5, 5.5)


# day 30 became known in period 4, which ends at edge 5
ORDER_DAYS_BOOKED_LATE = ordered([[3, 21, 45]], (0, 30, 4), at=(4, 5))


def test_days_booked_late_are_known_from_the_next_edge_on():
    np.testing.assert_array_equal(ORDER_DAYS_BOOKED_LATE.days(ORDERED), [[2, 4]])
    np.testing.assert_array_equal(ORDER_DAYS_BOOKED_LATE.since_last(ORDERED), [[40 - 21, 50 - 45]])
    np.testing.assert_array_equal(ORDER_DAYS_BOOKED_LATE.active_periods(ORDERED, 5), [[2, 4]])


def test_days_booked_late_split_a_gap():
    number, mean, spread = ORDER_DAYS_BOOKED_LATE.gaps(ORDERED)
    np.testing.assert_array_equal(number, [[1, 3]])
    np.testing.assert_array_equal(mean, [[18, 14]])  # 18; then 18, 9 and 15
    np.testing.assert_allclose(spread, [[0, np.sqrt((16 + 25 + 1) / 3)]])
    assert ORDER_DAYS_BOOKED_LATE.gaps(ORDERED, 2)[1][0, 1] == 12  # 9 and 15, at day 50


def test_days_booked_late_move_the_first_and_the_last_day():
    view = ordered([[21]], (0, 3, 3), (0, 39, 4), (0, 44, 5), at=(3, 4, 5, 6))
    np.testing.assert_array_equal(view.since_first(ORDERED), [[30 - 21, 40 - 3, 50 - 3, 60 - 3]])
    np.testing.assert_array_equal(view.since_last(ORDERED), [[30 - 21, 40 - 21, 50 - 39, 60 - 44]])


def test_days_booked_late_count_once_however_often_they_are_booked():
    view = ordered([[21]], (0, 21, 3), (0, 30, 4), (0, 30, 5), at=(4, 5, 6))
    np.testing.assert_array_equal(view.days(ORDERED), [[1, 2, 2]])
    np.testing.assert_array_equal(view.active_periods(ORDERED, 6), [[1, 2, 2]])


def test_days_booked_late_make_a_period_active_once():
    view = ordered([[21]], (0, 22, 3), (0, 31, 4), (0, 32, 5), at=(4, 5, 6))
    np.testing.assert_array_equal(view.active_periods(ORDERED, 6), [[1, 2, 2]])
    np.testing.assert_array_equal(view.days(ORDERED), [[2, 3, 4]])


def test_days_booked_late_are_no_next_order_for_a_label():
    np.testing.assert_array_equal(ordered([[3]], (0, 30, 4), at=(3,)).until_next(ORDERED), [[np.inf]])


def test_the_latest_day_counts_from_the_period_it_became_known_in():
    panel = Panel(2, latest={"seen": np.array([[5, -1, 12, -1, -1, -1], [-1, -1, -1, -1, -1, 58]])})
    np.testing.assert_array_equal(View(panel, grid(2, 4)).since_latest(SEEN), [[15, 28], [np.nan, np.nan]])
    np.testing.assert_array_equal(View(panel, grid(6)).since_latest(SEEN), [[48], [2]])


def bought(*at: int, **values: tuple[list[float], list[float]]) -> View:
    """The first account buys three items in periods 0, 3 and 4; 1; and 3, the third account one in period 5."""
    seen = np.zeros((4, PERIODS), dtype=bool)
    for item, periods in enumerate(((0, 3, 4), (1,), (3,), (5,))):
        seen[item, list(periods)] = True
    items = Items(
        np.array([0, 0, 0, 2]),
        seen,
        values={name: (np.array(value), np.array(known)) for name, (value, known) in values.items()},
    )
    return View(Panel(3, items={"products": items}), grid(*at))


@pytest.mark.parametrize(
    ("w", "ago", "expected"),
    [
        (1, 0, [[2, 0], [0, 0], [0, 1]]),  # period 3 at edge 4, period 5 at edge 6
        (2, 0, [[2, 1], [0, 0], [0, 1]]),
        (12, 0, [[3, 3], [0, 0], [0, 1]]),
        (2, 2, [[2, 2], [0, 0], [0, 0]]),  # periods 0 and 1 at edge 4, 2 and 3 at edge 6
        (1, 4, [[0, 1], [0, 0], [0, 0]]),  # before the history at edge 4, period 1 at edge 6
    ],
)
def test_different_items_in_a_window(w, ago, expected):
    np.testing.assert_array_equal(bought(4, 6).distinct(PRODUCTS, w, ago), expected)


def test_nobody_has_any_item():
    none = Items(np.zeros(0, np.int64), np.zeros((0, PERIODS), dtype=bool))
    view = View(Panel(2, items={"products": none}), grid(4, 6))
    np.testing.assert_array_equal(view.distinct(PRODUCTS, 3), np.zeros((2, 2)))


def test_items_booked_late():
    items = Items(np.array([0, 0]), np.zeros((2, PERIODS), dtype=bool), late((0, 2, 4, 1), (0, 1, 2, 1)))
    view = View(Panel(1, items={"products": items}), grid(2, 3, 4, 5, 6))
    np.testing.assert_array_equal(view.distinct(PRODUCTS, 3), [[0, 1, 1, 1, 0]])
    np.testing.assert_array_equal(view.distinct(PRODUCTS, 1, 1), [[0, 1, 0, 0, 0]])
    np.testing.assert_array_equal(view.distinct(PRODUCTS, 1, 2), [[0, 0, 1, 1, 0]])


def test_the_mean_of_items_values_leaves_out_what_is_not_known():
    # launched on days 100, 200, never and 300, known from days 0, 35, 0 and 60 on
    view = bought(4, 6, launched=([100, 200, np.nan, 300], [0, 35, 0, 60]))
    np.testing.assert_array_equal(view.item_mean(LAUNCHED, 12), [[150, 150], [np.nan, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(view.item_mean(LAUNCHED, 2)[0], [100, 100])


def test_values_as_of_a_cutoff_are_spread():
    panel = Panel(2, groups={"region": np.array([0, -1])})
    panel.as_of |= {"open": np.array([[1.0, 2.0], [3.0, np.nan]]), "here": np.array([[7.0, 8.0]])}
    view = View(panel, grid(4, 6))
    np.testing.assert_array_equal(view.as_of(OPEN), [[1, 2], [3, np.nan]])
    np.testing.assert_array_equal(view.as_of(AsOf("here", "events", OPEN.rows, by="region")), [[7, 8], [np.nan] * 2])
    np.testing.assert_array_equal(view.as_of(AsOf("here", "events", OPEN.rows, by="company")), [[7, 8]] * 2)


def test_a_window_is_covered_where_the_data_reach_back_over_it():
    view = View(Panel(1, first_day={"orders": np.array([10, 10, 0])}), grid(3, 4, 6))
    assert view.covered("orders", 2).tolist() == [[True, True, True]]
    assert view.covered("orders", 3).tolist() == [[False, True, True]]  # begins on day 0, 10 and 30
    assert view.covered("orders", 3, 3).tolist() == [[False, False, True]]
    assert view.covered("orders", 7).tolist() == [[False, False, False]]


def test_days_of_the_cutoffs_and_periods_of_a_year():
    view = sold([[0] * 6] * 3)
    assert view.day.tolist() == [40, 60]
    assert (view.shape, view.year) == ((3, 2), 12)


@given(st.lists(st.integers(0, 2**62 - 1), min_size=1, max_size=5))
def test_bits_are_unpacked_lowest_first(numbers):
    bits = unpack_bits(np.array(numbers))
    assert [sum(1 << place for place in np.flatnonzero(row)) for row in bits] == numbers


def test_the_recorder_notes_what_a_formula_asks_for():
    def formula(view):
        asked = view.total(BY_REGION, 3) + view.days(ORDERED) + view.active_periods(ORDERED, 2) + view.as_of(OPEN)
        asked += view.since_latest(SEEN) + view.item_mean(LAUNCHED, 12)
        return np.where(view.covered("contacts", 3), asked, np.nan)

    recorder = Recorder()
    formula(recorder)
    facts = (BY_REGION, SOLD, ORDERED, OPEN, SEEN, LAUNCHED, PRODUCTS, Reach("contacts"))
    assert recorder.facts == {fact.name: fact for fact in facts}


@pytest.mark.parametrize(
    ("ask", "fact"),
    [
        (lambda view: view.total(SOLD), SOLD),
        (lambda view: view.since_last(ORDERED), ORDERED),
        (lambda view: view.since_first(ORDERED), ORDERED),
        (lambda view: view.gaps(ORDERED, 6)[2], ORDERED),
        (lambda view: view.distinct(PRODUCTS, 3), PRODUCTS),
    ],
)
def test_the_recorder_answers_every_question(ask, fact):
    recorder = Recorder()
    assert ask(recorder).shape == (1, 1)
    assert recorder.facts == {fact.name: fact}
