"""The report: one self-contained HTML page of a scoring, for the people who look after the accounts.

It needs no network, no file beside it and no script. The same `Report` gives the same bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from models.campaign import Economics
from models.evidence import in_words
from models.metrics import BINS, reliability
from models.shares import UNEXPLAINED
from models.taxonomy import taxonomy
from reports import accounts, charts, earnings
from reports.words import DASH, count, money, number, percent, text

WIN_BACK = 10  # accounts in the list for win-back, at most
CONTACTS = 10  # ... and in that of those most worth contacting

MODELS = {"risk": "Holdfast", "recency": "Recency", "rfm_logistic": "RFM logistic", "bg_nbd": "BG/NBD"}
POPULATIONS = {"all": "All eligible accounts", "active": "Active accounts"}


@dataclass(frozen=True)
class _Metric:
    name: str
    digits: int
    better: int  # +1: higher is better, -1: lower is, 0: nearest to one
    meaning: str


METRICS = {
    "auc": _Metric("AUC", 3, 1, "chance that a lost account was ranked above a kept one; 0.5 is a coin"),
    "average_precision": _Metric(
        "Average precision", 3, 1, "share of losses among those named, averaged down the list; at random the loss rate"
    ),
    "lift_5": _Metric("Lift 5 %", 2, 1, "losses in the riskiest twentieth over those in a twentieth drawn at random"),
    "lift_10": _Metric("Lift 10 %", 2, 1, "the same of the riskiest tenth"),
    "lift_20": _Metric("Lift 20 %", 2, 1, "the same of the riskiest fifth"),
    "brier": _Metric("Brier", 4, -1, "mean squared error of the risk; lower is better"),
    "ece": _Metric(
        "ECE",
        3,
        -1,
        "mean distance between risk and observed share over ten bins; lower is better; resamples tend to lie above it",
    ),
    "slope": _Metric("Slope", 2, 0, "of the calibration; 1 is right, below 1 the risks are too extreme"),
}


@dataclass(frozen=True)
class Report:
    """All that the page shows.

    `scores`: account_id, as_of, lapsed, risk, rank, expected_loss, contact_profit; `naming` and reason_1 to reason_3 (codes or null) as
    `models.naming.name` gives them; share_<code> for the documented reasons (a column of NaN alone: not observable on
    this data), share_unexplained. From `naming` on all are null where an account is not among the riskiest ones that
    reasons are told of. `evidence`: `models.evidence.COLUMNS`. `explanations`: account_id, risk_without_<code>, since,
    risk_then and change_<group>, as `pipeline.explain` writes them. Neither needs a row of every account.
    `names`: account_id to name, may be empty. `metrics`: what `metrics.evaluate` returns, and `money` -> active as
    `campaign.measure` returns it. `plan`: what `campaign.plan` returns of the active accounts. `predictions`: account_id,
    as_of, label, lapsed and a column a model. `reason_names`: code to English name. `hypotheses`: codes of the reasons
    that this data show only from afar (`models.taxonomy.hypotheses`). `top`: accounts in the table. `lineage`: shown in
    the footer as it is.
    """

    source: str
    as_of: date
    horizon: str
    currency: str
    scores: pd.DataFrame
    evidence: pd.DataFrame
    explanations: pd.DataFrame
    names: Mapping[str, str]
    metrics: dict[str, Any]
    predictions: pd.DataFrame
    economics: Economics
    plan: Mapping[str, Any]
    reason_names: Mapping[str, str]
    hypotheses: Sequence[str]
    top: int
    lineage: Mapping[str, str]


def render(report: Report) -> str:
    """The page as HTML, all text from the data escaped."""
    lapsed = report.scores["lapsed"].to_numpy(dtype=bool)
    active, gone = report.scores[~lapsed], report.scores[lapsed]
    told = _told(active)
    reasons = _by_reason(report, told)
    unseen = _not_observable(report)
    quality = [_population(report, population) for population in POPULATIONS]
    return (
        _environment(report)
        .get_template("report.html.j2")
        .render(
            report=report,
            day=in_words(report.as_of),
            headline=_headline(report, active, gone),
            findings=_findings(report, active, told, reasons, quality[-1]),
            reasons=reasons,
            reasons_chart=_reasons_chart(report, reasons),
            told=len(told),
            told_money=_total(told["expected_loss"]),
            candidates=int((told["naming"] == "candidates").sum()),
            not_observable=unseen,
            hypotheses=[
                (report.reason_names.get(code, code), taxonomy().tables[code])
                for code in report.hypotheses
                if code not in unseen
            ],
            worklist=_worklist(report, active.sort_values("rank", kind="stable").head(report.top)),
            active=len(active),
            active_money=_total(active["expected_loss"]),
            contacts=_contacts(report, active),
            earned=earnings.past(report.metrics.get("money", {}).get("active", {}), report.currency),
            assumptions=earnings.assumptions(report.economics, report.plan, report.currency),
            win_back=_accounts(
                report, gone.sort_values(["expected_loss", "rank"], ascending=[False, True]).head(WIN_BACK)
            ),
            lapsed=len(gone),
            lapsed_money=_total(gone["expected_loss"]),
            quality=quality,
            metrics=METRICS,
            unknown_name=report.reason_names.get("not_observable", "Cannot be seen on this data"),
        )
    )


def _environment(report: Report) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "money": lambda value: money(value, report.currency),
        "percent": percent,
        "count": count,
        "number": number,
        "reason": lambda code: _reason(report, code),
        "model": lambda name: MODELS.get(name, name),
        "unbroken": _unbroken,
    }
    return environment


def _reason(report: Report, code: str) -> str:
    """The name of a reason, as a hypothesis where the data show it only from afar."""
    name = report.reason_names.get(code, code)
    return f"Hypothesis: {name}" if code in report.hypotheses else name


def _unbroken(sentence: str) -> str:
    """The sentence with no line broken between a number and its sign, what it counts in percent or what it moves."""
    return re.sub(r"(?<=\d) (?=[%→])|(?<=\w) (?=[+−]\d)", "\N{NO-BREAK SPACE}", sentence)


def _total(values: pd.Series[Any]) -> float | None:
    """Sum of what is known; None where accounts are there and nothing of them is known."""
    known = values.dropna()
    return None if len(values) and not len(known) else float(known.sum())


def _headline(report: Report, active: pd.DataFrame, gone: pd.DataFrame) -> list[tuple[str, str, str]]:
    """(words, number, what it means)."""
    return [
        ("Accounts scored", count(len(report.scores)), "They ordered recently enough to be judged."),
        ("Active", count(len(active)), f"Their last order lies less than {report.horizon} back."),
        ("Lapsed", count(len(gone)), f"Silent for {report.horizon} or longer already: a case for win-back."),
        (
            "Expected to be lost",
            count(_total(active["risk"]) or 0.0) if len(active) else DASH,
            f"Active accounts that will not order within {report.horizon}: the sum of their risks.",
        ),
        (
            "Money at risk",
            money(_total(active["expected_loss"]), report.currency) if len(active) else DASH,
            "Risk times the purchases of the last twelve months, summed over active accounts.",
        ),
    ]


def _by_reason(report: Report, told: pd.DataFrame) -> list[dict[str, Any]]:
    """Money at risk divided by share of the reasons: largest first, unexplained last; observable reasons only.

    `told`: the active accounts that reasons are told of. `first`: how many of them have the reason named first.
    """
    unseen = _not_observable(report)
    rows: list[dict[str, Any]] = []
    loss = told["expected_loss"]
    for code in (*taxonomy().codes, UNEXPLAINED):
        if code in unseen or not len(told):
            continue
        naming = "none" if code == UNEXPLAINED else "named"
        rows.append(
            {
                "code": code,
                "money": float((told[f"share_{code}"] * loss).sum()),
                "first": int(((told["naming"] == naming) & (told["reason_1"] == code)).sum()),
            }
        )
    total = sum(row["money"] for row in rows)
    for row in rows:
        row["share"] = row["money"] / total if total > 0 else None
    return sorted(rows, key=lambda row: (row["code"] == UNEXPLAINED, -row["money"]))


def _not_observable(report: Report) -> list[str]:
    """Documented reasons that this data cannot show; none where there is no account to look at."""
    told = _told(report.scores)
    if told.empty:
        return []
    return [code for code in taxonomy().codes if f"share_{code}" not in told or told[f"share_{code}"].isna().all()]


def _told(scores: pd.DataFrame) -> pd.DataFrame:
    """The accounts that reasons are told of: the riskiest ones, or all."""
    return scores[scores["naming"].notna()]


def _findings(
    report: Report,
    active: pd.DataFrame,
    told: pd.DataFrame,
    reasons: Sequence[Mapping[str, Any]],
    quality: Mapping[str, Any],
) -> list[str]:
    """What was found, in sentences."""
    if not len(active):
        return ["There are no active accounts at this date, so there is no risk to report."]
    lost = float(active["risk"].sum())
    money_at_risk = money(_total(active["expected_loss"]), report.currency)
    expected = f"{count(lost)} ({percent(lost / len(active))}) are expected not to order within {report.horizon}"
    findings = [
        f"Of {count(len(active))} active accounts, {expected} after {in_words(report.as_of)}.",
        f"The money at risk is {money_at_risk}.",
    ]
    it = "it"
    if 0 < len(told) < len(active):
        told_money = money(_total(told["expected_loss"]), report.currency)
        findings.append(f"Reasons are told of the {count(len(told))} riskiest of them, who make up {told_money} of it.")
        it = "that part"
    documented = [row for row in reasons if row["code"] != UNEXPLAINED and row["money"] > 0]
    if documented and documented[0]["share"] is not None:
        row = documented[0]
        findings.append(
            f"Of the documented reasons, “{_reason(report, row['code'])}” is associated with the largest share of {it}, "
            f"{percent(row['share'])}."
        )
    elif reasons:
        findings.append("No documented reason is associated with this money on the data at hand.")
    unexplained = next((row for row in reasons if row["code"] == UNEXPLAINED), None)
    if unexplained and unexplained["share"] is not None:
        findings.append(f"For {percent(unexplained['share'])} of {it} no documented reason stands out.")
    differences = [row["differences"]["auc"] for row in quality["paired"]]
    if differences:
        better = sum(cell["verdict"] == "better" for cell in differences)
        findings.append(
            f"At the test cut-offs the ranking of active accounts was better than that of {better} of "
            f"{len(differences)} simple baselines beyond the uncertainty of resampling (AUC)."
        )
    if larger := [
        MODELS.get(row["model"], row["model"])
        for row in quality["paired"]
        if row["differences"]["brier"]["verdict"] == "worse"
    ]:
        findings.append(f"The error of its risks (Brier) was larger than that of {', '.join(larger)}.")
    return findings


def _reasons_chart(report: Report, reasons: Sequence[Mapping[str, Any]]) -> str:
    if not reasons:
        return ""
    rows = [
        charts.Bar(
            _reason(report, row["code"]),
            max(row["money"], 0.0),
            f"{money(row['money'], report.currency)} ({percent(row['share'])})",
            muted=row["code"] == UNEXPLAINED,
        )
        for row in reasons
    ]
    spoken = "; ".join(f"{row.label}: {row.shown}" for row in rows)
    return charts.bars("reasons", rows, "Money at risk by associated reason, active accounts", f"{spoken}.")


def _accounts(report: Report, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table of accounts."""
    return [
        {
            "id": str(row["account_id"]),
            "name": text(report.names.get(row["account_id"])),
            "rank": int(row["rank"]),
            "risk": float(row["risk"]),
            "width": f"{min(max(row['risk'], 0.0), 1.0) * 100:.1f}" if math.isfinite(row["risk"]) else "0",
            "expected_loss": float(row["expected_loss"]),
            "contact_profit": float(row["contact_profit"]),
        }
        for row in rows.to_dict("records")
    ]


def _contacts(report: Report, active: pd.DataFrame) -> dict[str, Any]:
    """How many active accounts to contact, what it is expected to earn, and the first of them."""
    worth = active[active["contact_profit"] > 0].sort_values(["contact_profit", "rank"], ascending=[False, True])
    number, profit = report.plan["contacts"], report.plan["profit"]
    return {
        "number": len(worth),
        "interval": f"{count(round(number['low']))} to {count(round(number['high']))}",
        "profit": earnings.amount(profit, report.currency),
        "rows": _accounts(report, worth.head(CONTACTS)),
    }


def _worklist(report: Report, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table of accounts, each with what is told of it."""
    chosen = rows["account_id"]
    evidence, explained = (
        table if table.empty else table[table["account_id"].isin(chosen)]
        for table in (report.evidence, report.explanations)
    )
    sentences = accounts.sentences(evidence)
    explanations = {record["account_id"]: record for record in explained.to_dict("records")}
    return [
        shown
        | accounts.told(
            row,
            sentences.get(row["account_id"], []),
            explanations.get(row["account_id"], {}),
            lambda code: _reason(report, code),
            report.currency,
        )
        for shown, row in zip(_accounts(report, rows), rows.to_dict("records"), strict=True)
    ]


def _population(report: Report, population: str) -> dict[str, Any]:
    """Tables and calibration plot of all eligible or of active accounts."""
    models = report.metrics.get("population", {}).get(population, {})
    cells = {model: cutoffs["mean"] for model, cutoffs in models.items()}
    own: Mapping[str, Any] = next(iter(cells.values()), {})
    cutoffs = [day for day in next(iter(models.values()), {}) if day != "mean"]
    paired = [
        {"model": other, "differences": _differences(values["mean"]), "sentence": ""}
        for other, values in report.metrics.get("paired", {}).get(population, {}).items()
    ]
    for row in paired:
        row["sentence"] = _sentence(MODELS.get(row["model"], row["model"]), row["differences"])
    plot, curves = _calibration(report, population, cells)
    return {
        "key": population,
        "name": POPULATIONS[population],
        "n": own.get("n", 0),
        "losses": own.get("losses", 0),
        "cutoffs": cutoffs,
        "models": cells,
        "paired": paired,
        "paired_metrics": [name for name in METRICS if paired and name in paired[0]["differences"]],
        "plot": plot,
        "curves": curves,
    }


def _differences(mean: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, Any]]:
    return {name: {**cell, "verdict": _verdict(name, cell["low"], cell["high"])} for name, cell in mean.items()}


def _verdict(metric: str, low: float | None, high: float | None) -> str:
    """Where the interval of a difference lies, and so which of two models is better: better, worse, open, unknown."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return "unknown"
    if low > 0:
        return "better" if METRICS[metric].better > 0 else "worse"
    if high < 0:
        return "worse" if METRICS[metric].better > 0 else "better"
    return "open"


def _sentence(other: str, differences: Mapping[str, Mapping[str, Any]]) -> str:
    """Where each interval lies, in words."""
    parts = []
    for name, cell in differences.items():
        if cell["verdict"] == "unknown":
            parts.append(f"{METRICS[name].name}: not known")
        elif cell["verdict"] == "open":
            parts.append(f"{METRICS[name].name}: the interval holds zero, so no difference is shown")
        else:
            side = "above" if cell["low"] > 0 else "below"
            parts.append(f"{METRICS[name].name}: the interval lies {side} zero, Holdfast is {cell['verdict']}")
    return f"Against {other}. {'; '.join(parts)}."


def _calibration(
    report: Report, population: str, cells: Mapping[str, Mapping[str, Any]]
) -> tuple[str, list[tuple[str, list[dict[str, Any]]]]]:
    """Plot of the model and of the baseline with the highest AUC, and its numbers; nothing without predictions."""
    known = report.predictions[report.predictions["label"].notna()]
    if population == "active":
        known = known[~known["lapsed"].to_numpy(dtype=bool)]
    if known.empty:
        return "", []

    def auc(model: str) -> float:
        value = cells.get(model, {}).get("auc", {}).get("value")
        return -1.0 if value is None else float(value)

    baselines = [model for model in (cells or MODELS) if model != "risk" and model in known]
    shown = ["risk", *sorted(baselines, key=auc, reverse=True)[:1]]
    bins = min(BINS, len(known))
    curves = {
        MODELS.get(model, model): reliability(known["label"].to_numpy(float), known[model].to_numpy(float), bins)
        for model in shown
    }
    table = [
        (name, [{str(key): float(value) for key, value in row.items()} for row in curve.to_dict("records")])
        for name, curve in curves.items()
    ]
    widest = {name: float(np.abs(curve["predicted"] - curve["observed"]).max()) for name, curve in curves.items()}
    spoken = "; ".join(f"{name} at most {gap * 100:.1f} points from what was observed" for name, gap in widest.items())
    title = f"Calibration, {POPULATIONS[population].lower()}: predicted risk against share lost"
    return charts.calibration(f"calibration-{population}", curves, title, f"{spoken}."), table
