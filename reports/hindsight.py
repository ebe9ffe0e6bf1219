"""How past scorings turned out: those whose outcome is known, and until there are any, the test cut-offs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports.site import Site


def context(site: Site) -> dict[str, Any] | None:
    """What the portfolio shows of it."""
    return None
