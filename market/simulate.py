"""A dealer market in which it is known who leaves, when and why.

A mechanism is a class: it keeps the state of all accounts in arrays and moves on by a month at a time. A month begins
with the hazards, which look only at what has happened before its first day; then those who decide to leave are drawn,
then everything that happens within the month. Decided accounts order less and stop; nothing else about them changes,
so that no row of any table betrays a loss other than by orders that are missing.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from market import tables_out
from market.causes import Hidden, Promises, Quality, Staff
from market.draws import Market, Settings, calendar, catalogue, population
from market.orders import Leaving, Orders, Pace
from market.tables_out import write

__all__ = ["Settings", "simulate", "write"]

DEFAULTS = Settings()


def simulate(
    accounts: int, periods: int, seed: int, start: date, settings: Settings = DEFAULTS
) -> dict[str, pd.DataFrame]:
    """Simulate a market of so many accounts over so many months.

    Returns the contract tables `orders` (a row a product of an order), `accounts`, `rebates`, `assignments`,
    `managers`, and `truth`: a row for each account and month from its opening to its loss, with `period` (first day of
    the month), `hazard_<code>` (a month; 0 in the month of opening), `lost` (the month after which it never orders
    again) and `reason` (null unless lost). The hazards of a month act at its first day; the loss follows in the same
    month or up to three months later, and hazards after the decision, though written, no longer matter. Of what was
    before `start` only openings and assignments are known.

    Raises
    ------
    ValueError
        If `accounts` or `periods` is below 1, `seed` is negative, or `start` is not the first of a month.
    """
    if accounts < 1 or periods < 1:
        raise ValueError(f"accounts ({accounts}) and periods ({periods}) must be at least 1.")
    if start.day != 1:
        raise ValueError(f"start {start} is not the first of a month. Use {start.replace(day=1)}.")
    if seed < 0:
        raise ValueError(f"seed ({seed}) must not be negative.")
    days = calendar(start, periods)
    people = population(seed, settings, accounts, days, len(tables_out.REGIONS))
    market = Market(people, days, seed, settings)
    promises, staff, quality, hidden = Promises(market), Staff(market), Quality(market), Hidden(market)
    leaving, pace, orders = Leaving(market), Pace(market), Orders(market, catalogue(seed, settings))
    for month in range(periods):
        hazards = {
            "broken_promises": promises.hazard(month),
            "staff_turnover": staff.hazard(month, leaving.stops),
            "natural_end": np.full(accounts, settings.base_natural),
            "product": quality.hazard(),
            "unexplained": hidden.hazard(),
        }
        leaving.decide(month, hazards)
        quality.move(month)
        hidden.move(month)
        pace.move(month, leaving)
        orders.place(month, pace, leaving.stops, quality.severity)
        promises.move(month, orders.purchases)
        staff.move(month)
    return {
        "orders": orders.table(leaving.stops),
        "accounts": tables_out.accounts(people),
        "rebates": promises.table(),
        "assignments": staff.assignments(),
        "managers": staff.managers(),
        "truth": leaving.table(),
    }
