"""Complaints: open, old, repeated, by kind. Quality is evidence for the product, the rest for details neglected."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from features.declaration import Additive, Array, AsOf, Expression, Theme, ratio
from features.known import Known
from features.windows import View

theme = Theme("complaints")

_DETAILS = "neglected_details"
SERVICE_KINDS = ("service", "logistics", "billing")


def _quality(t: Expression) -> Expression:
    return t.kind == "quality"


def _service(t: Expression) -> Expression:
    return (t.kind != "quality") | t.kind.isnull()


def _of_kind(kind: str) -> Callable[[Expression], Expression]:
    return lambda t: t.kind == kind


OPENED = Additive("complaints_opened", "complaints", "opened_at", where=_service)
RESOLVED = Additive("complaints_resolved", "complaints", "resolved_at", where=_service)
RESOLUTION_DAYS = Additive(
    "complaints_resolution_days",
    "complaints",
    "resolved_at",
    value=lambda t: t.resolved_at.cast("date").delta(t.opened_at.cast("date"), unit="day"),
    where=_service,
)
SEVERITY = Additive(
    "complaints_severity", "complaints", "opened_at", value=lambda t: t.severity.fill_null(1), where=_service
)
QUALITY_OPENED = Additive("quality_opened", "complaints", "opened_at", where=_quality)
QUALITY_RESOLVED = Additive("quality_resolved", "complaints", "resolved_at", where=_quality)
BY_KIND = tuple(
    Additive(f"complaints_{kind}", "complaints", "opened_at", where=_of_kind(kind)) for kind in SERVICE_KINDS
)


def _oldest_open(known: Known) -> Expression:
    rows = known.open_rows("complaints", "opened_at", "resolved_at")
    rows = rows.filter(_service(rows))
    age = rows.as_of.delta(rows.opened_at.cast("date"), unit="day")
    return rows.group_by(["account_id", "cutoff"]).agg(value=age.max())


OLDEST = AsOf("complaints_oldest_open", "complaints", _oldest_open, columns=("opened_at", "resolved_at", "kind"))


@theme.feature(
    unit="complaints",
    reason=_DETAILS,
    direction="rises",
    low=0,
    sentence="{value} complaints are open, the oldest for {complaints_open_oldest}.",
    cured=0,
)
def complaints_open(v: View) -> Array:
    """Complaints of service, logistics or billing that are not settled."""
    return v.total(OPENED) - v.total(RESOLVED)


@theme.feature(
    unit="days",
    reason=_DETAILS,
    direction="rises",
    low=0,
    sentence="Its oldest open complaint was made on {since}, {value} ago.",
    since=True,
    cured=0,
)
def complaints_open_oldest(v: View) -> Array:
    """Days for which the oldest open complaint of service, logistics or billing has waited."""
    return np.nan_to_num(v.as_of(OLDEST), nan=0.0)


@theme.feature(
    unit="complaints",
    reason=_DETAILS,
    direction="rises",
    windows=(3, 12),
    low=0,
    sentence="It complained {value} times of service, logistics or billing in the last {w} periods.",
)
def complaints(v: View, w: int) -> Array:
    """Complaints of service, logistics or billing in the last {w} periods."""
    return v.total(OPENED, w)


@theme.feature(
    unit="complaints",
    reason=_DETAILS,
    direction="rises",
    low=0,
    sentence="The severities of its complaints of 12 periods add up to {value}.",
)
def complaints_severity(v: View) -> Array:
    """Sum of the severities (1 where not given) of complaints of service, logistics or billing of 12 periods."""
    return v.total(SEVERITY, 12)


@theme.feature(
    unit="complaints",
    reason=_DETAILS,
    direction="rises",
    low=0,
    sentence="{value} complaints of the last 12 periods repeat an earlier one of the same kind.",
)
def complaints_repeated(v: View) -> Array:
    """Complaints of 12 periods beyond the first of each kind: service, logistics, billing."""
    repeated = np.zeros(v.shape)
    for fact in BY_KIND:
        repeated = repeated + np.maximum(v.total(fact, 12) - 1, 0)
    return repeated


@theme.feature(
    unit="days",
    reason=_DETAILS,
    direction="rises",
    low=0,
    sentence="Its complaints settled in the last 12 periods took {value} on average.",
    empty="no value",
)
def complaint_resolution(v: View) -> Array:
    """Mean days to settle complaints of service, logistics or billing, of those settled in the last 12 periods."""
    return ratio(v.total(RESOLUTION_DAYS, 12), v.total(RESOLVED, 12))


@theme.feature(
    unit="complaints",
    reason="product",
    direction="rises",
    windows=(3, 12),
    low=0,
    sentence="It complained {value} times of quality in the last {w} periods.",
)
def quality_complaints(v: View, w: int) -> Array:
    """Complaints of quality in the last {w} periods."""
    return v.total(QUALITY_OPENED, w)


@theme.feature(
    unit="complaints",
    reason="product",
    direction="rises",
    low=0,
    sentence="{value} complaints of quality are open.",
    cured=0,
)
def quality_complaints_open(v: View) -> Array:
    """Complaints of quality that are not settled."""
    return v.total(QUALITY_OPENED) - v.total(QUALITY_RESOLVED)
