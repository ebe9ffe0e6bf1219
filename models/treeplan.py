"""LightGBM's trees as flat arrays, for SHAP values by group: which leaves share a table, and what decides in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SHARED_BITS = 9  # decisions of a table: 512 patterns, so that the table of one group of features stays in cache
MOST_FEATURES = 62  # on one path: a pattern is a 64-bit integer
MOST_THRESHOLDS = 2**16 - 1  # of one column: they are counted in 16 bits
CLIPPED = 1e300  # how `dump_model` writes an infinite threshold


class Plan(NamedTuple):
    """The trees as flat arrays; `x_from[i]:x_from[i + 1]` are the x of the i-th owner.

    A *column* is a feature as some nodes read it (missing values left, right, or as zero): a value becomes the number
    of the column's thresholds below it. A *part* is some leaves of one tree and the tests that decide on them; it has
    a table with a value for each slot and pattern, unless that were too large. A *test* clears its bit of the pattern
    where the code is above `rank` (at or below it if `right`). A *slot* is a group of features that the part adds to.
    A *term* is a feature on the path of a leaf: `share` of the rows at its nodes go the path's way, and a row does if
    its pattern, masked, is what is wanted.
    """

    column_feature: IntArray
    column_nan: IntArray  # the code of NaN
    column_zero: IntArray  # the code of zero
    threshold_from: IntArray
    threshold: FloatArray

    part_bits: IntArray
    table_from: IntArray
    test_from: IntArray
    test_column: IntArray
    test_rank: IntArray
    test_right: npt.NDArray[np.bool_]
    test_bit: IntArray
    slot_from: IntArray
    slot_group: IntArray

    leaf_from: IntArray
    leaf_value: FloatArray
    term_from: IntArray
    term_share: FloatArray
    term_mask: IntArray
    term_wanted: IntArray
    term_slot: IntArray

    points: FloatArray  # Gauss-Legendre on [0, 1]: row n has n points
    weights: FloatArray


class Column(NamedTuple):
    """A feature as some nodes read it; the training data decide how, so that it is mostly the same in all trees."""

    feature: int
    missing: str
    left: bool


class Step(NamedTuple):
    """A decision on the way to a leaf."""

    node: int
    column: Column
    threshold: float
    right: bool
    share: float  # of the node's training rows that go this way

    @property
    def feature(self) -> int:
        return self.column.feature


class Leaf(NamedTuple):
    """A leaf and the way to it."""

    value: float  # log-odds
    path: tuple[Step, ...]

    @property
    def share(self) -> float:
        """Of the tree's training rows."""
        return math.prod(step.share for step in self.path)

    @property
    def nodes(self) -> int:
        """The nodes of the path, as a set of bits."""
        return sum(1 << step.node for step in self.path)

    @property
    def features(self) -> list[int]:
        return list(dict.fromkeys(step.feature for step in self.path))


class _Test(NamedTuple):
    column: int
    rank: int
    right: bool
    bit: int


class _Term(NamedTuple):
    share: float
    mask: int
    wanted: int
    slot: int


def read(booster: lgb.Booster) -> list[list[Leaf]]:
    """The leaves of each tree that `booster.predict` would use.

    Raises ValueError for several classes, categorical splits, linear trees and trees without row counts.
    """
    model = booster.dump_model()
    if model["num_tree_per_iteration"] != 1:
        raise ValueError(
            f"The model has {model['num_tree_per_iteration']} raw scores a row; SHAP by group explains one."
        )
    return [_leaves(tree["tree_structure"], f"Tree {tree['tree_index']}") for tree in model["tree_info"]]


def plan(trees: Sequence[Sequence[Leaf]], group: Sequence[int]) -> Plan:
    """The plan of `trees` for features of the numbered groups.

    Raises ValueError for a path over more than 62 features, or a feature with more than 65,535 thresholds.
    """
    found: dict[Column, set[float]] = {}
    for step in chain.from_iterable(leaf.path for leaves in trees for leaf in leaves):
        found.setdefault(step.column, set()).add(step.threshold)
    thresholds = {column: sorted(found[column]) for column in sorted(found)}
    if max(map(len, thresholds.values()), default=0) > MOST_THRESHOLDS:
        raise ValueError(f"A feature has over {MOST_THRESHOLDS:,} thresholds; SHAP by group counts them in 16 bits.")
    place = {column: at for at, column in enumerate(thresholds)}
    rank = {(column, value): at for column, values in thresholds.items() for at, value in enumerate(values)}
    # a missing value is below every threshold, or above all
    zero = [int(np.searchsorted(values, 0.0)) for values in thresholds.values()]
    lost = [0 if column.left else len(values) for column, values in thresholds.items()]

    bits: list[int] = []
    sizes: list[int] = []
    tests: list[list[_Test]] = []
    slots: list[list[int]] = []
    leaves: list[list[Leaf]] = []
    terms: list[list[_Term]] = []
    for part in chain.from_iterable(_parts(tree) for tree in trees):
        steps = {step.node: step for leaf in part for step in leaf.path}
        # a leaf alone needs a bit for each feature of its path, which may be fewer than the nodes
        alone = len(part) == 1
        bit = {name: at for at, name in enumerate(part[0].features if alone else steps)}
        if len(bit) > MOST_FEATURES:
            raise ValueError(f"A path runs over {len(bit)} features; SHAP by group explains up to {MOST_FEATURES}.")
        slot = {number: at for at, number in enumerate(dict.fromkeys(group[step.feature] for step in steps.values()))}
        for leaf in part:
            own = {feature: [step for step in leaf.path if step.feature == feature] for feature in leaf.features}
            terms.append(
                [
                    _Term(
                        math.prod(step.share for step in asked),
                        1 << bit[feature] if alone else sum(1 << bit[step.node] for step in asked),
                        1 << bit[feature] if alone else sum(1 << bit[step.node] for step in asked if not step.right),
                        slot[group[feature]],
                    )
                    for feature, asked in own.items()
                ]
            )
        tests.append(
            [
                _Test(
                    place[step.column],
                    rank[step.column, step.threshold],
                    alone and step.right,
                    bit[step.feature if alone else step.node],
                )
                for step in steps.values()
            ]
        )
        bits.append(len(bit))
        sizes.append(len(slot) << len(bit) if len(bit) <= SHARED_BITS else 0)
        slots.append(list(slot))
        leaves.append(part)

    points, weights = _quadrature(max(map(len, terms), default=1))
    return Plan(
        column_feature=np.array([column.feature for column in thresholds], np.int64),
        column_nan=np.array(
            [lost[at] if column.missing != "None" else zero[at] for column, at in place.items()], np.int64
        ),
        column_zero=np.array(
            [lost[at] if column.missing == "Zero" else zero[at] for column, at in place.items()], np.int64
        ),
        threshold_from=_from(map(len, thresholds.values())),
        threshold=np.array(list(chain.from_iterable(thresholds.values())), np.float64),
        part_bits=np.array(bits, np.int64),
        table_from=_from(sizes),
        test_from=_from(map(len, tests)),
        test_column=np.array([test.column for test in chain.from_iterable(tests)], np.int64),
        test_rank=np.array([test.rank for test in chain.from_iterable(tests)], np.int64),
        test_right=np.array([test.right for test in chain.from_iterable(tests)], np.bool_),
        test_bit=np.array([test.bit for test in chain.from_iterable(tests)], np.int64),
        slot_from=_from(map(len, slots)),
        slot_group=np.array(list(chain.from_iterable(slots)), np.int64),
        leaf_from=_from(map(len, leaves)),
        leaf_value=np.array([leaf.value for leaf in chain.from_iterable(leaves)], np.float64),
        term_from=_from(map(len, terms)),
        term_share=np.array([term.share for term in chain.from_iterable(terms)], np.float64),
        term_mask=np.array([term.mask for term in chain.from_iterable(terms)], np.int64),
        term_wanted=np.array([term.wanted for term in chain.from_iterable(terms)], np.int64),
        term_slot=np.array([term.slot for term in chain.from_iterable(terms)], np.int64),
        points=points,
        weights=weights,
    )


def _leaves(root: Mapping[str, Any], name: str) -> list[Leaf]:
    leaves = []
    waiting: list[tuple[Mapping[str, Any], tuple[Step, ...]]] = [(root, ())]
    while waiting:
        node, path = waiting.pop()
        if "leaf_value" in node:
            if "leaf_const" in node:
                raise ValueError(f"{name} is a linear tree; SHAP by group explains constant leaves only.")
            leaves.append(Leaf(node["leaf_value"], path))
            continue
        feature, count, threshold = node["split_feature"], node["internal_count"], node["threshold"]
        if node["decision_type"] != "<=":
            raise ValueError(
                f"{name} splits feature {feature} by category ({node['decision_type']} {threshold}); "
                "SHAP by group explains numerical splits only."
            )
        if count <= 0:
            raise ValueError(f"{name} has no row counts, so nothing says how to weight its branches.")
        if abs(threshold) >= CLIPPED:
            threshold = math.copysign(math.inf, threshold)
        column = Column(feature, node["missing_type"], node["missing_type"] != "None" and node["default_left"])
        for right, child in ((True, node["right_child"]), (False, node["left_child"])):
            below = child.get("internal_count", child.get("leaf_count"))
            waiting.append((child, (*path, Step(node["split_index"], column, threshold, right, below / count))))
    return leaves


def _parts(leaves: Sequence[Leaf]) -> Iterator[list[Leaf]]:
    """Leaves that share a table, where it grows least; one with a path of too many nodes is alone."""
    parts: list[tuple[int, list[Leaf]]] = []
    for leaf in leaves:
        nodes = leaf.nodes
        if nodes.bit_count() > SHARED_BITS:
            yield [leaf]
            continue
        if not nodes:
            continue  # the only leaf of its tree: part of the base
        growth = [((held | nodes).bit_count(), -held.bit_count(), at) for at, (held, _) in enumerate(parts)]
        fitting = [(now + before, at) for now, before, at in growth if now <= SHARED_BITS]
        if fitting:
            held, beside = parts[min(fitting)[1]]
            parts[min(fitting)[1]] = (held | nodes, [*beside, leaf])
        else:
            parts.append((nodes, [leaf]))
    yield from (part for _, part in parts)


def _quadrature(features: int) -> tuple[FloatArray, FloatArray]:
    most = (features + 1) // 2
    points, weights = np.zeros((most + 1, most)), np.zeros((most + 1, most))
    for count in range(1, most + 1):
        at, mass = np.polynomial.legendre.leggauss(count)
        points[count, :count], weights[count, :count] = (1 + at) / 2, mass / 2
    return points, weights


def _from(sizes: Any) -> IntArray:
    return np.cumsum([0, *sizes], dtype=np.int64)
