"""Which actions to take when hours are short: binary knapsacks under several limits at once, solved by HiGHS.

Maximise the sum of profit over the actions chosen, so that under each limit the minutes of those chosen that draw on it
are no more than it holds. Choosing nothing always fits, so there is always an answer. Limits that cannot bind are left
out; what is left falls into blocks that share no limit, and each is solved by itself. Minutes are whole numbers, so that no
rounding of the solver's can pass a limit.

Source: Martello & Toth (1990), Knapsack Problems (multidimensional 0-1 knapsack); `scipy.optimize.milp`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
SCALE = 1000.0  # of the largest profit of a block: HiGHS stops at an absolute gap of 1e-6
SHOWN_FROM = 200  # blocks that take long enough for a progress bar


@dataclass(frozen=True)
class Allocation:
    """`chosen` (n,); `bound`: no choice earns more than this; `shadow` (m,): what one more minute of each limit would
    earn, the dual value of the linear relaxation; `blocks` solved, and how many of them `by_greed`, since the solver
    found nothing better before its limit of nodes."""

    chosen: BoolArray
    bound: float
    shadow: FloatArray
    blocks: int
    by_greed: int


def allocate(
    profit: FloatArray, minutes: IntArray, draws: csr_array, limits: IntArray, gap: float, nodes: int
) -> Allocation:
    """Choose among n actions under m limits.

    `draws` (m, n) is 1 where an action's minutes draw on a limit (every action on one at least). The solver stops at
    the relative `gap` to what is possible, or after so many `nodes` of a block's search tree; time plays no part, so that
    the same input gives the same answer. No action that does not pay is chosen, and none that does and would still fit is
    left out. Of equals the first ones are chosen. Never worse than `greedy`.
    """
    chosen = np.zeros(len(profit), bool)
    shadow = np.zeros(len(limits))
    open_ = (profit > 0) & fits_alone(minutes, draws, limits)
    needed = draws @ np.where(open_, minutes, 0)
    binding = np.flatnonzero(needed > limits)
    bound, by_greed = 0.0, 0
    items = np.flatnonzero(open_)
    tight = draws[binding][:, items].tocsr()
    touched = np.asarray(tight.sum(axis=0)).ravel() > 0
    chosen[items[~touched]] = True
    bound += float(profit[items[~touched]].sum())
    blocks = _blocks(tight)
    for rows, columns in tqdm(blocks, desc="worklist", disable=None if len(blocks) >= SHOWN_FROM else True):
        own = items[columns]
        found = _solve(profit[own], minutes[own], tight[rows][:, columns].tocsr(), limits[binding[rows]], gap, nodes)
        chosen[own] = found.chosen
        bound += float(found.bound)
        shadow[binding[rows]] = found.shadow
        by_greed += found.by_greed
    return Allocation(
        _first_of_equals(chosen, np.where(open_, profit, 0.0), minutes, draws[binding].tocsr()),
        *(bound, shadow, len(blocks), by_greed),
    )


def greedy(profit: FloatArray, minutes: IntArray, draws: csr_array, limits: IntArray) -> BoolArray:
    """Take what still fits, by profit a minute; equals by their order."""
    return _filled(np.zeros(len(profit), bool), profit, minutes, draws, limits)


def fits_alone(minutes: IntArray, draws: csr_array, limits: IntArray) -> BoolArray:
    """Whether an action would fit if no other were taken: (n,)."""
    return np.asarray(blocked_by(minutes, draws, limits).sum(axis=0) == 0)


def blocked_by(minutes: IntArray, draws: csr_array, left: IntArray) -> csr_array:
    """(m, n) 1 where an action takes more than is left of a limit."""
    pairs = draws.tocoo()
    over = minutes[pairs.col] > left[pairs.row]
    return csr_array((np.ones(over.sum(), np.int64), (pairs.row[over], pairs.col[over])), shape=draws.shape)


def _solve(
    profit: FloatArray, minutes: IntArray, draws: csr_array, limits: IntArray, gap: float, nodes: int
) -> Allocation:
    """One block: the solver's answer, or the greedy one where that is better."""
    costs = -profit * (SCALE / profit.max())
    matrix = csr_array(draws * minutes[None, :])
    relaxed = linprog(costs, A_ub=matrix, b_ub=limits, bounds=(0.0, 1.0), method="highs-ds")  # type: ignore[call-overload]
    back = profit.max() / SCALE
    bound, shadow = -relaxed.fun * back, -relaxed.ineqlin.marginals * back
    plain = greedy(profit, minutes, draws, limits)
    solved = milp(
        costs,
        integrality=np.ones(len(profit), np.int64),
        bounds=Bounds(0.0, 1.0),
        constraints=LinearConstraint(matrix, ub=limits),
        options={"mip_rel_gap": gap, "node_limit": nodes},
    )
    if solved.mip_dual_bound is not None:
        bound = min(bound, -solved.mip_dual_bound * back)
    if solved.x is None:
        return Allocation(plain, bound, shadow, 1, 1)
    best = solved.x > 0.5
    within = bool((matrix @ best.astype(np.int64) <= limits).all())
    if within:
        best = _filled(best, profit, minutes, draws, limits)
    better = within and profit[best].sum() >= profit[plain].sum()
    failed = not within or (solved.status != 0 and not better)
    return Allocation(best if better else plain, bound, shadow, 1, int(failed))


def _filled(chosen: BoolArray, profit: FloatArray, minutes: IntArray, draws: csr_array, limits: IntArray) -> BoolArray:
    """What is chosen, and of the rest what still fits, by profit a minute."""
    filled = chosen.copy()
    left = limits - draws @ np.where(chosen, minutes, 0)
    columns = draws.tocsc()
    for item in np.argsort(-profit / minutes, kind="stable").tolist():
        own = columns.indices[columns.indptr[item] : columns.indptr[item + 1]]
        if not filled[item] and profit[item] > 0 and (left[own] >= minutes[item]).all():
            filled[item] = True
            left[own] -= minutes[item]
    return filled


def _first_of_equals(chosen: BoolArray, profit: FloatArray, minutes: IntArray, draws: csr_array) -> BoolArray:
    """As many of each kind of equal actions as were chosen, but the first ones: which, is up to the solver."""
    columns = draws.tocsc().sorted_indices()
    kinds: dict[tuple[float, int, bytes], list[int]] = {}
    for item in np.flatnonzero(profit > 0).tolist():
        limits = columns.indices[columns.indptr[item] : columns.indptr[item + 1]]
        kinds.setdefault((profit[item], minutes[item], limits.tobytes()), []).append(item)
    result = chosen.copy()
    for items in kinds.values():
        if len(items) > 1:
            result[items] = np.arange(len(items)) < chosen[items].sum()
    return result


def _blocks(draws: csr_array) -> list[tuple[IntArray, IntArray]]:
    """Limits and actions that hang together, through any chain of them; actions that draw on nothing are in none."""
    limits, items = draws.shape
    if not limits:
        return []
    pairs = draws.tocoo()
    graph = csr_array((np.ones(pairs.nnz), (pairs.row, limits + pairs.col)), shape=(limits + items,) * 2)
    label = connected_components(graph, directed=False)[1]
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return [(group[group < limits], group[group >= limits] - limits) for group in groups if group[0] < limits]
