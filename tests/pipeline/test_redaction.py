from __future__ import annotations

import pytest

from pipeline import redaction


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", set())


def test_what_was_registered_is_hidden_the_longest_first() -> None:
    redaction.keep_secret("word", "password", "")
    assert redaction.hide("the password, a word") == "the ***, a ***"


def test_passwords_in_urls_are_hidden_though_nobody_registered_them() -> None:
    assert redaction.hide("no postgresql://u:p:w@host/d or x://u@h") == "no postgresql://u:***@host/d or x://u@h"
    assert redaction.hide("see https://example.com:80/a, mail a@b.c") == "see https://example.com:80/a, mail a@b.c"
