"""What the documents claim about the money in winning, keeping and winning back accounts, in figures and in words.

Texts are English and may be translated as wholes. `measured` has the placeholders {value}, {low}, {high} and {n}, and
{years} where it makes sense; figures are put in by whoever writes the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["times", "share", "points", "months"]


@dataclass(frozen=True)
class Claim:
    """One claim: `low` to `high` in `unit` as the documents have it, None where they leave that end open."""

    code: str
    documents: tuple[str, ...]
    unit: Unit
    low: float | None
    high: float | None
    text: str
    measured: str = ""


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "cost_of_winning", ("001", "004"), "times", 3.0, 10.0,
        "Winning an account costs three times what keeping one does, or five to ten times.",
        "Winning one costs {value} times the contacts of a year with one of {n} accounts ({low} to {high}).",
    ),
    Claim(
        "payback", ("001",), "months", 12.0, None,
        "A new account earns money only after a year.",
        "{n} new accounts had earned back what winning them cost after {value} months on average ({low} to {high}).",
    ),
    Claim(
        "new_order", ("004",), "share", 0.05, 0.05,
        "Of new contacts 5 % order.",
        "Of {n} prospects {value} ordered within a year ({low} to {high}).",
    ),
    Claim(
        "former_order", ("004",), "share", 0.4, 0.4,
        "Of former accounts 40 % order.",
        "Of {n} lapsed accounts {value} ordered again ({low} to {high}).",
    ),
    Claim(
        "restoring", ("004",), "share", None, None,
        "Restoring ties can cost more than the account brings.",
        "Of {n} lapsed accounts, approaching {value} of them would cost more than it is expected to bring ({low} to {high}).",
    ),
    Claim(
        "fewer_losses_5", ("004",), "share", None, 0.75,
        "Losing 5 % fewer accounts brings up to 75 % more income.",
        "At the present rate of loss, 5 % fewer losses would bring {value} more income from today's accounts in {years} years ({low} to {high}).",
    ),
    Claim(
        "fewer_losses_10", ("004",), "share", None, 0.75,
        "Losing 10 % fewer accounts brings up to 75 % more income.",
        "At the present rate of loss, 10 % fewer losses would bring {value} more income from today's accounts in {years} years ({low} to {high}).",
    ),
    Claim(
        "fewer_losses_5_points", ("004",), "share", None, 0.75,
        "Losing 5 % fewer accounts brings up to 75 % more income, taken as five points off the rate of loss.",
        "Five points off the present rate of loss would bring {value} more income from today's accounts in {years} years ({low} to {high}).",
    ),
    Claim(
        "fewer_losses_10_points", ("004",), "share", None, 0.75,
        "Losing 10 % fewer accounts brings up to 75 % more income, taken as ten points off the rate of loss.",
        "Ten points off the present rate of loss would bring {value} more income from today's accounts in {years} years ({low} to {high}).",
    ),
    Claim(
        "concentration", ("000",), "share", 0.8, 0.8,
        "The largest 20 % of accounts bring 80 % of the volume.",
        "The largest 20 % of {n} accounts brought {value} of the purchases of a year ({low} to {high}).",
    ),
    Claim(
        "small_margin", ("000",), "points", 0.0, None,
        "Small accounts earn the better margin.",
        "The margin of the smaller 80 % of {n} accounts lies {value} points above that of the largest 20 % ({low} to {high}).",
    ),
    Claim(
        "guarantees", ("002",), "share", 0.91, 1.0,
        "Over 91 % of big accounts say that quality, service, smooth logistics and the greatest benefit make a long-term supplier.",
    ),
    Claim(
        "word_of_mouth", ("001",), "times", 8.0, 25.0,
        "A satisfied account leads to eight possible deals of which at least one closes; a dissatisfied one reaches 25 others.",
    ),
)  # fmt: skip

# Why a claim cannot be seen on this data, by code.
CANNOT: dict[str, str] = {
    "cost_unknown": "It cannot be seen on this data: no table says what winning an account costs. Enter economics.cost_of_winning.",
    "contact_cost_unknown": "It cannot be seen on this data: what a contact costs is assumed here. Enter money.contact_cost.",
    "no_contacts": "It cannot be seen on this data: there is no table of contacts.",
    "no_link": "It cannot be seen on this data: nothing says which account a prospect became, or when the prospect was recorded.",
    "no_margin": "It cannot be seen on this data: the orders have no margin.",
    "no_lapsed": "It cannot be seen on this data: no account has lapsed.",
    "too_short": "It cannot be seen on this data: they do not reach back far enough.",
    "too_few": "It cannot be seen on this data: too few accounts tell of it.",
    "not_reached": "It cannot be seen on this data: new accounts did not earn it back in the time they were followed.",
    "survey": "It cannot be seen on this data: it takes a survey of the accounts.",
    "referrals": "It cannot be seen on this data: no table says who recommended us to whom.",
}
