"""A small site, written once for all that read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sites import site_of

from reports.site import Site, write


@pytest.fixture(scope="session")
def site() -> Site:
    return site_of()


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, with pages and files."""
    folder = tmp_path_factory.mktemp("site") / "report"
    write(site_of(), folder)
    return folder


@pytest.fixture(scope="session")
def pages(written: Path) -> dict[str, str]:
    """Each page's HTML by its file."""
    return {
        file.relative_to(written).as_posix(): file.read_text(encoding="utf-8")
        for file in sorted(written.rglob("*.html"))
    }
