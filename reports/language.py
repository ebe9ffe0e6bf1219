"""The language that a page is written in: its catalogue of messages, and its locale for numbers, days and units.

Messages are English in the code, in templates, in the declarations of features and in `reasons.yaml`; the catalogues
`reports/locale/<language>.po` hold the others. `reports/messages.py` collects what has to be in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from features.errors import ConfigurationError

LANGUAGES = {"en": "English", "zh_Hans": "简体中文", "zh_Hant": "繁體中文", "ro": "română"}
LOCALES = {"en": "en_GB"}  # days before months; the other languages are locales themselves
CATALOGUES = Path(__file__).parent / "locale"

_current: ContextVar[str] = ContextVar("language", default="en")


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Everything within is written in `language`.

    Raises ConfigurationError for a language that has no catalogue.
    """
    if language not in LANGUAGES:
        raise ConfigurationError(
            f"There is no language {language!r}. Choose one of {', '.join(LANGUAGES)} (`report.language`, or `--lang`)."
        )
    token = _current.set(language)
    try:
        yield
    finally:
        _current.reset(token)


def language() -> str:
    """The language spoken now, a key of LANGUAGES."""
    return _current.get()


def locale() -> Locale:
    """Its locale."""
    return _locale(language())


def tag(of: str) -> str:
    """The tag of a language for HTML: zh-Hans."""
    return of.replace("_", "-")


def translations() -> NullTranslations:
    """Its messages, as gettext has them."""
    return catalogue(language())


def message(text: str) -> str:
    """The text itself: marks what is said later, where its language is known, so that the catalogues hold it."""
    return text


def say(message: str, /, **values: object) -> str:
    """The message in the language spoken, with its {placeholders} filled in."""
    return translations().gettext(message).format(**values)


def say_number(one: str, many: str, n: float, /, **values: object) -> str:
    """`one` or `many`, as the language counts `n`; both may name {n}, given as it is to be written."""
    return translations().ngettext(one, many, _whole(n)).format(**values)


@cache
def catalogue(language: str) -> NullTranslations:
    """The messages of a language; of English they are what stands in the code."""
    if language == "en":
        return NullTranslations()
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        read = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, read)
    compiled.seek(0)
    return GNUTranslations(compiled)


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(LOCALES.get(language, language))


def _whole(n: float) -> int:
    """What stands for `n` where languages count: a fraction is never one thing."""
    return int(n) if n == int(n) else 2
