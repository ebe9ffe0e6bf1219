"""What a fact and a feature are: declared once, everything else follows from the declaration.

A *fact* says what is folded from a table; a *feature* is one short function over facts. From the feature's
declaration follow the fold plan, the schema of the matrix, the documentation, the map from SHAP to reasons, the
sentences of evidence and the generated tests.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from features.known import Known
    from features.windows import View

Array = npt.NDArray[np.float64]
Expression = Any  # an Ibis column or table: Ibis builds its classes so that static types say little
Direction = Literal["rises", "falls", "none"]
Unit = Literal[
    "days", "money", "pieces", "share", "ratio", "orders", "products", "periods", "rebates", "managers", "contacts",
    "deliveries", "complaints", "invoices", "events", "signals", "requests",
]  # fmt: skip
Relation = Literal["ratio", "difference"]
Peers = Literal["", "all", "tier", "largest"]
Cured = float | Literal["peers"] | None

WINDOWS = (1, 3, 6, 12)


@dataclass(frozen=True)
class Additive:
    """Sum of `value` (count where None) of the rows of `table` where `where`, by the date column `at`.

    `spare`: columns that `value` and `where` look at where the table has them, and do without where it has not.
    """

    name: str
    table: str
    at: str
    value: Callable[[Expression], Expression] | None = None
    where: Callable[[Expression], Expression] | None = None
    spare: tuple[str, ...] = ()


@dataclass(frozen=True)
class Days:
    """The set of days `at` on which an account has a row where `where`."""

    name: str
    table: str
    at: str
    where: Callable[[Expression], Expression] | None = None


@dataclass(frozen=True)
class Distinct:
    """The set of `item`s an account has rows of, by the date column `at`."""

    name: str
    table: str
    at: str
    item: str
    where: Callable[[Expression], Expression] | None = None


@dataclass(frozen=True)
class Latest:
    """The last day `at` of the rows of `table` where `where`: lighter than `Days` where only that is asked for."""

    name: str
    table: str
    at: str
    where: Callable[[Expression], Expression] | None = None


@dataclass(frozen=True)
class ItemValue:
    """The `column` (a date) of `table` for each item of a `Distinct` fact, matched by the fact's item column."""

    name: str
    of: Distinct
    table: str
    column: str


@dataclass(frozen=True)
class Shared:
    """An additive fact summed over all accounts of the account's region, or over all accounts."""

    name: str
    of: Additive
    by: Literal["region", "company"]


@dataclass(frozen=True)
class AsOf:
    """A value worked out from rows as they were known at each cut-off.

    `rows` gets the `Known` view of the tables and returns an Ibis table (account_id, cutoff, value), at most one row
    for an account and cut-off. For what is no sum: oldest open item, current manager, facts that cross accounts.
    `columns` are those it reads of `table`, `also` those it reads of other tables, `spare` those of any that it reads where
    they are there and does without where they are not. With `by` "region" it returns
    (region, cutoff, value), with "company" (cutoff, value).
    """

    name: str
    table: str
    rows: Callable[[Known], Expression]
    columns: tuple[str, ...] = ()
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spare: tuple[str, ...] = ()
    by: Literal["account", "region", "company"] = "account"


@dataclass(frozen=True)
class Reach:
    """How far back the data of `table` reach."""

    table: str

    @property
    def name(self) -> str:
        return f"{self.table}_reach"


Folded = Additive | Days | Latest  # added up by account and period
Fact = Folded | Distinct | ItemValue | Shared | AsOf | Reach


@dataclass(frozen=True)
class Feature:
    """One column of the matrix.

    `reason`: a code of `reasons.yaml` it is evidence for, or `symptom` (the loss under way) or `context`.
    `direction`: how it moves when it harms. `low`, `high`: bounds of a sound value. `sentence`: how a report shows it,
    with `{value}` and other features by name in braces. With `peers` the formula's value is then set against the median
    of the eligible accounts of that group at the same cut-off (`features/peers.py`), by `relation`. With `since` the value
    is the days since something happened or fell due, so that as_of less the value is that day, and the sentence may name
    it as `{since}`; a 0 may also stand for what never happened. `cured`: the value it would have if the company removed
    the cause today: a number for what is open, overdue or waiting; `peers` for attention that can be brought up to what
    well-kept peers have; None for history that no act of today changes, and where the company cannot remove the cause.
    `states`: the value is a record of the reason itself, so that nothing about it needs to be learned.

    Raises ValueError for `since` with a unit other than days, and for `{since}` in a sentence without it.
    """

    name: str
    theme: str
    doc: str
    formula: Callable[[View], Array]
    unit: Unit
    reason: str
    direction: Direction
    sentence: str
    window: int | None
    low: float | None
    high: float | None
    empty: str
    peers: Peers = ""
    relation: Relation = "ratio"
    since: bool = False
    cured: Cured = None
    states: bool = False

    def __post_init__(self) -> None:
        if self.since and self.unit != "days":
            raise ValueError(f'feature {self.name} is declared since=True, which needs unit="days", not "{self.unit}"')
        if "{since}" in self.sentence and not self.since:
            raise ValueError(f"the sentence of feature {self.name} names {{since}}, which needs since=True")


@dataclass
class Theme:
    """The features of one file, in the order of their declaration."""

    name: str
    features: list[Feature] = field(default_factory=list)

    def feature(
        self,
        *,
        unit: Unit,
        reason: str,
        direction: Direction,
        sentence: str,
        windows: tuple[int, ...] = (),
        low: float | None = None,
        high: float | None = None,
        empty: str = "0",
        peers: Peers = "",
        relation: Relation = "ratio",
        since: bool = False,
        cured: Cured = None,
        states: bool = False,
    ) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
        """Declare the function below as a feature, or as one for each of `windows` (in periods), suffix `_<w>`.

        The function gets a `View` (and the window) and returns account x cut-off. `empty` says in words what an
        account without such history has.
        """

        def declare(function: Callable[..., Array]) -> Callable[..., Array]:
            doc = inspect.cleandoc(function.__doc__ or "").split("\n")[0]
            name: str = function.__name__  # type: ignore[attr-defined]
            if not doc:
                raise ValueError(f"feature {name} has no docstring")
            for window in windows or (None,):
                self.features.append(
                    Feature(
                        name=name if window is None else f"{name}_{window}",
                        theme=self.name,
                        doc=_in_words(doc, window),
                        formula=function if window is None else _bind(function, window),
                        unit=unit,
                        reason=reason,
                        direction=direction,
                        sentence=_in_words(sentence, window),
                        window=window,
                        low=low,
                        high=high,
                        empty=empty,
                        peers=peers,
                        relation=relation,
                        since=since,
                        cured=cured,
                        states=states,
                    )
                )
            return function

        return declare


def _in_words(text: str, window: int | None) -> str:
    if window == 1:
        text = text.replace("{w} periods", "period").replace("the {w} before", "the one before")
    return text.replace("{w}", str(window))


def _bind(function: Callable[..., Array], window: int) -> Callable[[View], Array]:
    return lambda view: function(view, window)


def ratio(part: Array, whole: Array) -> Array:
    """`part / whole`, NaN where `whole` is not above zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)


def trend(now: Array, before: Array) -> Array:
    """(now - before) / (now + before): -1 stopped, 0 unchanged, 1 begun; NaN where both are zero or below.

    Bounded, unlike a quotient, so that a small `before` does not shout.
    """
    now, before = np.maximum(now, 0.0), np.where(np.isnan(before), np.nan, np.maximum(before, 0.0))
    return ratio(now - before, now + before)
