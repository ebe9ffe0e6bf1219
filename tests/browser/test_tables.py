"""Tables are sorted by what their cells mean and filtered as one types, with a mouse and without."""

import pytest


def column(page, table, place):
    """What the rows shown hold, by text and by exact value (None where a cell has none)."""
    return page.evaluate(
        """([table, place]) => Array.from(document.querySelectorAll(`#${table} tbody tr`))
            .filter((row) => !row.hidden)
            .map((row) => [row.cells[place].innerText.trim(), row.cells[place].querySelector("data")?.value ?? null])""",
        [table, place],
    )


def head(page, table, name):
    return page.locator(f"#{table} thead th").filter(has=page.get_by_role("button", name=name, exact=True))


def place_of(page, table, name):
    return page.locator(f"#{table} thead th").all_inner_texts().index(name)


def sort(page, table, name):
    page.locator(f"#{table} thead").get_by_role("button", name=name, exact=True).click()


def test_numbers_are_sorted_by_their_exact_value(opened):
    page = opened.open("index.html")
    place = place_of(page, "accounts-table", "Expected loss")
    sort(page, "accounts-table", "Expected loss")
    assert head(page, "accounts-table", "Expected loss").get_attribute("aria-sort") == "descending"
    cells = column(page, "accounts-table", place)
    exact = [float(value) for _, value in cells]
    assert len(exact) > 10
    assert exact == sorted(exact, reverse=True)
    texts = [text for text, _ in cells]
    assert texts != sorted(texts, reverse=True)  # by text it would be another order
    sort(page, "accounts-table", "Expected loss")
    assert head(page, "accounts-table", "Expected loss").get_attribute("aria-sort") == "ascending"
    assert [float(value) for _, value in column(page, "accounts-table", place)] == sorted(exact)


def test_only_the_column_sorted_by_says_so(opened):
    page = opened.open("index.html")
    sort(page, "accounts-table", "Risk")
    sort(page, "accounts-table", "Account")
    assert page.locator("#accounts-table [aria-sort]").count() == 1
    assert head(page, "accounts-table", "Account").get_attribute("aria-sort") == "ascending"


def test_days_are_sorted_by_the_calendar(opened):
    page = opened.open("managers.html")
    place = place_of(page, "managers-table", "With us since")
    sort(page, "managers-table", "With us since")
    cells = [cell for cell in column(page, "managers-table", place) if cell[1]]
    assert len(cells) > 3
    assert [value for _, value in cells] == sorted(value for _, value in cells)
    assert [text for text, _ in cells] != sorted(text for text, _ in cells)


def test_words_are_sorted_as_the_language_sorts_them(opened):
    page = opened.open("win_back.html")
    place = place_of(page, "lapsed-table", "Decision")
    sort(page, "lapsed-table", "Decision")
    texts = [text for text, _ in column(page, "lapsed-table", place)]
    assert len(set(texts)) > 1
    assert texts == sorted(texts, key=str.casefold)


@pytest.mark.parametrize("clicks", [1, 2])
def test_what_is_not_known_comes_last_both_ways(opened, clicks):
    page = opened.open("index.html")
    page.evaluate(
        """() => {
          const rows = document.querySelector("#accounts-table tbody").rows;
          rows[0].cells[3].innerHTML = '<data value="">–</data>';
          rows[2].cells[2].textContent = "";
        }"""
    )
    for _ in range(clicks):
        sort(page, "accounts-table", "Risk")
    assert column(page, "accounts-table", 3)[-1] == ["–", ""]
    for _ in range(clicks):
        sort(page, "accounts-table", "Region")
    assert column(page, "accounts-table", 2)[-1][0] == ""


def test_rows_that_are_alike_keep_their_order(opened):
    page = opened.open("index.html")
    sort(page, "accounts-table", "Account")
    sort(page, "accounts-table", "Region")
    cells = zip(column(page, "accounts-table", 2), column(page, "accounts-table", 0), strict=True)
    pairs = [(region, account) for (region, _), (account, _) in cells]
    assert pairs == sorted(pairs)


def test_the_keyboard_alone_sorts(opened):
    page = opened.open("worklist.html")
    page.locator("#worklist-table thead button").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Account"
    page.keyboard.press("Enter")
    assert head(page, "worklist-table", "Account").get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    assert head(page, "worklist-table", "Account").get_attribute("aria-sort") == "descending"


def test_rows_are_found_by_what_is_typed_and_counted(opened):
    page = opened.open("index.html")
    form = page.locator('form.filter[data-table="accounts-table"]')
    rows = len(column(page, "accounts-table", 0))
    assert form.locator("output").inner_text() == f"{rows} of {rows} rows"
    wanted = page.locator("#accounts-table tbody .id").nth(3).inner_text()
    form.get_by_role("searchbox").fill(wanted.lower())
    assert [text.split()[0] for text, _ in column(page, "accounts-table", 0)] == [wanted]
    assert form.locator("output").inner_text() == f"1 of {rows} rows"
    form.get_by_role("searchbox").fill("nobody is called so")
    assert column(page, "accounts-table", 0) == []
    assert form.locator("output").inner_text() == f"0 of {rows} rows"
    form.get_by_role("searchbox").fill("")
    assert len(column(page, "accounts-table", 0)) == rows


def test_choices_and_words_go_together(opened):
    page = opened.open("index.html")
    form = page.locator('form.filter[data-table="accounts-table"]')
    choice = form.get_by_role("combobox").first
    every = {text for text, _ in column(page, "accounts-table", 1)}
    chosen = choice.locator("option").nth(1).get_attribute("value")
    choice.select_option(chosen)
    cells = [text for text, _ in column(page, "accounts-table", 1)]
    assert set(cells) == {chosen} < every
    assert form.locator("output").inner_text().startswith(f"{len(cells)} of ")
    first = page.locator("#accounts-table tbody tr:not([hidden]) .id").first.inner_text()
    form.get_by_role("searchbox").fill(first)
    assert len(column(page, "accounts-table", 1)) == 1
    sort(page, "accounts-table", "Risk")  # sorting leaves hidden what is hidden
    assert len(column(page, "accounts-table", 1)) == 1


def test_without_the_script_all_can_be_read(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "worklist.html").as_uri())
    assert page.locator("form.filter").first.is_hidden()
    assert page.locator("#worklist-table tbody tr").first.is_visible()
    context.close()
