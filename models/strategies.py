"""What the documents advise for each class of existing accounts, as `reasons.yaml` has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import yaml

from models.taxonomy import TAXONOMY_FILE


@dataclass(frozen=True)
class Strategy:
    """One class: its `strategy` (a code: consolidate, turn_around, lift, liquidate), `what_to_do` in whole English
    sentences, and the `documents` that say so."""

    code: str
    strategy: str
    what_to_do: tuple[str, ...]
    documents: tuple[str, ...]


@cache
def strategies() -> Mapping[str, Strategy]:
    """The strategy of each class by its code, EI to EIV, from `classes` of `reasons.yaml`."""
    content = yaml.safe_load(TAXONOMY_FILE.read_text(encoding="utf-8"))["classes"]
    found = {
        item["code"]: Strategy(item["code"], item["strategy"], tuple(item["what_to_do"]), tuple(item["documents"]))
        for item in content
    }
    return MappingProxyType(found)
