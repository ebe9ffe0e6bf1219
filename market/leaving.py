"""Who decides to leave, for which reason, and from which day on no order comes."""

from __future__ import annotations

import numpy as np

from market.draws import NEVER, Flags, Floats, Ints, Market, stream, whole
from market.population import CAUSES


class Leaving:
    """Decisions, drawn by competing hazards. What follows them is a decline, a last order, and silence."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.rng = stream(market.seed, "leaving")
        size = len(market.people)
        self.decided: Ints = np.full(size, NEVER)  # month of the decision
        self.length: Ints = np.ones(size, np.int64)  # months from there to the last one with orders, it included
        self.stops: Ints = np.full(size, NEVER)  # first day without an order
        self.recognised: Ints = np.full(size, NEVER)  # day on which the company sees that the account is lost
        self.reason: Ints = np.full(size, -1)  # place in CAUSES
        self.living: list[Ints] = []  # accounts with a row in the truth, month by month
        self.hazards: list[Floats] = []  # theirs, the factor of a contact, whether contacted: (living, CAUSES + 2)

    @property
    def lost(self) -> Ints:
        """Month of the last order that was still possible; far away for those who stay."""
        return self.decided + self.length - 1

    def decide(self, month: int, hazards: Floats, contact: Floats, visited: Flags) -> None:
        """Draw who decides at the first day of the month, and the main reason; hazards (accounts, CAUSES)."""
        s, days, people = self.market.settings, self.market.days, self.market.people
        each = hazards * self.market.opened(month)[:, None]
        if month >= self.market.first:
            living = np.flatnonzero((people.opened < days[month + 1]) & (self.lost >= month))
            self.living.append(living)
            rows = np.column_stack([each[living], contact[living], visited[living]])
            self.hazards.append(rows.astype(np.float32))
        total = each.sum(axis=1)
        goes = np.flatnonzero((self.rng.random(len(people)) < -np.expm1(-total)) & (self.decided == NEVER))
        drawn = self.rng.random(len(goes)) * total[goes]
        reason = np.minimum((drawn[:, None] >= np.cumsum(each[goes], axis=1)).sum(axis=1), len(CAUSES) - 1)
        length = whole(self.rng, s.leave_months, len(goes))
        within = self.rng.random(len(goes))
        wait = whole(self.rng, s.recognised_days, len(goes))
        # Who would be gone before the first month written is not in this market: he stays.
        there = month + length - 1 >= self.market.first
        goes, reason, length, within, wait = goes[there], reason[there], length[there], within[there], wait[there]
        self.reason[goes], self.decided[goes], self.length[goes] = reason, month, length
        last = month + length - 1
        known = last < len(days) - 1
        begin, end = days[last[known]], days[last[known] + 1]
        self.stops[goes[known]] = begin + 1 + np.floor(within[known] * (end - begin)).astype(np.int64)
        self.recognised[goes[known]] = self.stops[goes[known]] + wait[known]

    def recognised_in(self, month: int) -> Ints:
        """Accounts whose loss is recognised within the month."""
        days = self.market.days
        return np.flatnonzero((self.recognised >= days[month]) & (self.recognised < days[month + 1]))
