"""The report: one self-contained HTML page of a scoring, for the people who look after the accounts.

It needs no network, no file beside it and no script. The same `Report` gives the same bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import pandas as pd
from jinja2 import Environment

from models.campaign import Economics
from models.shares import UNEXPLAINED
from models.taxonomy import taxonomy
from reports import accounts, charts, earnings, quality
from reports.environment import environment
from reports.measures import POPULATIONS, metrics, model_name
from reports.words import DASH, count, day, money, percent, span, text

WIN_BACK = 10  # accounts in the list for win-back, at most
CONTACTS = 10  # ... and in that of those most worth contacting


@dataclass(frozen=True)
class Report:
    """All that the page shows.

    `scores`: account_id, as_of, lapsed, risk, rank, expected_loss, contact_profit; `naming` and reason_1 to reason_3 (codes or null) as
    `models.naming.name` gives them; share_<code> for the documented reasons (a column of NaN alone: not observable on
    this data), share_unexplained. From `naming` on all are null where an account is not among the riskiest ones that
    reasons are told of. `evidence`: `models.evidence.COLUMNS` and its English `sentence`. `explanations`: account_id, risk_without_<code>, since,
    risk_then and change_<group>, as `pipeline.explain` writes them. Neither needs a row of every account.
    `names`: account_id to name, may be empty. `metrics`: what `metrics.evaluate` returns, `money` -> active as
    `campaign.measure` returns it, and where they are there slices, label_free and champion as stage evaluate writes them. `plan`: what `campaign.plan` returns of the active accounts. `predictions`: account_id,
    as_of, label, lapsed and a column a model. `live`: what stage score expects of the ranking, may be empty. `reason_names`: code to English name. `hypotheses`: codes of the reasons
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
    live: Mapping[str, Any]
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
    evaluated = [quality.population(report.metrics, report.predictions, kind) for kind in POPULATIONS]
    return (
        _environment(report)
        .get_template("report.html.j2")
        .render(
            report=report,
            day=day(report.as_of),
            headline=_headline(report, active, gone),
            findings=_findings(report, active, told, reasons, evaluated[-1]),
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
            quality=evaluated,
            slices=quality.slices(report.metrics),
            champion=quality.champion(report.metrics),
            expected=quality.expected(report.metrics, report.live),
            metrics=metrics(),
            unknown_name=report.reason_names.get("not_observable", "Cannot be seen on this data"),
        )
    )


def _environment(report: Report) -> Environment:
    made = environment()
    made.filters |= {
        "money": partial(money, currency=report.currency),
        "reason": partial(_reason, report),
        "model": model_name,
        "unbroken": _unbroken,
    }
    return made


def _reason(report: Report, code: str) -> str:
    """The name of a reason, as a hypothesis where the data show it only from afar."""
    name = report.reason_names.get(code, code)
    return f"Hypothesis: {name}" if code in report.hypotheses else name


def _unbroken(sentence: str) -> str:
    """The sentence with no line broken between a number and its sign, or what it goes to or moves."""
    return re.sub(r"(?<=[\d%]) (?=→)|(?<=\w) (?=[+−]\d)", "\N{NO-BREAK SPACE}", sentence)


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
    evaluated: Mapping[str, Any],
) -> list[str]:
    """What was found, in sentences."""
    if not len(active):
        return ["There are no active accounts at this date, so there is no risk to report."]
    lost = float(active["risk"].sum())
    money_at_risk = money(_total(active["expected_loss"]), report.currency)
    expected = f"{count(lost)} ({percent(lost / len(active))}) are expected not to order within {report.horizon}"
    findings = [
        f"Of {count(len(active))} active accounts, {expected} after {day(report.as_of)}.",
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
    differences = [row["differences"]["auc"] for row in evaluated["paired"]]
    if differences:
        better = sum(cell["verdict"] == "better" for cell in differences)
        findings.append(
            f"At the test cut-offs the ranking of active accounts was better than that of {better} of "
            f"{len(differences)} simple baselines beyond the uncertainty of resampling (AUC)."
        )
    if larger := [
        model_name(row["model"]) for row in evaluated["paired"] if row["differences"]["brier"]["verdict"] == "worse"
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
            "range": _range(row["risk_low"], row["risk_high"]),
            "width": f"{min(max(row['risk'], 0.0), 1.0) * 100:.1f}" if math.isfinite(row["risk"]) else "0",
            "expected_loss": float(row["expected_loss"]),
            "contact_profit": float(row["contact_profit"]),
        }
        for row in rows.to_dict("records")
    ]


def _range(low: float, high: float) -> str | None:
    """The interval of a risk; None where it was not measured."""
    return span(percent(low), percent(high)) if math.isfinite(low) and math.isfinite(high) else None


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
