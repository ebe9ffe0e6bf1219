"""The form on an account's page writes what is said to a file that the next run reads."""

import re
from datetime import date
from pathlib import Path

HEAD = "account_id,given_on,verdict,reason,by"


def say(page, verdict, by, reason=None):
    page.get_by_label(verdict).check()
    if reason:
        page.locator("select[name=reason]").select_option(reason)
    page.get_by_label("Who says so").fill(by)
    with page.expect_download() as waited:
        page.get_by_role("button", name="Write to a file").click()
    assert re.fullmatch(r"feedback-\d{4}-\d\d-\d\d-[\w-]+\.csv", waited.value.suggested_filename)
    return Path(waited.value.path()).read_bytes().decode()


def test_the_file_holds_what_was_said_of_every_account(opened, folder):
    first, second = (path.stem for path in sorted((folder / "accounts").iterdir())[:2])
    today = date.today().isoformat()
    page = opened.open(f"accounts/{first}.html")
    assert page.locator("select[name=reason]").is_disabled()
    file = say(page, "The reasons are right", '=HYPERLINK("x","y"), Ann')
    row = f'"{first}","{today}","agree","","\'=HYPERLINK(""x"",""y""), Ann"'
    assert file == f"{HEAD}\r\n{row}\r\n"
    assert "1 rows" in page.locator("form.feedback output").inner_text()

    page = opened.open(f"accounts/{second}.html")
    page.get_by_label("It is another reason").check()
    assert page.locator("select[name=reason]").is_enabled()
    file = say(page, "It is another reason", "Bo 波", "competitor")
    assert file == f'{HEAD}\r\n{row}\r\n"{second}","{today}","other_reason","competitor","Bo 波"\r\n'
    assert "2 rows" in page.locator("form.feedback output").inner_text()

    file = say(page, "Already handled", "Bo 波")  # a second thought on the same day replaces the first
    assert page.locator("select[name=reason]").is_disabled()
    assert file == f'{HEAD}\r\n{row}\r\n"{second}","{today}","already_handled","","Bo 波"\r\n'


def test_nothing_is_written_before_a_choice_and_a_name(opened, account_page):
    page = opened.open(account_page)
    page.get_by_role("button", name="Write to a file").click()
    assert page.locator("form.feedback output").inner_text() == ""
    page.get_by_label("Already handled").check()
    page.get_by_role("button", name="Write to a file").click()
    assert page.locator("form.feedback output").inner_text() == ""


def test_a_browser_that_keeps_nothing_writes_all_the_same(opened, account_page):
    opened.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden'); } })"
    )
    page = opened.open(account_page)
    assert say(page, "Already handled", "Ann").count("\r\n") == 2
