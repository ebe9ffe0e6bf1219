"""Models on disk: a file is held against its hash before LightGBM parses it, which a damaged one makes crash or, worse,
predict something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from features.errors import ContractError


def read_meta(path: Path) -> tuple[str, dict[str, Any]]:
    """The hash that a model was saved with and the rest of its JSON. Raises ContractError if the file is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return str(content.pop("hash")), content
    except (ValueError, KeyError, TypeError, AttributeError):
        raise damaged(path.parent, f"{path.name} is no JSON of a model") from None


def read_text(path: Path) -> str:
    """Raises ContractError if the file is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise damaged(path.parent, f"{path.name} is no text") from None


def damaged(folder: Path, what: str) -> ContractError:
    """The error to raise of a model that is not what was saved."""
    return ContractError(
        f"{folder} is damaged: {what}. Nothing was done with it. Run `holdfast train` again, or give another --model."
    )
