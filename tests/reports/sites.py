"""A small site of made-up frames, and its pages one by one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields, replace
from functools import cache
from typing import Any

import pandas as pd
from decisions import (
    accounts_of,
    decided_of,
    feedback_of,
    history_of,
    leavers_of,
    managers_of,
    prospects_of,
    win_back_of,
    worklist_of,
)
from frames import (
    DAY,
    ECONOMICS,
    evidence_of,
    explanations_of,
    metrics_of,
    plan_of,
    predictions_of,
    previous_of,
    scores_of,
    similar_of,
)
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket

from models import label_free
from models.agreement import agreement
from reports import account, site
from reports.language import language, speaking
from reports.links import Links
from reports.site import PAGES, TEMPLATES, Site

HOSTILE = "</title></svg><script>alert('x')</script><!-- $a_b$ & \"q\" #010101"


@cache
def site_of() -> Site:
    """The site that tests start from; its frames are shared, so change copies only."""
    scores, predictions = scores_of(), predictions_of()
    return Site(
        source="simulated",
        as_of=DAY,
        horizon="3 months",
        currency="EUR",
        scores=scores,
        evidence=evidence_of(scores),
        explanations=explanations_of(scores),
        previous=previous_of(scores),
        similar=similar_of(scores),
        **decisions_of(scores),
        feedback=feedback_of(),
        agreement=agreement(feedback_of(), scores),
        metrics=metrics_of(predictions),
        predictions=predictions,
        economics=ECONOMICS,
        plan=plan_of(scores),
        live={"as_of": "2025-01-01", "population": label_free.live(scores, 40, 0.95, 1)},
        hypotheses=(),
        top=7,
        at_risk=0.3,
        lineage=(
            *(("data", "ab12, 2025-01-01"), ("model", "9f2c"), ("code", "4c25a28")),
            ("champion", "yes: better than every baseline"),
        ),
    )


def decisions_of(scores: pd.DataFrame) -> dict[str, Any]:
    """The fields of a site that come from stage decide."""
    accounts = accounts_of(scores)
    leavers = leavers_of(accounts)
    listed, summary = worklist_of(accounts)
    return {
        "accounts": accounts,
        "history": history_of(scores),
        "worklist": listed,
        "leavers": leavers,
        "managers": managers_of(leavers),
        "win_back": win_back_of(accounts),
        "prospects": prospects_of(),
        "decided": decided_of(accounts, summary),
    }


def scored(given: Site, scores: pd.DataFrame) -> Site:
    """The site with other scores, and what follows from them anew: evidence, plan and decisions."""
    return replace(given, scores=scores, evidence=evidence_of(scores), plan=plan_of(scores), **decisions_of(scores))


def with_row(given: Site, account_id: str = "A001", **values: object) -> Site:
    """The site with other values in the scores of one account, and its evidence told anew."""
    scores = given.scores.copy()
    for column, value in values.items():
        scores.loc[scores["account_id"] == account_id, column] = value
    return replace(given, scores=scores, evidence=evidence_of(scores))


def changed(given: Site, table: str, account_id: str, **values: object) -> Site:
    """The site with other values in the rows of one account in one of its tables."""
    frame = getattr(given, table).copy()
    for column, value in values.items():
        places = frame.index[frame["account_id"] == account_id]
        frame[column] = frame[column].astype(object)
        frame.loc[places, column] = pd.Series([value] * len(places), places, dtype=object)
    return replace(given, **{table: frame})


def decided(given: Site, **values: object) -> Site:
    """The site with other values in what of the decisions is no table."""
    return replace(given, decided={**given.decided, **values})


def tables(given: Site) -> dict[str, pd.DataFrame]:
    """All tables of the site by name."""
    found = {each.name: getattr(given, each.name) for each in fields(given)}
    return {name: table for name, table in found.items() if isinstance(table, pd.DataFrame)}


def emptied(given: Site, *names: str) -> Site:
    """The site with none of the rows of these tables."""
    return replace(given, **{name: getattr(given, name).head(0) for name in names})


class Compiled(BytecodeCache):
    """Templates compiled once a language for all pages of a test run: that takes longer than to fill them in.

    Once a language, since Jinja works out filters of constants, such as the name of a reason, while it compiles.
    """

    def __init__(self) -> None:
        self.code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if code := self.code.get(bucket.key):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.code[bucket.key] = bucket.bytecode_to_string()


COMPILED: dict[str, Compiled] = defaultdict(Compiled)


def engine_of(given: Site) -> Environment:
    """The templates that know the site, as `reports.site.write` has them."""
    engine = site._engine(given)
    engine.bytecode_cache = COMPILED[language()]
    return engine


def links_of(given: Site) -> Links:
    """The pages that its accounts have."""
    return Links.of(given.scores["account_id"].tolist(), site._paged(given))


def page(given: Site, file: str = "index.html", language: str = "en") -> str:
    """One page of the site as `reports.site.write` would write it, alone."""
    with speaking(language):
        template = engine_of(given).get_template(TEMPLATES.get(file, f"{file}.j2"))
        about = site._about(given, language, {language: ""}, file, "")
        return template.render(**about, **PAGES[file][1](given, links_of(given)))


def account_page(given: Site, account_id: str = "A001", language: str = "en") -> str:
    """The page of one account, alone; it is asked for where it has none."""
    given = replace(given, asked=[account_id])
    links = links_of(given)
    with speaking(language):
        template = engine_of(given).get_template("account.html.j2")
        for file, found in account.contexts(given, links):
            if file == links.page(account_id):
                return template.render(**site._about(given, language, {language: ""}, file, "../"), **found)
    raise KeyError(account_id)
