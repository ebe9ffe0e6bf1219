"""`docs/features.md`, written from the declarations: `make docs`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from features.catalog import FEATURES, THEMES, needs_of
from features.declaration import Feature

PAGE = Path(__file__).resolve().parent.parent / "docs" / "features.md"
_PEERS = {
    "tier": "against the median of accounts of its fifth by amount of a year",
    "largest": "against the median of the largest fifth by amount of a year",
    "all": "against the median of all eligible accounts",
}


def page() -> str:
    """The page: a table a theme, a row a feature."""
    reasons = Counter(feature.reason for feature in FEATURES)
    evidence = sum(count for reason, count in reasons.items() if reason not in ("symptom", "context"))
    lines = [
        "# Features",
        "",
        "Written by `make docs` from the declarations in `features/`; a test fails when this page is stale.",
        "",
        f"{len(FEATURES)} columns: {evidence} of evidence for a documented reason, {reasons['symptom']} symptoms (the loss "
        f"itself under way, never a reason), {reasons['context']} of context. A window of w periods ends at the cut-off and "
        "counts what was known before it. *Days since* run from the day on which something happened, or fell due, to the "
        "cut-off. *Direction* is how the value moves when it harms. *Cured* is what the value would be if the company "
        "removed the cause today, `peers` where it can be brought up to what well-kept peers have; it is empty where no "
        "act of today changes the value.",
        "",
        "| reason | features |",
        "|---|---|",
        *(f"| `{reason}` | {count} |" for reason, count in sorted(reasons.items())),
    ]
    for theme in THEMES:
        lines += [
            "",
            f"## {theme.name}",
            "",
            "| feature | formula | window | unit | reason | direction | cured | empty history | tables |",
            "|---|---|---|---|---|---|---|---|---|",
            *(_row(feature) for feature in theme.features),
        ]
    return "\n".join(lines) + "\n"


def _row(feature: Feature) -> str:
    window = "" if feature.window is None else f"{feature.window} period{'' if feature.window == 1 else 's'}"
    formula = feature.doc if not feature.peers else f"{feature.doc.rstrip('.')}; {_PEERS[feature.peers]}."
    tables = ", ".join(f"`{table}`" for table in sorted(needs_of(feature)))
    cells = [
        f"`{feature.name}`",
        formula,
        window,
        f"{feature.unit} since" if feature.since else feature.unit,
        f"`{feature.reason}`",
        feature.direction,
        _cured(feature),
        feature.empty,
    ]
    return "| " + " | ".join([*(cell.replace("|", "\\|") for cell in cells), tables]) + " |"


def _cured(feature: Feature) -> str:
    if feature.cured is None:
        return ""
    return f"`{feature.cured if isinstance(feature.cured, str) else format(feature.cured, 'g')}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
