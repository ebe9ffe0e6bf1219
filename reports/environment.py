"""The environment of the templates: escaped, strict, and speaking the language that is spoken when it is made."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.language import translations
from reports.words import clauses, count, duration, listed, number, percent, span

TEMPLATES = Path(__file__).parent / "templates"
EXTENSION = "jinja2.ext.i18n"


def environment() -> Environment:
    """Templates of HTML; `{% trans %}` and `gettext` have the messages of the language spoken.

    Filters: percent, count, number, duration, span (of two numbers in words), listed and clauses (of lists).
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
        "percent": percent,
        "count": count,
        "number": number,
        "duration": duration,
        "span": span,
        "listed": listed,
        "clauses": clauses,
    }
    return made
