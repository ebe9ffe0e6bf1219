"""Every page opens from disk, alone: no network, no error, no markup out of a name, and links that lead somewhere."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

LINKS = "() => Array.from(document.querySelectorAll('a[href]'), (link) => link.href)"


def test_every_page_opens_without_an_error_or_a_request(opened, folder):
    """All pages in English; in the other languages, of the accounts one."""
    pages = sorted(path.relative_to(folder).as_posix() for path in folder.glob("**/*.html"))
    one = {path.parent: path.relative_to(folder).as_posix() for path in sorted(folder.glob("*/accounts/*.html"))}
    pages = [page for page in pages if page.count("/") < 2 or page in one.values()]
    assert sum("accounts/" in page for page in pages) > 40
    for file in pages:
        page = opened.open(file)
        assert page.title(), file
        assert page.locator("h1").count() == 1, file
        assert page.locator("main").inner_text().strip(), file
    assert opened.wrong == []


def test_the_watch_sees_what_would_go_wrong(browser, folder, tmp_path, watch):
    """Else the test above could not fail."""
    (tmp_path / "page.html").write_text(
        "<img src=https://holdfast.invalid/x.png><script src=gone.js></script><script>console.error(1); throw 2</script>"
    )
    context = browser.new_context()
    watched = watch(context, tmp_path)
    watched.open("page.html")
    context.close()
    told = " ".join(watched.wrong)
    assert "https://holdfast.invalid/x.png" in told
    assert "gone.js" in told
    assert len(watched.wrong) >= 4


def test_links_lead_to_pages_and_files_that_are_there(opened, folder):
    found = set()
    for file in ("index.html", "worklist.html", "managers.html", "win_back.html", "prospects.html", "methods.html"):
        found |= set(opened.open(file).evaluate(LINKS))
    for account in sorted((folder / "accounts").iterdir())[:5]:
        found |= set(opened.open(f"accounts/{account.name}").evaluate(LINKS))
    assert len(found) > 60
    assert {link for link in found if not link.startswith("file:")} == set()
    for link in found:
        parts = urlsplit(link)
        target = Path(unquote(parts.path))
        assert target.is_file(), link
        if parts.fragment:
            assert f'id="{parts.fragment}"' in target.read_text(), link


def test_one_walks_from_the_portfolio_to_an_account_and_back(opened):
    page = opened.open("index.html")
    link = page.locator("#accounts-table tbody a").first
    account = link.inner_text()
    link.click()
    assert account in page.locator("header").inner_text()
    page.get_by_role("link", name="Worklist", exact=True).click()
    assert page.locator("nav [aria-current=page]").inner_text() == "Worklist"


def test_the_same_page_in_another_language_is_one_click_away(opened, folder):
    account = sorted((folder / "accounts").iterdir())[0].name
    page = opened.open(f"accounts/{account}")
    for name, tag in (("简体中文", "zh-Hans"), ("română", "ro"), ("English", "en")):
        page.get_by_role("link", name=name, exact=True).click()
        assert page.locator("html").get_attribute("lang") == tag
        assert page.url.endswith(f"accounts/{account}")


def test_a_hostile_name_stays_text(opened, site, hostile):
    """Of a page of an account for each of them, in its heading and its title."""
    paged = {path.stem for path in (opened.folder / "accounts").iterdir()}
    rows = site.accounts[site.accounts["account_id"].isin(paged)]
    for name in hostile:
        account = rows.loc[rows["name"] == name, "account_id"].iloc[0]
        page = opened.open(f"accounts/{account}.html")
        assert page.locator("h1").text_content() == name
        assert page.title() == f"{account} · {name}"
        assert page.locator("img").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    page = opened.open("worklist.html")
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    shown = page.locator("#worklist-table .name").all_text_contents()
    assert set(shown) & set(hostile)


@pytest.mark.parametrize("file", ["index.html", "worklist.html", "account"])
def test_a_page_is_printed_without_what_only_a_screen_can_use(opened, account_page, file):
    page = opened.open(account_page if file == "account" else file)
    page.emulate_media(media="print")
    for gone in (".top", ".skip", "form.filter", "form.feedback"):
        for found in page.locator(gone).all():
            assert not found.is_visible(), gone
    assert page.locator("h1").is_visible()
    assert page.locator("footer").is_visible()
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    # A sheet of 210 mm less its margins: what is wider is cut off on paper.
    page.set_viewport_size({"width": 688, "height": 1000})
    assert (
        page.evaluate(
            "Math.max(...Array.from(document.querySelectorAll('main *'), e => e.getBoundingClientRect().right))"
        )
        <= 700
    )
