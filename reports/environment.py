"""The environment of the templates: escaped, strict, and speaking the language that is spoken when it is made."""

from __future__ import annotations

import math
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.language import translations
from reports.words import clauses, count, duration, listed, number, paragraph, percent, span

TEMPLATES = Path(__file__).parent / "templates"
EXTENSION = "jinja2.ext.i18n"


def environment() -> Environment:
    """Templates of HTML; `{% trans %}` and `gettext` have the messages of the language spoken.

    Filters: exact (for machines), unbroken, percent, count, number, duration, span (of two numbers in words), listed, clauses and paragraph (of lists).
    """
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=[EXTENSION],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_translations(translations(), newstyle=True)  # type: ignore[attr-defined]
    made.filters |= {
        "exact": exact,
        "unbroken": unbroken,
        "percent": percent,
        "count": count,
        "number": number,
        "duration": duration,
        "span": span,
        "listed": listed,
        "clauses": clauses,
        "paragraph": paragraph,
    }
    return made


def exact(value: float | None, digits: int = 2) -> str:
    """A number for machines, to the cent by default; nothing for what is not known."""
    if value is None or not math.isfinite(value):
        return ""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def unbroken(sentence: str) -> str:
    """The sentence with no line broken between a number and its sign, or what it goes to or moves."""
    return re.sub(r"(?<=[\d%]) (?=→)|(?<=\w) (?=[+−]\d)", "\N{NO-BREAK SPACE}", sentence)
