"""All declared features, in order, and which of them given tables can show."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from features import (
    attention,
    complaints,
    deliveries,
    endings,
    managers,
    orders,
    payments,
    product,
    rebates,
    rivals,
    turbulence,
)
from features.declaration import AsOf, Fact, Feature, Reach, Shared
from features.fold import columns_of
from features.windows import Recorder

THEMES = tuple(
    module.theme
    for module in (
        *(orders, rebates, managers, attention, deliveries, complaints),
        *(payments, product, rivals, turbulence, endings),
    )
)
FEATURES: tuple[Feature, ...] = tuple(feature for theme in THEMES for feature in theme.features)
DECLARED: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}


@cache
def facts_of(feature: Feature) -> tuple[Fact, ...]:
    """The facts a feature's formula asks for, found by running it over nothing."""
    return tuple(_recorded(feature).facts.values())


@cache
def shared(feature: Feature) -> bool:
    """Whether all accounts of a region, or of the company, have the same value: it rests on nothing of the account."""
    recorded = _recorded(feature)
    facts = [recorded.facts[name] for name in recorded.asked if not isinstance(recorded.facts[name], Reach)]
    return all(isinstance(fact, Shared) or (isinstance(fact, AsOf) and fact.by != "account") for fact in facts)


def _recorded(feature: Feature) -> Recorder:
    recorder = Recorder()
    feature.formula(recorder)
    return recorder


@cache
def needs_of(feature: Feature) -> Mapping[str, frozenset[str]]:
    """The columns of the tables that a feature reads."""
    needs: dict[str, frozenset[str]] = {}
    for fact in facts_of(feature):
        for table, columns in columns_of(fact).items():
            needs[table] = needs.get(table, frozenset()) | columns
    return needs


def available(columns: Mapping[str, set[str]]) -> tuple[Feature, ...]:
    """The features that tables with these columns can show: a missing table or column removes its features."""
    return tuple(
        feature
        for feature in FEATURES
        if all(table in columns and needed <= columns[table] for table, needed in needs_of(feature).items())
    )
