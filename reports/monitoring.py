"""The page of monitoring, for data scientists: what passed a limit and what to do, and the figures beside it.

What a feature is stands there in English in every language, as in its declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from features.catalog import DECLARED
from models.advice import ADVICE
from models.taxonomy import taxonomy
from reports.environment import environment
from reports.language import language, message, say, say_number, tag
from reports.monitoring_charts import Line, Span, histogram, spans, timeline
from reports.words import count, day, number, paragraph, percent, span

FILE = "monitoring.html"
SHOWN = 25  # features in the table of those that are fine
VERDICTS = {"fine": message("fine"), "watch": message("watch"), "alarm": message("alarm")}
HONEST = {True: message("yes"), False: message("no: trained on its outcome"), None: message("not known")}


@dataclass(frozen=True)
class Page:
    """What the page shows: `found` as `pipeline.monitor` writes it."""

    found: Mapping[str, Any]


def render(page: Page) -> str:
    """The page as HTML in the language spoken, complete in itself, all text from the data escaped."""
    found = page.found
    engine = environment()
    engine.filters |= {"day": _day, "verdict": lambda code: say(VERDICTS[code])}
    checks = [_row(check, found["weights"]) for check in found["checks"]]
    return engine.get_template("monitoring.html.j2").render(
        tag=tag(language()),
        found=found,
        compared=_compared(found["reference"]),
        counted=_counted(found),
        passed=[row for row in checks if row["verdict"] != "fine"],
        kinds=_kinds(checks),
        figures=[_figure(place, name, told, found) for place, (name, told) in enumerate(found["pictures"].items())],
        reasons=_reasons(found),
        lines=_lines(found),
        grades=[_grade(grade) for grade in reversed(found["grades"])],
        drifted=_drifted(checks),
    )


def _compared(reference: Mapping[str, Any] | None) -> str:
    """With what the scoring is compared."""
    if reference is None:
        return say("There is no cut-off before it in the matrix, so that nothing is said of drift.")
    told = {
        "now": count(reference["now"]["accounts"]),
        "before": count(reference["accounts"]),
        "day": _day(reference["as_of"]),
    }
    if reference["season"]:
        return say(
            "Active accounts: {now}, set against the {before} of {day}, the same season a year before.",
            **told,
        )
    return say(
        "Active accounts: {now}, set against the {before} of {day}, the last cut-off trained on: there is none a year "
        "before, so that a season may look like drift.",
        **told,
    )


def _counted(found: Mapping[str, Any]) -> str:
    """How many limits are passed, and what counts as passed."""
    counts = {kind: count(n) for kind, n in found["counts"].items()}
    pairs = (found["reference"] or {}).get("pairs")
    usual = (
        say_number(
            "Usual is what {n} past pair of cut-offs as far apart showed.",
            "Usual is what {n} past pairs of cut-offs as far apart showed.",
            pairs,
            n=count(pairs),
        )
        if pairs
        else say("There are no past cut-offs as far apart to say what is usual.")
    )
    told = [
        say("Alarms: {alarm}. To watch: {watch}. Fine: {fine}.", **counts),
        say(
            "A limit counts as passed where the value is above the limit itself, above what chance makes ({chance} for all "
            "features together) and above what was usual.",
            chance=percent(found["chance"]),
        ),
        usual,
    ]
    return paragraph(told)


def name_of(code: str) -> str:
    """A reason in the language spoken, the code as it is where nothing describes it."""
    names = taxonomy().names.get(code)
    return code if names is None else str(names[language()])


def _day(text: str) -> str:
    return day(date.fromisoformat(text))


def _written(kind: str) -> Callable[[float | None], str]:
    unit = ADVICE[kind].unit
    return {"share": percent, "days": lambda value: count(value or 0), "index": lambda value: number(value, 3)}[unit]


def _row(check: Mapping[str, Any], weights: Mapping[str, float]) -> dict[str, Any]:
    """A check in words."""
    write, advice = _written(check["kind"]), ADVICE[check["kind"]]
    feature = DECLARED.get(check["name"])
    return {
        **check,
        "title": say(advice.title),
        "about": "" if feature is None else feature.doc,
        "do": say(advice.do),
        "shown": write(check["value"]),
        "limits": f"{write(check['watch'])} / {write(check['alarm'])}",
        "by_chance": write(check["chance"]) if check["chance"] is not None else "",
        "as_usual": write(check["usual"]) if check["usual"] is not None else "",
        "weight": weights.get(check["name"]),
    }


def _kinds(checks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many checks of each kind there were, and how many passed a limit."""
    found = []
    for kind, advice in ADVICE.items():
        own = [check for check in checks if check["kind"] == kind]
        if own:
            counts = {
                verdict: sum(check["verdict"] == verdict for check in own) for verdict in ("fine", "watch", "alarm")
            }
            largest = max(own, key=lambda check: check["value"])
            found.append({"title": say(advice.title), "meaning": say(advice.meaning), **counts, "largest": largest})
    return found


def _drifted(checks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The features by their index, those that moved most first."""
    own = [check for check in checks if check["kind"] == "drift"]
    return sorted(own, key=lambda check: -check["value"])[:SHOWN]


def _figure(place: int, name: str, told: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The histograms of a feature then and now."""
    feature = DECLARED.get(name)
    title = say("Risk") if name == "risk" else name
    index = next(
        (
            check["value"]
            for check in found["checks"]
            if (check["kind"], check["name"]) in (("drift", name), ("risk", ""))
            and (name == "risk") == (check["kind"] == "risk")
        ),
        None,
    )
    return {
        "title": title,
        "about": "" if feature is None else feature.doc,
        "said": say("Risk of the active accounts, by this model.") if name == "risk" else "",
        "index": number(index, 3),
        "plot": histogram(f"bins-{place}", told["edges"], told["before"], told["now"], title),
    }


def _reasons(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """The mix of reasons then and now, those that rose most first."""
    if not found["reasons"]:
        return None
    rows = [
        {
            "name": name_of(code),
            "before": told["before"],
            "now": told["now"],
            "rise": told["now"]["value"] - told["before"]["value"],
        }
        for code, told in found["reasons"].items()
        if told["before"]["value"] or told["now"]["value"]
    ]
    rows.sort(key=lambda row: -row["rise"])
    pairs = [(row["name"], Span(**row["before"]), Span(**row["now"])) for row in rows]
    return {
        "rows": rows,
        "plot": spans("reasons", pairs, say("Share of the expected losses by reason, before and now")),
    }


def _lines(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Time lines over the scorings kept; none before there are two."""
    kept = found["scorings"]
    if len(kept) < 2:
        return []
    days = [date.fromisoformat(past["as_of"]) for past in kept]
    graded = {grade["as_of"]: grade for grade in found["grades"]}
    lost = [
        graded[past["as_of"]]["lost"] / graded[past["as_of"]]["accounts"] if past["as_of"] in graded else None
        for past in kept
    ]
    promised = [graded[past["as_of"]]["promised"]["auc"]["value"] if past["as_of"] in graded else None for past in kept]
    auc = [graded[past["as_of"]]["auc"]["value"] if past["as_of"] in graded else None for past in kept]
    top = sorted(found["scorings"][-1]["reasons"], key=lambda code: -found["scorings"][-1]["reasons"][code])[:2]
    charts = [
        (
            say("Share lost"),
            say("expected when scored, and what came out."),
            [Line(say("expected"), [past["expected_share"] for past in kept]), Line(say("lost"), lost)],
            percent,
        ),
        (
            say("Active accounts"),
            say("those that were scored."),
            [Line(say("accounts"), [float(past["accounts"]) for past in kept])],
            count,
        ),
        (
            say("Largest reasons"),
            say("share of the expected losses."),
            [Line(name_of(code), [past["reasons"].get(code) for past in kept]) for code in top],
            percent,
        ),
        (
            "AUC",
            say("promised, and what came out."),
            [Line(say("promised"), promised), Line(say("came out"), auc)],
            lambda value: number(value, 2),
        ),
    ]
    return [
        {"title": title, "about": about, "plot": timeline(f"line-{place}", days, lines, write, title)}
        for place, (title, about, lines, write) in enumerate(charts)
        if any(value is not None for line in lines for value in line.values)
    ]


def _grade(grade: Mapping[str, Any]) -> dict[str, Any]:
    """A matured scoring in words."""

    def within(cell: Mapping[str, float | None], digits: int) -> str:
        value, low, high = (number(cell[name], digits) for name in ("value", "low", "high"))
        return value if cell["low"] is None else say("{value} ({interval})", value=value, interval=span(low, high))

    def names(cell: Mapping[str, Any]) -> str:
        return say("{right} of {n}", right=count(cell["right"]), n=count(cell["n"])) if cell["n"] else say("none known")

    expected = {name: count(round(grade[name])) for name in ("expected", "expected_low", "expected_high")}
    return {
        "day": _day(grade["as_of"]),
        "honest": say(HONEST[grade["foresight"]]),
        "accounts": count(grade["accounts"]),
        "losses": say(
            "{lost} of {expected} expected ({expected_low} to {expected_high} by chance)",
            lost=count(grade["lost"]),
            **expected,
        ),
        "auc": within(grade["auc"], 3),
        "promised": within(grade["promised"]["auc"], 3),
        "lift": within(grade["lift_10"], 1),
        "ece": say(
            "{value} (chance: {chance})",
            value=number(grade["ece"]["value"], 3),
            chance=number(grade["ece_by_chance"], 3),
        ),
        "audited": names(grade["names"]["audited"]),
        "written": names(grade["names"]["unaudited"]),
    }
