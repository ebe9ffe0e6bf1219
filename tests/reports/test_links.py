"""Files of account pages: one each, on every file system, with nothing in their names that means something else."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from reports.links import RESERVED, Links

ids = st.lists(
    st.one_of(st.text(min_size=1, max_size=120), st.sampled_from(["a1", "A1", "con", "CON", "../x", "a/b", "a_b"]))
)


@given(ids.map(lambda found: sorted(set(found))))
def test_each_account_has_a_file_of_its_own_whatever_its_id(accounts):
    links = Links.of(accounts, accounts)
    files = [links.page(account) for account in accounts]
    assert len({file.casefold() for file in files}) == len(accounts)
    for file in files:
        assert re.fullmatch(r"accounts/[A-Za-z0-9_~-]+\.html", file)
        assert file.removeprefix("accounts/").removesuffix(".html").casefold() not in RESERVED
        assert len(file) < 120


def test_a_plain_id_is_its_file_and_an_account_without_a_page_has_none():
    links = Links.of(["A1", "B-2", "C"], ["A1", "B-2"])
    assert [links.page(account) for account in ("A1", "B-2", "C")] == ["accounts/A1.html", "accounts/B-2.html", None]


def test_a_page_keeps_its_file_when_others_get_pages():
    assert Links.of(["a1", "A1"], ["a1"]).page("a1") == Links.of(["a1", "A1"], ["a1", "A1"]).page("a1")
