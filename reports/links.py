"""Which accounts have a page of their own, and in which file."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RESERVED = {"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10))}
LONGEST = 80  # letters of a file's name


@dataclass(frozen=True)
class Links:
    """The page of each account that has one, by account_id: `accounts/A1.html`."""

    paged: Mapping[str, str]

    @classmethod
    def of(cls, accounts: Sequence[str], paged: Sequence[str]) -> Links:
        """Pages for `paged`, each file's name unlike any other's on every file system, also if letters' case is lost."""
        times = Counter(_plain(account).casefold() for account in accounts)
        return cls({account: f"accounts/{_file(account, times)}.html" for account in paged})

    def page(self, account: str) -> str | None:
        """The account's page; None where it has none."""
        return self.paged.get(account)


def _file(account: str, times: Mapping[str, int]) -> str:
    plain = _plain(account)
    if plain == account and times[plain.casefold()] == 1 and plain.casefold() not in RESERVED:
        return plain
    return f"{plain}~{hashlib.blake2b(account.encode(), digest_size=6).hexdigest()}"


def _plain(account: str) -> str:
    """The account's id with letters, digits, - and _ alone."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", account)[:LONGEST]
