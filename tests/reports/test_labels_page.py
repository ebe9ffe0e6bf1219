"""The page of definitions: what it shows, and that no text of the data becomes markup."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from models.definitions import compare, moves
from reports.labels import Page, render, title_of

EVIL = "<script>alert(1)</script>&\"'"


def page(accounts: int = 30, names: dict[str, str] | None = None) -> str:
    index = [f"A{number}" for number in range(accounts - 1)] + [EVIL]
    rng = np.random.default_rng(1)
    risks = pd.DataFrame({name: rng.random(accounts) for name in ("silent", "halved", "rhythm")}, index=index)
    labels = (risks > 0.5).astype(float)
    labels.loc[index[:3], "halved"] = np.nan
    found = {
        "as_of": "2011-06-10",
        "accounts": accounts,
        "predicts": "silent",
        "formula": {"silent": "No order.", "halved": "Under half.", "rhythm": "No order for long."},
        **compare(risks, labels),
        "moves": moves(risks, "silent", 30),
    }
    return render(Page(EVIL, found, risks, names or {}))


def test_no_text_of_the_data_becomes_markup():
    html = page(names={EVIL: EVIL, "A1": "<b>bold</b>"})
    assert "<script" not in html
    assert "<b>" not in html
    assert "&lt;b&gt;bold" in html


def test_every_definition_has_its_row_in_every_table():
    html = page()
    for name in ("silent", "halved", "rhythm"):
        assert html.count(f'<th scope="row">{title_of(name)}</th>') == 4
    assert "2011" in html
    assert html.count("<svg") == 1
    assert not re.search(r'(src|href)="https?:', html)


def test_the_same_data_give_the_same_page():
    assert page() == page()


def test_few_accounts_and_none_that_moves():
    index = ["A", "B"]
    risks = pd.DataFrame({"silent": [0.5, 0.1], "halved": [0.4, 0.3]}, index=index)
    labels = pd.DataFrame({"silent": [1.0, 0.0], "halved": [np.nan, np.nan]}, index=index)
    found = {
        "as_of": "2011-06-10",
        "accounts": 2,
        "predicts": "halved",
        "formula": {"silent": "a", "halved": "b"},
        **compare(risks, labels),
        "moves": moves(risks, "silent", 5),
    }
    html = render(Page("x", found, risks, {}))
    assert "No account moves." in html
    assert "–" in html  # no AUC without losses
