"""The pages fit: at a desk and on a phone, in light and dark, in every language, for eyes, keyboards and screen readers."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from reports.language import LANGUAGES
from reports.site import PAGES

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1200, "height": 900}
KINDS = [*PAGES, "account"]
OVERFLOW = """() => Array.from(document.querySelectorAll("body *"))
  .filter((item) => !item.closest(".scroll") && !item.closest(".skip") && item.getClientRects().length > 0)
  .filter((item) => item.getBoundingClientRect().right > document.documentElement.clientWidth + 1
    || (item.matches(".numbers *, nav a, .tag, .button") && item.scrollWidth > item.clientWidth + 1 && item.clientWidth > 0))
  .map((item) => item.outerHTML.slice(0, 120))"""
light_and_dark = [
    pytest.param({"color_scheme": scheme, "viewport": size}, id=f"{scheme}-{name}")
    for scheme, name, size in (("light", "desk", DESK), ("dark", "desk", DESK), ("light", "phone", PHONE))
]


@pytest.mark.parametrize("opened", light_and_dark, indirect=True)
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing_serious(opened, account_page, kind):
    page = opened.open(account_page if kind == "account" else kind)
    for closed in page.locator("details").all():
        closed.evaluate("(item) => { item.open = true; }")
    page.evaluate("document.querySelectorAll('tbody tr:nth-child(n+16)').forEach((row) => row.remove())")  # rows alike
    options = {"rules": {"target-size": {"enabled": True}}, "preload": False}  # the style sheet may not be fetched anew
    found = Axe().run(page, options=options).response["violations"]
    serious = [
        f"{item['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for item in found
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"][:3]
    ]
    assert serious == []


@pytest.mark.parametrize("opened", [{"viewport": PHONE}, {"viewport": DESK}], indirect=True, ids=["phone", "desk"])
@pytest.mark.parametrize("spoken", LANGUAGES)
def test_nothing_sticks_out_in_any_language(opened, account_page, spoken):
    """Tables and charts scroll within their box; the page does not."""
    root = "" if spoken == "en" else f"{spoken}/"
    for kind in KINDS:
        page = opened.open(root + (account_page if kind == "account" else kind))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), kind
        assert page.evaluate(OVERFLOW) == [], kind
        assert page.locator("nav").bounding_box()["height"] < (180 if page.viewport_size["width"] == 360 else 60), kind


@pytest.mark.parametrize("opened", [{"viewport": PHONE}], indirect=True, ids=["phone"])
def test_a_wide_table_scrolls_in_its_box_on_a_phone(opened):
    page = opened.open("worklist.html")
    box = page.locator(".scroll:has(#worklist-table)")
    assert box.evaluate("(item) => item.scrollWidth > item.clientWidth")
    assert box.get_attribute("tabindex") == "0"  # the keyboard reaches what is hidden
    assert box.get_attribute("aria-label")


def test_the_skip_link_comes_first_and_is_seen(opened, account_page):
    page = opened.open(account_page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    box = page.locator(".skip").bounding_box()
    assert box["x"] >= 0
    assert box["width"] > 50
    page.keyboard.press("Enter")
    assert page.url.endswith("#content")


def test_what_has_the_focus_has_an_outline(opened, account_page):
    """Every stop of the keyboard on the page of an account."""
    page = opened.open(account_page)
    stops = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => { const item = document.activeElement, style = getComputedStyle(item);
                return item === document.body ? null : [item.tagName, style.outlineStyle, parseFloat(style.outlineWidth)]; }"""
        )
        if stop is None:
            break
        stops.append(stop)
    assert len(stops) > 12
    assert {"A", "BUTTON", "INPUT", "SUMMARY"} <= {tag for tag, _, _ in stops}
    assert [stop for stop in stops if stop[1] == "none" or stop[2] < 1] == []


@pytest.mark.parametrize("opened", [{"color_scheme": "dark"}], indirect=True, ids=["dark"])
def test_charts_are_drawn_in_the_colours_of_the_page(opened):
    """No colour of a chart is fixed, so that what is dark on white is light on black."""
    page = opened.open("methods.html")
    drawn = page.evaluate(
        """() => Array.from(document.querySelectorAll("figure svg text"), (item) => getComputedStyle(item).fill)"""
    )
    assert len(drawn) > 10
    for colour in set(drawn):
        red, green, blue = (int(part) for part in colour[4:-1].split(","))
        assert 0.2126 * red + 0.7152 * green + 0.0722 * blue > 110, colour


def test_the_style_sheet_stays_small(folder):
    assert (folder / "style.css").stat().st_size < 16_000
