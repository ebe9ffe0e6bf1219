"""Keeps credentials out of all that is shown: messages, logs, files of tracebacks."""

from __future__ import annotations

import re

_secrets: set[str] = set()
_IN_URL = re.compile(r"(?<=://)([^\s/:@]*):[^\s@]+@")


def keep_secret(*values: str) -> None:
    """From now on `hide` takes these out of any text."""
    _secrets.update(value for value in values if value)


def hide(text: str) -> str:
    """The text without what is to be kept secret, and without the password of any URL."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _IN_URL.sub(r"\1:***@", text)
