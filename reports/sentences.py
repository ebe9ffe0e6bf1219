"""Sentences of evidence in the language spoken: those of the features' declarations, with an account's own numbers.

A row of evidence (`models.evidence`) is told with the value, its day if that is not the scoring's, the day it goes back to,
the account's own values before and now, and what accounts of its size have.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import Any

import pandas as pd

from features.catalog import DECLARED
from features.declaration import Feature, Unit
from reports.language import language, say, say_number
from reports.words import clauses, day, exact_percent, number, quantity, significant, text

STOPS = ".。"  # what ends a sentence
FEW_DAYS = 3  # under which a mean is told with a digit after the point


def with_sentences(evidence: pd.DataFrame) -> pd.DataFrame:
    """The rows of evidence with the column `sentence`."""
    return evidence.assign(
        sentence=pd.Series(map(told, evidence.to_dict("records")), index=evidence.index, dtype="str")
    )


def told(row: Mapping[Any, Any]) -> str:
    """The sentence of a row of `models.evidence.COLUMNS`."""
    feature, as_of = DECLARED[row["feature"]], row["as_of"]
    values = {feature.name: float(row["value"])}
    if others := text(row["others"]):
        values |= {name: math.nan if value is None else value for name, value in json.loads(others).items()}
    said = sentence(feature, values, as_of)
    shown = []
    if not math.isnan(row["before"]):
        shown.append(say("on {day}: {value}", day=day(row["past"]), value=worded(row["before"], feature.unit)))
    if as_of < row["latest"]:
        said = say("On {day}: {sentence}", day=day(as_of), sentence=said)
        shown.append(say("now: {value}", value=worded(row["now"], feature.unit)))
    if not math.isnan(row["peers"]) and not feature.peers:  # else its value says already how it stands to peers
        shown.append(say("accounts of its size: {value}", value=worded(row["peers"], feature.unit)))
    if not shown:
        return said
    return say("{sentence} ({compared}).", sentence=said.rstrip(STOPS), compared=clauses(shown))


def sentence(feature: Feature, values: Mapping[str, float], as_of: date) -> str:
    """The feature's sentence with the account's own numbers and dates; `values` by feature, of those it mentions."""
    own = values[feature.name]
    words = {name: worded(value, DECLARED[name].unit) for name, value in values.items() if name != feature.name}
    words["value"] = worded(own, feature.unit)
    if feature.since:
        words["since"] = day(as_of - timedelta(days=round(own)))
    if (one := singular(feature.sentence)) == feature.sentence:
        return say(feature.sentence, **words)
    return say_number(one, feature.sentence, _counted(own, feature.unit), **words)


@cache
def singular(sentence: str) -> str:
    """A feature's sentence for a value of one: "{value} rebates are" as "{value} rebate is", "{value} of its
    invoices are" as "{value} of its invoices is", "{value} times" as "once".

    The grammar of English, whose sentences have no form for one of their own; the same where nothing changes. Other
    languages have forms in their catalogues.
    """
    sentence = re.sub(r"\{value\} times\b", "once", sentence)
    sentence = re.sub(r"\{value\} (\w+)ies\b", r"{value} \1y", sentence)
    sentence = re.sub(r"\{value\} (\w+[^s\W])s\b", r"{value} \1", sentence)
    sentence = re.sub(r"(\{value\} (?:of its )?\w+(?: of [\w ]+?)?) are\b", r"\1 is", sentence)
    sentence = re.sub(r"(\{value\} of its \w+) have\b", r"\1 has", sentence)
    return re.sub(r"(\{value\} \w+ of [\w ]+?) repeat\b", r"\1 repeats", sentence)


def worded(value: float, unit: Unit) -> str:
    """A number with its unit as a reader writes it: 12,345 or 47 days or 23%; "no value" for NaN."""
    return _worded(language(), value, unit)


@lru_cache(maxsize=1 << 16)
def _worded(language: str, value: float, unit: Unit) -> str:
    """As `worded`; the same few numbers stand in many sentences, and a locale takes its time."""
    if math.isnan(value):
        return say("no value")
    if unit == "days":
        return quantity(_rounded_days(value), "days")
    if unit == "share":
        digits = 0 if value >= 0.1 or value == 0 else 1
        return exact_percent(round(value * 100, digits) / 100 + 0.0, digits)  # no negative zero
    if unit == "ratio" and abs(value) < 10:
        return significant(value, 2)
    if unit == "pieces":
        return say_number("{n} piece", "{n} pieces", round(value), n=number(value, 0))
    return number(value, 1 if _fraction(value, unit) else 0)


def _counted(value: float, unit: Unit) -> float:
    """What a value counts as once it is written: 1 of 1.00 times, and of "1.0 complaints" no whole number."""
    if unit == "ratio" and abs(value) < 10:
        return float(f"{value:.2g}")
    if unit == "days" and not math.isnan(value):
        return _rounded_days(value)
    return 0.5 if math.isnan(value) or _fraction(value, unit) else round(value)


def _rounded_days(value: float) -> float:
    """Whole days, but for the means of a few: 0.6 against 1.4 days would be told as one and one."""
    return round(value, 1 if abs(value) < FEW_DAYS else 0)


def _fraction(value: float, unit: Unit) -> bool:
    """Whether a count, such as a mean, is written with a digit after the point."""
    return unit not in ("money", "pieces", "days", "ratio") and abs(value) < 10 and value != round(value)
