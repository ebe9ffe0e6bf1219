"""The index names every page and notebook, and what pages link to or name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.small_project import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "sources/README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def links_of(page: Path) -> list[str]:
    """Where links and pictures of a page lead, those to other sites left out."""
    found = [
        child.attrs.get("href", child.attrs.get("src"))
        for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))
        for child in token.children or ()
        if child.type in ("link_open", "image")
    ]
    return [str(link) for link in found if not str(link).startswith(("http://", "https://"))]


def test_the_index_names_every_page_and_every_notebook() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link).resolve() for link in links_of(index)}
    wanted = {*(ROOT / "docs").glob("*.md"), *(ROOT / "notebooks").glob("*.py")} - {index}
    assert wanted <= linked, f"docs/index.md has no link to {sorted(path.name for path in wanted - linked)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_or_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    for link in links_of(page):
        place, _, heading = link.partition("#")
        if place:
            assert (page.parent / place).exists(), f"{page.name} links to {link}"
        else:
            assert heading in headings, f"{page.name} links to {link}"
    named = re.findall(
        r"`((?:docs|notebooks|features|models|pipeline|reports|market|benchmarks|tests)/[\w./]+\.\w+)`", text
    )
    assert not [path for path in named if not (ROOT / path).exists()]
