"""Unequal treatment: whom the managers attend to, and the contacts and promotion money that come of it."""

from __future__ import annotations

import numpy as np

from market.draws import DAY, NEVER, Flags, Floats, Ints, Log, Market, Spells, month_of_year, stream

CONTACTS = ("visit", "call", "mail")
PROMOTIONS = ("display", "advertising", "material", "contest")


class Attention:
    """The attention of managers, 1 for what is usual in the tier. The cause: too little of it for some months.

    An account is dropped from its manager's rounds, or the manager turns to his largest accounts only. Contacts and
    promotion money are drawn around it, so that a quiet month proves nothing.
    """

    def __init__(self, market: Market) -> None:
        self.market, s, people = market, market.settings, market.people
        self.rng = stream(market.seed, "attention")
        size = len(people)
        self.dropped = Spells(self.rng, s.dropped_start, s.dropped_months, size)
        self.leaning = Spells(self.rng, s.lean_start, s.lean_months, int(people.post.max()) + 1)
        self.left: Floats = np.ones(size)  # attention left to an account while it is dropped
        self.felt: Floats = np.zeros(size)  # shortage of attention in past months, fading
        self.visited: Flags = np.zeros(size, np.bool_)  # whether the manager visited or called in the last month
        self.weight: Floats = np.array(s.attention_weight)[people.tier]
        self.contacts = Log("account", "kind", "second", "inbound", "replied")
        self.promotions = Log("account", "day", "kind", "amount")

    def hazard(self) -> Floats:
        """Rises with past shortage of attention above what nobody minds, most for the small."""
        s = self.market.settings
        missed = np.maximum(self.felt - s.attention_spared, 0) / (1 - s.attention_spared)
        return s.base_unequal * self.weight * missed

    def move(self, month: int, post: Ints, attended: Flags, purchases: list[Floats], looked_after: Flags) -> None:
        """Draw the month's attention, then the contacts and the promotion money of accounts that are looked after."""
        s, people, rng = self.market.settings, self.market.people, self.rng
        size = len(people)
        begins = self.dropped.move(month, np.where(people.tier < TOP, 1.0, 0.25))
        self.left = np.where(begins, rng.uniform(*s.dropped_attention, size), self.left)
        self.leaning.move(month)
        attention = np.where(self.dropped.on(month), self.left, 1.0)
        attention *= np.where(self.leaning.on(month)[post], np.array(s.lean_attention)[people.tier], 1.0)
        shortage = np.clip(1 - attention, 0, 1)
        self.felt = s.attention_memory * self.felt + (1 - s.attention_memory) * shortage
        given = attention * np.where(attended, 1.0, s.vacancy_attention)
        if s.follows_orders and len(purchases) > 6:
            lately = np.sum(purchases[-2:], axis=0) / 2
            usual = np.sum(purchases[-8:-2], axis=0) / len(purchases[-8:-2])
            ratio = np.divide(lately, usual, out=np.ones(size), where=usual > 0)
            given = given * np.clip(ratio, 0.02, 1.5) ** s.follows_orders
        self.visited = np.zeros(size, np.bool_)
        for kind, rates in enumerate((s.visits, s.calls, s.mails)):
            count = rng.poisson(np.array(rates)[people.tier] * given * looked_after)
            if CONTACTS[kind] != "mail":
                self.visited |= count > 0
            account = np.repeat(np.arange(size), count)
            self.enter(month, account, kind, self.market.some_day(rng, month, len(account)))
        self._promote(month, attention, purchases, looked_after)

    def enter(self, month: int, account: Ints, kind: int, day: Ints) -> None:
        """Enter outbound contacts of accounts, in working hours of the days."""
        if month < self.market.first:
            return
        size = len(account)
        second = day * DAY + self.rng.integers(8 * 3600, 18 * 3600, size)
        never = np.full(size, NEVER * DAY)
        self.contacts.add(account, np.full(size, kind), second, np.zeros(size, np.int64), never)

    def _promote(self, month: int, attention: Floats, purchases: list[Floats], looked_after: Flags) -> None:
        s, people, rng = self.market.settings, self.market.people, self.rng
        usual = np.mean(purchases[-6:], axis=0) if purchases else np.zeros(len(people))
        chance = np.array(s.promoted)[people.tier] * attention * looked_after * (usual > 0)
        # Budgets are spent before the season.
        chance *= 1.5 if month_of_year(int(self.market.days[month])) in (2, 3, 8, 9) else 0.75
        gets = np.flatnonzero(rng.random(len(people)) < chance)
        amount = np.round(usual[gets] * rng.uniform(*s.promotion_share, len(gets)) + 5, 2)
        kind = rng.integers(0, len(PROMOTIONS), len(gets))
        day = self.market.some_day(rng, month, len(gets))
        if month >= self.market.first:
            self.promotions.add(gets, day, kind, amount)


TOP = 3  # the tier of the largest, who are seldom forgotten
