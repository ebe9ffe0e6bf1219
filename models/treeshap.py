"""Exact SHAP values of LightGBM's trees, summed by groups of features, fast enough for every account of a book.

What a leaf adds to the SHAP values depends on a row only through the *pattern* of the decisions on the way to it. So the
sums by group are worked out once for every pattern of a few decisions, for all the leaves they decide on together; a
row then costs a comparison for each decision and an addition for each table and group.

For a leaf of value v with the features 1..d on its path

    phi_i = v (o_i - z_i) * integral over t in [0, 1] of the product over j != i of (t o_j + (1 - t) z_j)

where o_j is 1 if the row does all that the path asks of feature j, else 0, and z_j is the share of the training rows at
the feature's nodes that go the path's way. The integrand is a polynomial of degree d - 1, so that Gauss-Legendre with
d / 2 points, rounded up, is exact; no factor is negative, so that nothing cancels.

Sources: Lundberg, Erion, Lee (2018), "Consistent individualized feature attribution for tree ensembles", for the values,
which are the path-dependent ones that LightGBM's `pred_contrib` gives; Owen (1972), "Multilinear extensions of games",
for the integral; Yang (2021), "Fast TreeSHAP", and Nadel, Wettenstein (2025), "From decision trees to Boolean logic",
for tables by pattern. That leaves share a table, and that tables hold sums by group, is of this module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import lightgbm as lgb
import numba
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from models.treeplan import FloatArray, Plan, plan, read

Function = TypeVar("Function", bound=Callable[..., Any])

ZERO = float(np.float32(1e-35))  # LightGBM takes what is no further from zero for zero
BLOCK = 8192  # rows at a time and thread: enough to share the reading of the tables, few enough for the caches
LEAST = 256  # rows worth a thread
SHOWN_FROM = 50_000  # rows that take long enough for a progress bar

# what is compiled is kept by the state of this file: no constant of another may enter it
compiled: Callable[[Function], Function] = numba.njit(nogil=True, cache=True)


@dataclass(frozen=True)
class GroupShap:
    """SHAP values of one model by group of features. Without a row they add up to `base`, raw log-odds."""

    base: float
    groups: int
    features: int
    plan: Plan
    tables: FloatArray

    @classmethod
    def of(cls, booster: lgb.Booster, group: Sequence[int] | npt.NDArray[np.integer[Any]]) -> GroupShap:
        """Prepare a model's tables for groups of features: `group` holds a number from 0 for each, (features,).

        The trees are those that `booster.predict` uses. Raises ValueError if `group` does not fit the model, and for
        what this does not explain: several classes, categorical splits, linear trees, trees without row counts, a path
        over more than 62 features, a feature with more than 65,535 thresholds.
        """
        numbers, features = np.asarray(group), booster.num_feature()
        if numbers.shape != (features,) or not np.issubdtype(numbers.dtype, np.integer) or numbers.min() < 0:
            raise ValueError(
                f"group must hold a whole number from 0 for each of the model's {features} features, "
                f"got {numbers.dtype} of shape {numbers.shape}: {numbers.ravel()[:5].tolist()} ..."
            )
        trees = read(booster)
        prepared = plan(trees, numbers.tolist())
        tables = np.zeros(prepared.table_from[-1])
        _fill(prepared, tables)
        base = math.fsum(leaf.value * leaf.share for leaves in trees for leaf in leaves)
        return cls(base, int(numbers.max()) + 1, features, prepared, tables)

    def values(self, matrix: FloatArray, threads: int | None = None) -> FloatArray:
        """Exact SHAP values in raw log-odds, summed by group: (rows, features) to (rows, groups).

        With `base` they add up to the model's raw score. NaN is what it is to LightGBM. What a row gets does not depend
        on the rows beside it, nor on `threads` (all cores where None). Beside the answer it takes some 10 MB a thread.

        Raises ValueError if the matrix has another number of features than the model.
        """
        matrix = np.asarray(matrix, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[1] != self.features:
            raise ValueError(f"matrix must be (rows, {self.features} features), as the model's, got {matrix.shape}.")
        values = np.empty((len(matrix), self.groups))
        threads = threads or numba.config.NUMBA_NUM_THREADS
        rows = min(BLOCK, max(LEAST, math.ceil(len(matrix) / threads)))

        def explain(start: int) -> int:
            block = np.ascontiguousarray(matrix[start : start + rows].T)
            codes = np.empty((len(self.plan.column_feature), block.shape[1]), dtype=np.uint16)
            sums = np.zeros((self.groups, block.shape[1]))
            _code(self.plan, block, codes)
            _add(self.plan, self.tables, codes, sums)
            values[start : start + rows] = sums.T
            return min(rows, len(matrix) - start)

        quiet = None if len(matrix) >= SHOWN_FROM else True
        with (
            ThreadPoolExecutor(threads) as pool,
            tqdm(total=len(matrix), desc="contributions", unit="rows", unit_scale=True, disable=quiet) as bar,
        ):
            for done in pool.map(explain, range(0, len(matrix), rows)):
                bar.update(done)
        return values


@compiled
def _leaf(plan: Plan, leaf: int, pattern: int, factors: FloatArray, before: FloatArray, out: FloatArray) -> None:
    """Add the SHAP values of a leaf under a pattern to `out`, (slots,)."""
    first, count = plan.term_from[leaf], plan.term_from[leaf + 1] - plan.term_from[leaf]
    points = (count + 1) // 2
    for point in range(points):
        t = plan.points[points, point]
        product = plan.leaf_value[leaf] * plan.weights[points, point]
        for i in range(count):
            share = plan.term_share[first + i]
            met = (pattern & plan.term_mask[first + i]) == plan.term_wanted[first + i]
            factors[i] = (1.0 - t) * share + (t if met else 0.0)
            before[i] = product * ((1.0 if met else 0.0) - share)
            product *= factors[i]
        after = 1.0
        for i in range(count - 1, -1, -1):
            out[plan.term_slot[first + i]] += before[i] * after
            after *= factors[i]


@compiled
def _fill(plan: Plan, tables: FloatArray) -> None:
    """Work out the tables: for each part (slots, patterns), one after the other."""
    longest = 2 * plan.points.shape[1]
    factors, before = np.empty(longest), np.empty(longest)
    for part in range(plan.part_bits.size):
        size = 1 << plan.part_bits[part]
        slots = plan.slot_from[part + 1] - plan.slot_from[part]
        if plan.table_from[part] == plan.table_from[part + 1]:
            continue
        out = np.empty(slots)
        for pattern in range(size):
            out[:] = 0.0
            for leaf in range(plan.leaf_from[part], plan.leaf_from[part + 1]):
                _leaf(plan, leaf, pattern, factors, before, out)
            for slot in range(slots):
                tables[plan.table_from[part] + slot * size + pattern] = out[slot]


@compiled
def _code(plan: Plan, block: FloatArray, codes: npt.NDArray[np.uint16]) -> None:
    """How many of a column's thresholds are below each value: (features, rows) to (columns, rows)."""
    for column in range(codes.shape[0]):
        values = block[plan.column_feature[column]]
        thresholds = plan.threshold[plan.threshold_from[column] : plan.threshold_from[column + 1]]
        for row in range(values.size):
            value = values[row]
            if math.isnan(value):
                codes[column, row] = plan.column_nan[column]
            elif abs(value) <= ZERO:
                codes[column, row] = plan.column_zero[column]
            else:
                codes[column, row] = np.searchsorted(thresholds, value)


@compiled
def _decide(plan: Plan, part: int, codes: npt.NDArray[np.uint16], pattern: npt.NDArray[Any]) -> None:
    """The pattern of a part's decisions for each row, (rows,)."""
    kind = pattern.dtype.type
    pattern[:] = kind((1 << plan.part_bits[part]) - 1)
    for test in range(plan.test_from[part], plan.test_from[part + 1]):
        code, rank = codes[plan.test_column[test]], np.uint16(plan.test_rank[test])
        cleared = kind(~(1 << plan.test_bit[test]))
        kept = kind(-1)
        if plan.test_right[test]:
            for row in range(pattern.size):
                pattern[row] &= kept if code[row] > rank else cleared
        else:
            for row in range(pattern.size):
                pattern[row] &= cleared if code[row] > rank else kept


@compiled
def _add(plan: Plan, tables: FloatArray, codes: npt.NDArray[np.uint16], sums: FloatArray) -> None:
    """Add what every part gives to `sums`, (groups, rows)."""
    rows = codes.shape[1]
    short, long = np.empty(rows, np.uint16), np.empty(rows, np.int64)
    for part in range(plan.part_bits.size):
        first, last = plan.slot_from[part], plan.slot_from[part + 1]
        if plan.table_from[part] == plan.table_from[part + 1]:
            _decide(plan, part, codes, long)
            _remember(plan, part, long, sums)
            continue
        _decide(plan, part, codes, short)
        size = 1 << plan.part_bits[part]
        for slot in range(last - first):
            start = plan.table_from[part] + slot * size
            table = tables[start : start + size]
            total = sums[plan.slot_group[first + slot]]
            for row in range(rows):
                total[row] += table[short[row]]


@compiled
def _remember(plan: Plan, part: int, pattern: npt.NDArray[np.int64], sums: FloatArray) -> None:
    """Add what a leaf too deep for a table gives, worked out anew only where a pattern is not remembered."""
    first, last = plan.slot_from[part], plan.slot_from[part + 1]
    leaf = plan.leaf_from[part]
    longest = 2 * plan.points.shape[1]
    factors, before = np.empty(longest), np.empty(longest)
    places = 2 * pattern.size + 1
    known, memo = np.full(places, -1, np.int64), np.empty((places, last - first))
    for row in range(pattern.size):
        place = pattern[row] % places
        if known[place] != pattern[row]:
            known[place] = pattern[row]
            memo[place] = 0.0
            _leaf(plan, leaf, pattern[row], factors, before, memo[place])
        for slot in range(last - first):
            sums[plan.slot_group[first + slot], row] += memo[place, slot]
