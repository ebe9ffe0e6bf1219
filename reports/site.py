"""The report: a static site of a scoring, for the people who look after the accounts.

It opens from disk, without a network or a server: pages, one style sheet, one script that sorts and filters, and the same
tables as files. The same `Site` gives the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment
from tqdm import tqdm

from features.files import written
from models.campaign import Economics
from models.taxonomy import taxonomy
from reports import (
    account,
    economics,
    exports,
    feedback,
    managers,
    methods,
    monitoring,
    portfolio,
    prospects,
    win_back,
    worklist,
)
from reports.environment import environment
from reports.language import LANGUAGES, language, message, say, speaking, tag
from reports.links import Links
from reports.measures import model_name
from reports.words import day, duration, money

STATIC = Path(__file__).parent / "static"
SHOWN_FROM = 200  # account pages that take long enough for a progress bar

PAGES = {  # file: its title, and the page's context
    "index.html": (message("Portfolio"), portfolio.context),
    "worklist.html": (message("Worklist"), worklist.context),
    "managers.html": (message("Managers"), managers.context),
    "win_back.html": (message("Win-back"), win_back.context),
    "prospects.html": (message("Prospects"), prospects.context),
    "economics.html": (message("Economics"), economics.context),
    "methods.html": (message("Methods"), methods.context),
}
LINEAGE = {  # what the footer names
    "data": message("data, and their cut-off"),
    "model": message("model"),
    "code": message("code"),
    "champion": message("champion"),
}
TEMPLATES = {"index.html": "portfolio.html.j2"}  # of the others the file's own name


@dataclass(frozen=True)
class Site:
    """All that the pages show.

    `scores`, `evidence`, `explanations`: as stages score and explain write them. `previous`: the scoring before, or the
    same accounts a period before by today's model: account_id, as_of, kept, lapsed, risk, amount_12. `similar`: as
    `models.similar` gives it. The rest comes from stage decide: `accounts`, a row an account scored; `history`,
    purchases by account and period; `worklist`, `leavers`, `managers`, `win_back`, `prospects`, each without rows
    where its tables are not there; `decided`: what of it is no table. `feedback`: the words on reasons, by the contract, may be
    empty; `agreement`: what `models.agreement` makes of them.
    `metrics`, `predictions`, `live`, `plan`: as stage evaluate, stage score and `campaign.plan` give them.
    `hypotheses`: codes of the reasons that this data show only from afar. `top`: accounts in the tables of the
    portfolio. `at_risk`: risk from which an active account has a page of its own. `asked`: accounts that have one
    whatever their risk; None: all of them. `lineage`: shown in the footer as it is. `monitoring`: as stage monitor gives it;
    empty where it has not run on this scoring.
    """

    source: str
    as_of: date
    horizon: str
    currency: str
    scores: pd.DataFrame
    evidence: pd.DataFrame
    explanations: pd.DataFrame
    previous: pd.DataFrame
    similar: pd.DataFrame
    accounts: pd.DataFrame
    history: pd.DataFrame
    worklist: pd.DataFrame
    leavers: pd.DataFrame
    managers: pd.DataFrame
    win_back: pd.DataFrame
    prospects: pd.DataFrame
    decided: Mapping[str, Any]
    feedback: pd.DataFrame
    agreement: Mapping[str, Any]
    metrics: Mapping[str, Any]
    predictions: pd.DataFrame
    economics: Economics
    plan: Mapping[str, Any]
    live: Mapping[str, Any]
    hypotheses: Sequence[str]
    top: int
    at_risk: float
    lineage: Sequence[tuple[str, str]]
    monitoring: Mapping[str, Any] = field(default_factory=dict)
    asked: Sequence[str] | None = field(default=())

    @property
    def active(self) -> pd.DataFrame:
        """The scores of accounts that are not lapsed, riskiest first."""
        return self.scores[~self.scores["lapsed"].to_numpy(bool)]

    def reason(self, code: str) -> str:
        """The name of a reason in the language spoken, as a hypothesis where the data show it only from afar."""
        names = taxonomy().names.get(code)
        name = code if names is None else names[language()]
        return say("Hypothesis: {reason}", reason=name) if code in self.hypotheses else name

    def within(self) -> str:
        """The horizon in words: 3 months."""
        return duration(self.horizon)


def write(site: Site, folder: Path, languages: Sequence[str] = ("en",)) -> int:
    """Write the site into `folder`, whole or not at all; the first language at its root, others in folders of theirs.

    Returns the number of pages. Raises ConfigurationError for a language without a catalogue.
    """
    for spoken in languages:
        with speaking(spoken):
            pass  # refused before anything is written
    folders = {spoken: "" if place == 0 else f"{spoken}/" for place, spoken in enumerate(languages)}
    with written(folder) as temporary:
        for asset in sorted(STATIC.iterdir()):
            shutil.copyfile(asset, temporary / asset.name)
        exports.write(site, temporary / "data")
        return sum(_write_language(site, temporary, spoken, folders) for spoken in languages)


def _write_language(site: Site, root: Path, spoken: str, folders: Mapping[str, str]) -> int:
    with speaking(spoken):
        links = Links.of(site.scores["account_id"].tolist(), _paged(site))
        engine = _engine(site)
        place = root / folders[spoken]
        place.mkdir(parents=True, exist_ok=True)
        (place / "accounts").mkdir()
        pages = 0
        for file, (_, context) in PAGES.items():
            template = engine.get_template(TEMPLATES.get(file, f"{file}.j2"))
            about = _about(site, spoken, folders, file, "")
            (place / file).write_text(template.render(**about, **context(site, links)), encoding="utf-8")
            pages += 1
        if site.monitoring:
            page = monitoring.render(monitoring.Page(site.monitoring))
            (place / monitoring.FILE).write_text(page, encoding="utf-8")
            pages += 1
        template = engine.get_template("account.html.j2")
        quiet = None if len(links.paged) >= SHOWN_FROM else True
        told = tqdm(
            account.contexts(site, links),
            total=len(links.paged),
            desc=f"account pages, {LANGUAGES[spoken]}",
            disable=quiet,
        )
        for file, found in told:
            about = _about(site, spoken, folders, file, "../")
            (place / file).write_text(template.render(**about, **found), encoding="utf-8")
            pages += 1
        return pages


def _engine(site: Site) -> Environment:
    """The templates with the filters that know the site."""
    engine = environment()
    engine.filters |= {
        "money": lambda value: money(value, site.currency),
        "reason": site.reason,
        "model": model_name,
        "verdict": lambda code: say(feedback.VERDICTS[code]),
    }
    return engine


def _paged(site: Site) -> list[str]:
    """The accounts that have a page of their own: those at risk, on the worklist, to be talked to, or asked for."""
    scores = site.scores
    if site.asked is None:
        return list(scores["account_id"])
    told = scores["naming"].notna()
    chosen = scores["account_id"].isin(
        [
            *site.asked,
            *scores.loc[told & ~scores["lapsed"] & (scores["risk"] >= site.at_risk), "account_id"],
            *site.worklist.loc[site.worklist["decision"] == "do", "account_id"],
            *site.win_back.loc[site.win_back["decision"] == "talk", "account_id"].head(site.top),
        ]
    )
    return list(scores.loc[chosen, "account_id"])


def _about(site: Site, spoken: str, folders: Mapping[str, str], file: str, root: str) -> dict[str, Any]:
    """What every page knows: of itself, of the others, and of the scoring."""
    up = "../" if folders[spoken] else ""
    return {
        "page": file,
        "root": root,
        "shared": up,
        "tag": tag(spoken),
        "pages": [{"file": name, "title": say(title)} for name, (title, _) in PAGES.items()],
        "languages": [
            {"folder": f"{up}{folder}", "tag": tag(other), "name": LANGUAGES[other]}
            for other, folder in folders.items()
        ],
        "source": site.source,
        "day": day(site.as_of),
        "horizon": site.within(),
        "lineage": [(say(LINEAGE.get(name, name)), value) for name, value in site.lineage],
    }
