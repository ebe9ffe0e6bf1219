"""What the page tells of one account: the sentences for its reasons, why now, and what if."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from models.naming import NAMED
from models.shares import UNEXPLAINED
from models.taxonomy import taxonomy
from reports import sentences as evidence_sentences
from reports.language import language, message, say, say_number
from reports.rows import told_first
from reports.words import day, exact_percent, listed, money, number, paragraph, percent, text

PROTECTIVE = 0  # the place of a sentence that speaks against the loss
MOVES = 3  # moves of the risk told one by one, at most
HALF_POINT = 0.005  # of probability: what is less is as good as nothing

# What moves a risk beside the documented reasons.
GROUPS = {
    "symptom": message("signs of the loss itself"),
    "context": message("its history, rhythm and payments, and the season"),
    "model": message("a new model"),
}

Record = Mapping[Any, Any]
Namer = Callable[[str], str]  # the words for a reason's code


def sentences(evidence: pd.DataFrame) -> dict[Any, list[Record]]:
    """The rows of `evidence` that have a sentence, by account, in the order they are to be read in.

    In English the sentence is that of the table, in any other language it is told anew.
    """
    found: dict[Any, list[Record]] = {}
    if evidence.empty:
        return found
    for record in evidence.sort_values(["place", "number"], kind="stable").to_dict("records"):
        sentence = text(record["sentence"])
        if sentence:
            told = sentence if language() == "en" else evidence_sentences.told(record)
            found.setdefault(record["account_id"], []).append({**record, "sentence": told})
    return found


def told(row: Record, evidence: Sequence[Record], explanation: Record, name: Namer, currency: str) -> dict[str, Any]:
    """Of a row of the scores: `naming`, `reasons` with their sentences, `against`, `why_now` and `what_if`.

    `evidence`: what `sentences` has of the account. `explanation`: its row of the explanations, or nothing.
    """
    naming = text(row["naming"])
    codes = [text(row[f"reason_{place}"]) for place in range(1, NAMED + 1)] if naming else []
    risk = float(row["risk"])
    moved = why_now(explanation, risk, name)
    return {
        "naming": naming,
        "reasons": [
            {
                "code": code,
                "share": row.get(f"share_{code}"),
                "sentences": _sentences(evidence, place, code),
            }
            for place, code in enumerate(codes, start=1)
            if code
        ],
        "against": [line["sentence"] for line in evidence if line["place"] == PROTECTIVE],
        "why_now": moved and paragraph([moved, reason_then(explanation, row, name)]),
        "what_if": what_if(
            explanation, [code for code in codes if code], risk, float(row["expected_loss"]), name, currency
        ),
    }


def _sentences(evidence: Sequence[Record], place: int, code: str) -> list[str]:
    """The sentences of the reason at this place; a sentence never stands under another reason than its own."""
    if code == UNEXPLAINED:
        return []
    own = [line["sentence"] for line in evidence if (line["place"], line["code"]) == (place, code)]
    return own or [say("No single figure in the tables shows it.")]


def reason_then(explanation: Record, row: Record, name: Namer) -> str:
    """Which reason the last scoring told, if `row`, of the scores, tells another; else nothing."""
    then = told_first({key: explanation.get(f"{key}_then") for key in ("naming", "reason_1", "reason_2")}, name)
    return say("The reason told then: {reason}.", reason=then) if then and then != told_first(row, name) else ""


def why_now(explanation: Record, risk: float, name: Namer) -> str | None:
    """How far the risk moved since the last scoring, and by what; None where the account was not scored then.

    The largest moves of half a point or more one by one, all others as "everything else"; as shown, they add up to the
    difference of the risks shown.
    """
    since, then = explanation.get("since"), _known(explanation, "risk_then")
    if since is None or pd.isna(since) or then is None or not math.isfinite(risk):
        return None
    change = risk - then
    scored = bool(explanation.get("kept", True))
    if not _worth_telling(change):
        return _hardly_moved(scored, day(since), percent(then))
    parts = {key.removeprefix("change_"): _known(explanation, key) for key in explanation if key.startswith("change_")}
    moves = [(group, part) for group, part in parts.items() if part is not None and _worth_telling(part)]
    moves = sorted(moves, key=lambda move: -abs(move[1]))[:MOVES]
    digits = _digits(risk, then)
    now_shown, then_shown = _units(risk, digits), _units(then, digits)
    rest = change - sum(part for _, part in moves)
    shown = _adding_up(
        [part * 100 * 10**digits for part in (*(part for _, part in moves), rest)], now_shown - then_shown
    )
    labels = [*(say(GROUPS[group]) if group in GROUPS else name(group) for group, _ in moves), say("everything else")]
    told = [
        say("{what} {points}", what=label, points=number(units / 10**digits, digits, sign=True))
        for label, units in zip(labels, shown, strict=True)
        if units
    ]
    return _moved(
        scored,
        change > 0,
        abs(now_shown - then_shown) / 10**digits,
        digits,
        day=day(since),
        then=_risk(then, digits),
        now=_risk(risk, digits),
        moves=listed(told) if moves else say("many moves of under half a point each"),
    )


def _hardly_moved(scored: bool, day: str, then: str) -> str:
    if scored:
        return say("Since {day} the risk hardly moved: it was {then}.", day=day, then=then)
    return say(
        "Since {day} (not scored then: reckoned by today’s model) the risk hardly moved: it was {then}.",
        day=day,
        then=then,
    )


def _moved(scored: bool, rose: bool, by: float, digits: int, **words: str) -> str:
    """Whole sentences, for languages bend the parts of each in their own way."""
    counted = 0.5 if digits else by  # "12.0 points" is no whole number of them
    words["n"] = number(by, digits)
    if scored and rose:
        return say_number(
            "Since {day} the risk rose by {n} point, from {then} to {now}: {moves}.",
            "Since {day} the risk rose by {n} points, from {then} to {now}: {moves}.",
            counted,
            **words,
        )
    if scored:
        return say_number(
            "Since {day} the risk fell by {n} point, from {then} to {now}: {moves}.",
            "Since {day} the risk fell by {n} points, from {then} to {now}: {moves}.",
            counted,
            **words,
        )
    if rose:
        return say_number(
            "Since {day} (not scored then: reckoned by today’s model) the risk rose by {n} point, from {then} to {now}: "
            "{moves}.",
            "Since {day} (not scored then: reckoned by today’s model) the risk rose by {n} points, from {then} to {now}: "
            "{moves}.",
            counted,
            **words,
        )
    return say_number(
        "Since {day} (not scored then: reckoned by today’s model) the risk fell by {n} point, from {then} to {now}: "
        "{moves}.",
        "Since {day} (not scored then: reckoned by today’s model) the risk fell by {n} points, from {then} to {now}: "
        "{moves}.",
        counted,
        **words,
    )


def what_if(
    explanation: Record, codes: Sequence[str], risk: float, expected_loss: float, name: Namer, currency: str
) -> list[str]:
    """Of each reason told of that the company could remove: by how much the risk and the expected loss would fall."""
    lines = []
    for code in codes:
        without, remedy = _known(explanation, f"risk_without_{code}"), taxonomy().remedies.get(code)
        if without is None or remedy is None or not math.isfinite(risk):
            continue
        less = risk - without
        if less < 0 or not _worth_telling(less):
            lines.append(say("{reason}: removing it would hardly change the model’s risk.", reason=name(code)))
            continue
        digits = _digits(risk, without)
        words = {"remedy": say(remedy), "risk": _risk(risk, digits), "without": _risk(without, digits)}
        saved = expected_loss / risk * less
        if math.isfinite(saved) and saved > 0:
            words["saved"] = money(saved, currency)
            lines.append(say("{remedy}: risk {risk} → {without}, expected loss {saved} less.", **words))
        else:
            lines.append(say("{remedy}: risk {risk} → {without}.", **words))
    return lines


def _known(record: Record, key: str) -> float | None:
    value = record.get(key)
    return None if value is None or pd.isna(value) else float(value)


def _worth_telling(change: float) -> bool:
    return abs(change) >= HALF_POINT - 1e-9


def _digits(risk: float, other: float) -> int:
    """After the point of a percentage, so that two risks and the way between them can be told apart."""
    return 0 if min(risk, other) >= 0.1 and abs(risk - other) >= 0.05 else 1


def _units(value: float, digits: int) -> int:
    """In the last digit shown."""
    return round(value * 100 * 10.0**digits)


def _risk(value: float, digits: int) -> str:
    """A risk with these digits, never rounded to a certainty that is not there."""
    units = _units(value, digits)
    certain = units in (0, _units(1.0, digits))
    return percent(value) if certain else exact_percent(units / 10**digits / 100, digits)


def _adding_up(parts: Sequence[float], total: int) -> list[int]:
    """The parts rounded up or down so that they add up to `total`: up where the fraction is largest."""
    down = [math.floor(part) for part in parts]
    each, some = divmod(total - sum(down), len(parts))
    up = sorted(range(len(parts)), key=lambda place: down[place] - parts[place])[:some]
    return [value + each + (place in up) for place, value in enumerate(down)]
