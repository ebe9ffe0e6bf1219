"""docs/feedback.md: its verdicts and columns are those of the contract. That its snippets run is tests/docs/'s affair."""

from __future__ import annotations

import re
from pathlib import Path

from features.tables import TABLES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "feedback.md"


def test_the_verdicts_and_the_columns_of_exits_exist() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \| .* \| .* \|$", text, re.MULTILINE) == list(TABLES["feedback"]["verdict"].allowed)
    exits = re.findall(r"^\| `(\w+)` \| [^|]* \|$", text, re.MULTILINE)
    assert exits == [column.name for column in TABLES["exits"].columns if column.name != "recorded_at"]
