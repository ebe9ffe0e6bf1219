"""The templates of the pages, with filters that write for a reader of the language spoken."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.language import message, say, translations
from reports.measures import MODELS
from reports.words import count, money, number, percent

if TYPE_CHECKING:
    from reports.site import Site

TEMPLATES = Path(__file__).parent / "templates"
VERDICTS = {
    "agree": message("The reasons are right"),
    "other_reason": message("It is another reason"),
    "already_handled": message("Already handled"),
}


def environment(site: Site) -> Environment:
    """Templates in the language spoken now; all text from the data is escaped."""
    engine = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    engine.install_gettext_translations(translations(), newstyle=True)  # type: ignore[attr-defined]
    engine.filters |= {
        "money": lambda value: money(value, site.currency),
        "exact": exact,
        "percent": percent,
        "count": count,
        "number": number,
        "reason": site.reason,
        "verdict": lambda code: say(VERDICTS[code]),
        "model": lambda name: MODELS.get(name, name),
        "unbroken": unbroken,
    }
    return engine


def exact(value: float | None, digits: int = 2) -> str:
    """A number for machines, to the cent by default; nothing for what is not known."""
    if value is None or not math.isfinite(value):
        return ""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def unbroken(sentence: str) -> str:
    """The sentence with no line broken between a number and its sign, what it counts in percent or what it moves."""
    return re.sub(r"(?<=\d) (?=[%→])|(?<=\w) (?=[+−]\d)", "\N{NO-BREAK SPACE}", sentence)
