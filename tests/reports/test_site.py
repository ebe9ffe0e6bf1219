"""The site as a whole: what is written, that nothing is fetched, that links lead somewhere, and that data stay text."""

from __future__ import annotations

import copy
import posixpath
import re
from dataclasses import replace
from gettext import NullTranslations
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
from readers import Reader, says_nothing_empty
from sites import HOSTILE, account_page, decided, emptied, page, scored, tables

import reports.language
import reports.site
from reports.site import PAGES, Site, write

MOST_BYTES = 300_000
KNOWN_TAGS = {"a", "bdi", "data", "table", "svg", "form"}
LEFT_OUT = {  # tables that a company may not have
    "managers": {"leavers": {"lacking": "assignments", "unattended": 0, "experience": []}},
    "prospects": {"prospects": {"high": None, "lacking": "prospects"}},
}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def again(site, tmp_path_factory):
    """The site written once more: its folder, the number of pages, and the inputs as they were before."""
    before = {name: table.copy(deep=True) for name, table in tables(site).items()}
    told = repr((site.decided, site.metrics, site.plan, site.live))
    folder = tmp_path_factory.mktemp("again") / "report"
    return folder, write(replace(site, lineage=tuple(site.lineage)), folder), before, told


def test_the_same_site_gives_the_same_bytes(written, again):
    first, second = contents(written), contents(again[0])
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    assert again[1] == sum(name.endswith(".html") for name in first)


def test_inputs_are_left_as_they_were(site, again):
    _, _, before, told = again
    for name, table in tables(site).items():
        pd.testing.assert_frame_equal(table, before[name])
    assert repr((site.decided, site.metrics, site.plan, site.live)) == told


def test_no_address_is_fetched_and_nothing_runs_but_the_script_beside(pages, written):
    for file, html in pages.items():
        assert set(re.findall(r"https?://[^\s\"'<]*", html)) <= {"http://www.w3.org/2000/svg"}, file
        reader = Reader(html)
        assert not {tag for tag, _ in reader.tags} & {"img", "iframe", "object", "embed", "image", "base"}, file
        for tag, attributes in reader.tags:
            assert not [name for name in attributes if name.startswith("on")], (file, tag)
            for name in ("href", "src", "action", "xlink:href"):
                value = attributes.get(name) or ""
                assert value == "data:," or not urlsplit(value).scheme, (file, value)
                assert not value.startswith("/"), (file, value)
        scripts = [attributes for tag, attributes in reader.tags if tag == "script"]
        assert [posixpath.basename(found["src"] or "") for found in scripts] == ["site.js"], file
        assert re.search(r"<script src=[^>]*></script>", html), file
        assert not re.search(r"@import|url\((?!#)", html), file
        assert "default-src 'none'" in html, file
        assert "script-src 'self'" in html, file
    assert not re.search(r"https?:|url\(", (written / "style.css").read_text(encoding="utf-8"))
    assert not re.search(
        r"https?:|fetch\(|XMLHttp|WebSocket|innerHTML|eval\(", (written / "site.js").read_text("utf-8")
    )


def test_ids_are_unique_and_what_is_referred_to_exists(pages):
    for file, html in pages.items():
        reader = Reader(html)
        ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), file
        wanted = set(re.findall(r"url\(#([^)]+)\)", html))
        for _, attributes in reader.tags:
            wanted |= set((attributes.get("aria-labelledby") or "").split())
            wanted |= {attributes[name] for name in ("data-table", "for") if attributes.get(name)}
        assert wanted <= set(ids), file


def dead(folder: Path) -> list[tuple[str, str]]:
    """Links of the pages that lead to no file, or to no place within one."""
    found = {
        file.relative_to(folder).as_posix(): Reader(file.read_text(encoding="utf-8")) for file in folder.rglob("*.html")
    }
    ids = {file: {attributes.get("id") for _, attributes in reader.tags} for file, reader in found.items()}
    lost = []
    for file, reader in found.items():
        for _, attributes in reader.tags:
            target = attributes.get("href") or attributes.get("src")
            if not target or target == "data:,":
                continue
            parts = urlsplit(target)
            path = posixpath.normpath(posixpath.join(posixpath.dirname(file), unquote(parts.path)))
            path = file if not parts.path else path
            if not (folder / path).is_file() or (parts.fragment and parts.fragment not in ids[path]):
                lost.append((file, target))
    return lost


def test_every_link_leads_to_a_file_and_a_place_that_exist(written):
    assert dead(written) == []


def test_a_link_to_nowhere_would_be_found(written, tmp_path):
    for name, target in (("a", "worklist.html#nowhere"), ("b", "none.html"), ("c", "#nothing")):
        (tmp_path / f"{name}.html").write_text(f'<a href="{target}"></a>')
    (tmp_path / "worklist.html").write_text("<p></p>")
    assert sorted(dead(tmp_path)) == [
        ("a.html", "worklist.html#nowhere"),
        ("b.html", "none.html"),
        ("c.html", "#nothing"),
    ]


def test_every_page_leads_to_all_others_and_says_which_it_is(pages):
    for file, html in pages.items():
        reader = Reader(html)
        current = [found["href"] for tag, found in reader.tags if tag == "a" and found.get("aria-current") == "page"]
        assert current == ([file] if file in PAGES else []), file
        root = "" if file in PAGES else "../"
        assert {f"{root}{name}" for name in PAGES} <= {found.get("href") for tag, found in reader.tags if tag == "a"}


def test_headers_have_a_scope_and_wide_tables_scroll_in_a_box_of_their_own(pages):
    for file, html in pages.items():
        reader = Reader(html)
        headers = [attributes for tag, attributes in reader.tags if tag == "th"]
        assert headers, file
        assert all(attributes.get("scope") in ("col", "row", "rowgroup") for attributes in headers), file
        wide = len(re.findall(r'<table class="[^"]*(?:wide|sortable|heat)', html))
        boxed = r'<div class="scroll" role="region" tabindex="0" aria-label="[^"]+">\s*<table class="[^"]*(?:wide|sort|heat)'
        assert len(re.findall(boxed, html)) == wide, file
        assert {"nav", "header", "main", "footer", "h1"} <= {tag for tag, _ in reader.tags}, file


def test_pages_of_a_large_company_are_small_enough_to_open(site):
    def many(table: pd.DataFrame, key: str, times: int) -> pd.DataFrame:
        return pd.concat([table.assign(**{key: table[key] + f"-{n:03d}"}) for n in range(times)], ignore_index=True)

    names = ("scores", "accounts", "evidence", "explanations", "worklist", "leavers", "win_back")
    large = replace(site, **{name: many(getattr(site, name), "account_id", 25) for name in names}, top=100)
    listed = large.worklist.assign(decision="do", why="pays", place=range(1, len(large.worklist) + 1))
    leavers = pd.concat([many(site.leavers, "manager_id", 30)] * 2, ignore_index=True)
    large = replace(large, worklist=listed, prospects=many(site.prospects, "prospect_id", 60))
    large = replace(large, managers=many(site.managers, "manager_id", 30), leavers=leavers)
    files = ("index.html", "worklist.html", "managers.html", "win_back.html", "prospects.html")
    sizes = {file: len(page(large, file).encode()) for file in files}
    assert max(sizes.values()) <= MOST_BYTES, sizes
    assert min(sizes.values()) > 60_000, sizes  # it is large


def hostile(site: Site) -> Site:
    """The site with hostile words wherever data have words of their own."""
    # None of these are safe names of files.
    ids = {name: f"{HOSTILE}/../{name}" for name in (*site.scores["account_id"], "Z9")}

    def renamed(table: pd.DataFrame) -> pd.DataFrame:
        changes = {
            name: table[name].map(lambda value: ids.get(value, value))
            for name in ("account_id", "similar_account")
            if name in table
        }
        for name in ("name", "manager", "manager_id", "region", "level", "by", "sentence", "prospect_id"):
            if name in table:
                changes[name] = table[name].map(lambda value: f"{HOSTILE}{value}", na_action="ignore")
        return table.assign(**changes)

    class Hostile(Site):
        def reason(self, code: str) -> str:
            return f"{code} {HOSTILE}"

    told = copy.deepcopy(dict(site.decided))
    for row in (*told["worklist"]["managers"], *told["worklist"]["regions"]):
        for name in ("manager_id", "region"):
            row[name] = f"{HOSTILE}{row[name]}" if row.get(name) else row.get(name)
    given = replace(
        site,
        **{name: renamed(table) for name, table in tables(site).items()},
        decided=told,
        source=HOSTILE,
        currency="<i>$1$</i>",
        lineage=((HOSTILE, HOSTILE),),
    )
    return Hostile(**vars(given))


def test_names_from_data_stay_text_on_every_page_and_in_every_file_name(site, pages, tmp_path):
    folder = tmp_path / "report"
    write(hostile(site), folder)
    files = contents(folder)
    for name in files:
        assert re.fullmatch(r"[A-Za-z0-9_~/-]+\.(html|css|js|csv|xlsx|parquet)", name), name
    assert [name for name in files if name.count("/") > 1] == []
    tags = {tag for html in pages.values() for tag, _ in Reader(html).tags}
    assert tags >= KNOWN_TAGS
    for file in sorted(folder.rglob("*.html")):
        html = file.read_text(encoding="utf-8")
        reader = Reader(html)
        assert {tag for tag, _ in reader.tags} <= tags, file
        assert len(re.findall("<script", html)) == 1, file
        assert "<i>" not in html, file
        assert HOSTILE in reader.text, file
        assert all(len(found) == len(set(found)) for _, found in reader.tags), file
    assert dead(folder) == []
    assert sum(name.startswith("accounts/") for name in files) == sum("/" in name for name in pages)


def test_letters_that_the_plotting_font_lacks_are_no_warning(site):
    class Chinese(Site):
        def reason(self, code: str) -> str:
            return "产品不再适合"

    html = page(Chinese(**vars(replace(site, currency="元"))))
    assert "产品不再适合" in html
    assert "元" in html


def test_nothing_empty_is_ever_printed(pages):
    for html in pages.values():
        says_nothing_empty(html)


def test_what_is_not_known_of_accounts_is_not_printed(site):
    scores = site.scores.assign(reason_3=pd.NA)
    scores.loc[scores["naming"] == "named", "reason_2"] = np.nan
    scores.loc[[1, 2], ["expected_loss", "contact_profit"]] = np.nan
    columns = ["name", "region", "manager_id", "manager", "manager_since", "class", "class_before", "kind", "size"]
    dates = ["first_order_on", "last_order_on"]
    accounts = site.accounts.assign(**dict.fromkeys([*columns, *dates], None), stability=np.nan)
    bare = replace(site, scores=scores, accounts=accounts)
    for file in PAGES:
        says_nothing_empty(page(bare, file))
    says_nothing_empty(account_page(bare))


def without_accounts(site: Site) -> Site:
    none = scored(site, site.scores.head(0))
    none = emptied(none, "explanations", "similar", "predictions", "previous")
    return replace(none, metrics={}, live={})


def unclassed(site: Site) -> Site:
    nothing = pd.Series([None] * len(site.accounts), site.accounts.index, dtype="str")
    accounts = site.accounts.assign(**{"class": nothing, "class_before": nothing, "stability": np.nan})
    listed = site.worklist.assign(**{"class": pd.Series([None] * len(site.worklist), dtype="str")})
    given = replace(site, accounts=accounts, worklist=listed)
    segments = {**site.decided["segments"], "contribution": None, "stability": None}
    return decided(given, segments=segments, migration={"since": "2025-01-01", "cells": []})


def without_changes(site: Site) -> Site:
    kept = [name for name in site.explanations if not name.startswith(("change_", "since", "kept", "risk_then"))]
    return replace(site, explanations=site.explanations[kept])


def without_evaluation(site: Site) -> Site:
    return replace(emptied(site, "predictions"), metrics={}, live={})


def without_tables(site: Site) -> Site:
    """Of optional tables there is none, and nothing was evaluated, explained or kept."""
    site = decided(unclassed(site), **LEFT_OUT["managers"], **LEFT_OUT["prospects"])
    names = ("managers", "leavers", "prospects", "feedback", "previous", "similar", "history")
    return without_evaluation(emptied(site, *names, "explanations", "evidence"))


ACCOUNT = "account"
EDGES = {  # what is not there, and the pages that it concerns
    "active accounts": (
        lambda site: scored(site, site.scores.assign(lapsed=True, contact_profit=np.nan)),
        ("index.html", "worklist.html", "managers.html", "win_back.html", "methods.html", ACCOUNT),
    ),
    "lapsed accounts": (
        lambda site: scored(site, site.scores.assign(lapsed=False, contact_profit=1.0)),
        ("index.html", "worklist.html", "managers.html", "win_back.html"),
    ),
    "classes": (unclassed, ("index.html", "worklist.html", ACCOUNT)),
    "managers": (
        lambda site: decided(emptied(site, "managers", "leavers"), **LEFT_OUT["managers"]),
        ("managers.html",),
    ),
    "prospects": (lambda site: decided(emptied(site, "prospects"), **LEFT_OUT["prospects"]), ("prospects.html",)),
    "rows of prospects": (lambda site: emptied(site, "prospects"), ("prospects.html",)),
    "feedback": (lambda site: emptied(site, "feedback"), ("index.html", ACCOUNT)),
    "changes explained": (without_changes, ("index.html", ACCOUNT)),
    "outcomes known": (
        lambda site: replace(site, predictions=site.predictions.assign(label=np.nan)),
        ("index.html", "methods.html"),
    ),
}


@pytest.mark.parametrize("what", EDGES)
def test_pages_are_whole_where_there_are_no(site, what):
    change, files = EDGES[what]
    given = change(site)
    for file in files:
        html = account_page(given) if file == ACCOUNT else page(given, file)
        says_nothing_empty(html)


@pytest.mark.parametrize("change", [without_accounts, without_tables])
def test_the_site_is_written_whole_where_next_to_nothing_is_there(site, tmp_path, change):
    folder = tmp_path / "report"
    write(change(replace(site, at_risk=2.0)), folder)
    for file in folder.rglob("*.html"):
        says_nothing_empty(file.read_text(encoding="utf-8"))
    assert dead(folder) == []
    assert {file.name for file in folder.glob("*.html")} == set(PAGES)


def test_accounts_at_risk_listed_to_be_talked_to_or_asked_for_have_a_page(site):
    def paged(**values: object) -> set[str]:
        return set(reports.site._paged(replace(site, **values)))

    scores, listed = site.scores, site.worklist
    risky = set(scores.loc[~scores["lapsed"] & (scores["risk"] >= 0.3), "account_id"])
    do = set(listed.loc[listed["decision"] == "do", "account_id"])
    talk = site.win_back.loc[site.win_back["decision"] == "talk", "account_id"]
    assert do - risky
    assert paged() == risky | do | set(talk.head(7))
    assert paged(top=1) == risky | do | set(talk.head(1))
    assert paged(at_risk=2.0) == do | set(talk.head(7))
    assert paged(asked=["A055"]) == paged() | {"A055"}
    assert "A055" not in paged()
    assert paged(asked=None) == set(scores["account_id"])


def test_the_site_is_written_whole_or_not_at_all(site, tmp_path, monkeypatch):
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "index.html").write_text("before")
    (folder / "gone.html").write_text("before")

    def broken(*_: object) -> dict[str, object]:
        raise RuntimeError("stop")

    title = PAGES["economics.html"][0]
    monkeypatch.setattr(reports.site, "PAGES", {"economics.html": (title, broken)})
    with pytest.raises(RuntimeError, match="stop"):
        write(site, folder)
    assert contents(folder) == {"index.html": b"before", "gone.html": b"before"}
    monkeypatch.setattr(reports.site, "PAGES", {"economics.html": PAGES["economics.html"]})
    write(site, folder)
    assert {path.name for path in folder.glob("*.html")} == {"economics.html"}
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.fixture
def untranslated(monkeypatch):
    """Every language has a catalogue without a message."""
    monkeypatch.setattr(reports.language, "catalogue", lambda language: NullTranslations())


@pytest.mark.usefixtures("untranslated")
def test_a_second_language_lies_in_a_folder_of_its_own_and_leads_back(site, written, tmp_path):
    folder = tmp_path / "report"
    number = write(replace(site, at_risk=0.6), folder, ("en", "zh_Hans"))
    assert number == len(list(folder.rglob("*.html"))) == 2 * len(list((folder / "zh_Hans").rglob("*.html")))
    assert dead(folder) == []
    assert not (folder / "zh_Hans" / "style.css").exists()
    for name in ("index.html", f"accounts/{next((folder / 'accounts').iterdir()).name}"):
        for place, tag in (("", "en"), ("zh_Hans/", "zh-Hans")):
            html = (folder / place / name).read_text(encoding="utf-8")
            says_nothing_empty(html)
            assert f'<html lang="{tag}">' in html
            here = posixpath.dirname(f"{place}{name}")
            twins = {
                found["hreflang"]: (posixpath.normpath(posixpath.join(here, found["href"])), found.get("aria-current"))
                for kind, found in Reader(html).tags
                if kind == "a" and "hreflang" in found
            }
            assert {tag: file for tag, (file, _) in twins.items()} == {"en": name, "zh-Hans": f"zh_Hans/{name}"}
            assert [other for other, (_, current) in twins.items() if current] == [tag]
    assert "1 January 2025" in (folder / "index.html").read_text(encoding="utf-8")
    assert "2025年1月1日" in (folder / "zh_Hans" / "index.html").read_text(encoding="utf-8")
    assert contents(folder)["data/worklist.csv"] == contents(written)["data/worklist.csv"]


@pytest.mark.usefixtures("untranslated")
def test_the_first_language_lies_at_the_root(site, tmp_path, monkeypatch):
    monkeypatch.setattr(reports.site, "PAGES", {"economics.html": PAGES["economics.html"]})
    write(replace(site, at_risk=2.0), tmp_path / "report", ("ro",))
    html = (tmp_path / "report" / "economics.html").read_text(encoding="utf-8")
    assert '<html lang="ro">' in html
    assert "hreflang" not in html
    assert not (tmp_path / "report" / "ro").exists()


def test_with_one_language_no_other_is_offered(pages):
    assert all("hreflang" not in html for html in pages.values())


def test_the_footer_says_what_it_is_and_where_it_comes_from(pages):
    for html in pages.values():
        footer = Reader(html[html.index("<footer>") : html.index("</footer>") + 9]).text
        assert footer.startswith("Associated, not causal.")
        assert all(word in footer for word in ("9f2c", "ab12", "4c25a28", "yes: better than every baseline"))
