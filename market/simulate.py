"""A dealer market in which it is known who leaves, when and why.

A mechanism is a class: it keeps the state of all accounts in arrays and moves on by a month at a time. A month begins
with the hazards, which look only at what has happened before its first day; then those who decide to leave are drawn,
then everything that happens within the month. Decided accounts order less and stop. Nothing else about them changes
until the company recognises the loss some months later: then the CRM closes them.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from market.attention import Attention
from market.books import REGIONS, Books
from market.crm import Crm
from market.draws import NEVER, Market, calendar
from market.files import write
from market.hazards import combine, contacted
from market.leaving import Leaving
from market.natural import NaturalEnd
from market.orders import Orders, Pace
from market.population import catalogue, population
from market.product import Product
from market.promises import Promises
from market.prospects import prospects
from market.rivals import Hidden, Rivals
from market.scenarios import SCENARIOS
from market.service import Service
from market.settings import Settings
from market.staff import Staff
from market.truth import truth
from market.turbulence import Turbulence

__all__ = ["Settings", "simulate", "write"]

DEFAULTS = SCENARIOS["plain"]


def simulate(
    accounts: int, periods: int, seed: int, start: date, settings: Settings = DEFAULTS
) -> dict[str, pd.DataFrame]:
    """Simulate a market of so many accounts over so many months.

    Returns the contract tables, `orders` with a row a product of an order, and `truth`, as `market.truth` describes
    it. Some months before `start` are simulated too, so that spells are in their steady state; of them the tables
    hold only openings, assignments, and what was still open at the start. Nothing in the tables lies after the last
    month. With `settings.growth` 0, a market of fewer periods is the beginning of one of more.

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
    days = calendar(start, periods, settings.burn_in)
    people = population(seed, settings, accounts, days[settings.burn_in :], len(REGIONS))
    market = Market(people, days, seed, settings)
    goods = catalogue(seed, settings, days)
    leaving, pace, orders = Leaving(market), Pace(market), Orders(market, goods)
    promises, staff, product = Promises(market), Staff(market), Product(market)
    attention, service, rivals = Attention(market), Service(market), Rivals(market)
    turbulence = Turbulence(market, people.lines_share(goods.line, settings))
    natural, hidden, crm = NaturalEnd(market), Hidden(market), Crm(market)
    for month in range(len(days) - 1):
        raw = {
            "competitor": rivals.hazard(month),
            "broken_promises": promises.hazard(month),
            "unequal_treatment": attention.hazard(),
            "staff_turnover": staff.hazard(month, leaving.stops),
            "turbulence": turbulence.hazard(),
            "neglected_details": service.hazard(),
            "product": product.hazard(),
            "natural_end": natural.hazard(month),
            "unexplained": hidden.hazard(),
        }
        visited = attention.visited
        hazards, contact = contacted(combine(raw, people, settings), visited, people, settings)
        leaving.decide(month, hazards, contact, visited)

        active = orders.active()
        turbulence.move(month)
        rivals.move(month, active)
        product.move(month, active)
        service.move(month)
        natural.move(month)
        hidden.move(month)
        pace.move(month, leaving, turbulence.region)
        attended = staff.attended(month)
        attention.move(month, staff.post, attended, orders.purchases, market.opened(month) & ~staff.closed)
        orders.place(month, pace, leaving.stops, product.severity, product.misfit, rivals.kept, rivals.discount(month))
        service.deliver(month, *orders.fresh, turbulence.supply, attention)
        service.hear(month, active, product.severity, attended, attention)
        promises.move(month, orders.purchases)
        closed, closed_on = crm.close(month, leaving, staff)
        staff.move(month, closed, closed_on)

    books = Books(market)
    over = leaving.recognised if settings.closing_rows else np.full(accounts, NEVER)
    table, number, count = books.orders(orders, leaving.stops)
    managers = books.managers(staff)
    return {
        "accounts": books.accounts(leaving, natural),
        "orders": table,
        "products": books.products(goods),
        "rebates": books.rebates(promises),
        "assignments": books.assignments(staff),
        "managers": managers,
        "contacts": crm.contacts(attention, over, staff.all_spells(), len(staff.all_managers()[0])),
        "promotions": books.promotions(attention, over),
        "deliveries": books.deliveries(service, number, count),
        "complaints": crm.complaints(service),
        "invoices": books.invoices(orders.purchases),
        "events": crm.events(turbulence),
        "competitor_signals": crm.signals(rivals),
        "product_requests": crm.requests(product),
        "exits": crm.exits_table(len(staff.all_managers()[0])),
        "prospects": prospects(market),
        "truth": truth(market, leaving),
    }
