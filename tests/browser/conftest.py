"""A finished report of a small market with hostile names, and Debian's Chromium to open it from disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from babel.messages import Catalog
from babel.messages.pofile import write_po
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from pipeline import params, report
from pipeline.layout import Layout
from reports import language
from reports.site import Site, write
from tests.commands import holdfast
from tests.small_project import STAGES, project_at

DESK = {"width": 1200, "height": 900}
HOSTILE = (
    '"><img src=x onerror=alert(1)>',
    "</script></title><script>alert(1)</script>",
    "right\N{RIGHT-TO-LEFT OVERRIDE}tfel",
    "W" * 200,
    "{{ 7 * 7 }} {shown} %(name)s",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium; skips where there is none, fails there under CI."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not found:
        reason = "there is no Chromium; install it (Debian: apt-get install chromium) or set CHROMIUM to its path"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def site(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """What the real pipeline says of a market of 400 accounts; of every five, names of accounts and managers are hostile."""
    project = project_at(tmp_path_factory.mktemp("market") / "project")
    layout = Layout(project, "simulated")
    _holdfast(project, "simulate", "--out", str(layout.raw))
    _holdfast(project, "ingest", "--source", "simulated", "--data", str(layout.raw))
    for table in ("accounts", "managers"):
        path = layout.tables / f"{table}.parquet"
        rows = pd.read_parquet(path)
        names = [HOSTILE[place % len(HOSTILE)] if place % 2 else name for place, name in enumerate(rows["name"])]
        rows.assign(name=names).to_parquet(path, index=False)
    for stage in STAGES:
        _holdfast(project, stage, "--source", "simulated")
    return report.site_of(layout, params.load(project, "simulated"), asked=())


def _holdfast(project: Path, *arguments: str) -> None:
    done = holdfast(project, *arguments)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def folder(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report, in all languages: English at its root. A language without a catalogue yet speaks English."""
    catalogues = tmp_path_factory.mktemp("catalogues")
    for spoken in language.LANGUAGES:
        there = language.CATALOGUES / f"{spoken}.po"
        if there.exists():
            shutil.copyfile(there, catalogues / there.name)
        else:
            with (catalogues / there.name).open("wb") as file:
                write_po(file, Catalog(locale=spoken))
    made = tmp_path_factory.mktemp("report") / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language, "CATALOGUES", catalogues)
        write(site, made, tuple(language.LANGUAGES))
    return made


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium)
        yield running
        running.close()


class Watched:
    """A page of the report that tells what went wrong while it was open."""

    def __init__(self, context: BrowserContext, folder: Path) -> None:
        self.folder = folder
        self.wrong: list[str] = []
        context.route(lambda url: not url.startswith(("file:", "data:", "blob:")), lambda route: route.abort())
        self.page: Page = context.new_page()
        self.page.on(
            "console", lambda said: self.wrong.append(said.text) if said.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        self.page.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on(
            "request",
            lambda request: (
                None if request.url.startswith(("file:", "data:", "blob:")) else self.wrong.append(request.url)
            ),
        )

    def open(self, file: str) -> Page:
        self.page.goto((self.folder / file).as_uri())
        return self.page


@pytest.fixture(scope="session")
def hostile() -> tuple[str, ...]:
    return HOSTILE


@pytest.fixture(scope="session")
def account_page(folder: Path, site: Site) -> str:
    """The page of the riskiest active account that has one."""
    paged = {path.stem for path in (folder / "accounts").iterdir()}
    return next(f"accounts/{account}.html" for account in site.active["account_id"] if account in paged)


@pytest.fixture
def watch() -> type[Watched]:
    return Watched


@pytest.fixture
def opened(browser: Browser, folder: Path, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """Opens pages, at a desk in light unless the test is given other `browser.new_context` arguments as its parameter."""
    context = browser.new_context(**{"viewport": DESK, "color_scheme": "light", **getattr(request, "param", {})})
    watched = Watched(context, folder)
    yield watched
    context.close()
    assert watched.wrong == []
