"""The page of monitoring, for data scientists, in English: what passed a limit and what to do, and the figures beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from features.catalog import DECLARED
from models.advice import ADVICE
from models.taxonomy import taxonomy
from reports.environment import environment
from reports.language import speaking
from reports.monitoring_charts import Line, Span, histogram, spans, timeline
from reports.words import count, day, number, percent

FILE = "monitoring.html"
SHOWN = 25  # features in the table of those that are fine


@dataclass(frozen=True)
class Page:
    """What the page shows: `found` as `pipeline.monitor` writes it."""

    found: Mapping[str, Any]


def render(page: Page) -> str:
    """The page as HTML, complete in itself, all text from the data escaped."""
    found = page.found
    with speaking("en"):
        engine = environment()
        engine.filters |= {"day": _day, "title": name_of}
        checks = [_row(check, found["weights"]) for check in found["checks"]]
        passed = [row for row in checks if row["verdict"] != "fine"]
        return engine.get_template("monitoring.html.j2").render(
            found=found,
            passed=passed,
            kinds=_kinds(checks),
            figures=[_figure(place, name, told, found) for place, (name, told) in enumerate(found["pictures"].items())],
            reasons=_reasons(found),
            lines=_lines(found),
            grades=[_grade(grade) for grade in reversed(found["grades"])],
            drifted=_drifted(checks),
        )


def name_of(name: str) -> str:
    """A feature, table or reason in words, the code as it is where nothing describes it."""
    names = taxonomy().names.get(name)
    if names is not None:
        return str(names["en"])
    return "unexplained" if name == "unexplained" else name


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
        "title": advice.title,
        "about": "" if feature is None else feature.doc,
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
            found.append({"title": advice.title, "meaning": advice.meaning, **counts, "largest": largest})
    return found


def _drifted(checks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The features by their index, those that moved most first."""
    own = [check for check in checks if check["kind"] == "drift"]
    return sorted(own, key=lambda check: -check["value"])[:SHOWN]


def _figure(place: int, name: str, told: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The histograms of a feature then and now."""
    feature = DECLARED.get(name)
    title = "Risk" if name == "risk" else name
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
        "about": "Risk of the active accounts, by this model." if feature is None else feature.doc,
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
    return {"rows": rows, "plot": spans("reasons", pairs, "Share of the expected losses by reason, before and now")}


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
            "Share lost",
            "expected when scored, and what came out",
            [Line("expected", [past["expected_share"] for past in kept]), Line("lost", lost)],
            percent,
        ),
        ("Active accounts", "scored", [Line("accounts", [float(past["accounts"]) for past in kept])], count),
        (
            "Largest reasons",
            "share of the expected losses",
            [Line(name_of(code), [past["reasons"].get(code) for past in kept]) for code in top],
            percent,
        ),
        (
            "AUC",
            "promised, and what came out",
            [Line("promised", promised), Line("came out", auc)],
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

    def span(cell: Mapping[str, float | None], digits: int) -> str:
        value, low, high = (number(cell[name], digits) for name in ("value", "low", "high"))
        return value if cell["low"] is None else f"{value} ({low} to {high})"

    def names(cell: Mapping[str, Any]) -> str:
        return f"{cell['right']} of {cell['n']}" if cell["n"] else "none"

    honest = {True: "yes", False: "no: trained on its outcome", None: "not known"}
    return {
        "day": _day(grade["as_of"]),
        "honest": honest[grade["foresight"]],
        "accounts": count(grade["accounts"]),
        "losses": f"{count(grade['lost'])} of {count(round(grade['expected']))} expected ({count(round(grade['expected_low']))} to {count(round(grade['expected_high']))} by chance)",
        "auc": span(grade["auc"], 3),
        "promised": span(grade["promised"]["auc"], 3),
        "lift": span(grade["lift_10"], 1),
        "ece": f"{number(grade['ece']['value'], 3)} (chance: {number(grade['ece_by_chance'], 3)})",
        "audited": names(grade["names"]["audited"]),
        "written": names(grade["names"]["unaudited"]),
    }
