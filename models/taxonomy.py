"""The documented reasons, as `reasons.yaml` has them, and which of them given features can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from features.catalog import FEATURES, needs_of

TAXONOMY_FILE = Path(__file__).resolve().parent.parent / "reasons.yaml"


@dataclass(frozen=True)
class Taxonomy:
    """Codes of the documented reasons in order; names of all codes by language; by code what removes the cause (only of
    those that the company can remove), and the table without which a reason is no more than a hypothesis; its part of all
    losses by document 004 (only where that gives one; they sum to 1); and the codes that are no fault of ours."""

    version: int
    codes: tuple[str, ...]
    names: Mapping[str, Mapping[str, str]]
    remedies: Mapping[str, str]
    tables: Mapping[str, str]
    documented_shares: Mapping[str, float]
    objective: frozenset[str]


@cache
def taxonomy() -> Taxonomy:
    """Read `reasons.yaml`."""
    content: dict[str, Any] = yaml.safe_load(TAXONOMY_FILE.read_text(encoding="utf-8"))
    reasons = content["reasons"]
    return Taxonomy(
        version=content["version"],
        codes=tuple(reason["code"] for reason in reasons),
        names={reason["code"]: reason["names"] for reason in reasons} | content["others"],
        remedies={reason["code"]: reason["remedy"] for reason in reasons if reason["controllable"]},
        tables={reason["code"]: reason["own_table"] for reason in reasons if "own_table" in reason},
        documented_shares={
            reason["code"]: reason["documented_share"] for reason in reasons if "documented_share" in reason
        },
        objective=frozenset(reason["code"] for reason in reasons if reason["objective"]),
    )


def observable(features: Sequence[str]) -> tuple[str, ...]:
    """The documented reasons that these features are evidence for; the others cannot be seen on this data."""
    seen = {feature.reason for feature in FEATURES if feature.name in set(features)}
    return tuple(code for code in taxonomy().codes if code in seen)


def hypotheses(features: Sequence[str]) -> tuple[str, ...]:
    """The reasons that these features show only from afar: none of their evidence is from the reason's own table."""
    given = set(features)
    firm = {
        feature.reason
        for feature in FEATURES
        if feature.name in given and taxonomy().tables.get(feature.reason) in needs_of(feature)
    }
    return tuple(code for code in observable(features) if code in taxonomy().tables and code not in firm)
