"""Competitors that court accounts, and what no table shows."""

from __future__ import annotations

import numpy as np

from market.draws import DAY, Flags, Floats, Ints, Log, Market, Spells, stream

SIGNALS = ("visit", "offer", "price_gap", "wallet")


class Rivals:
    """Rivals that work a region, court its best accounts, and find it easier where our price has gone up.

    The cause: courtship felt lately. Its signs are signals that managers note, a range that shrinks, and a price paid
    that moves toward the list.
    """

    def __init__(self, market: Market) -> None:
        self.market, s, people = market, market.settings, market.people
        self.rng = stream(market.seed, "rivals")
        size = len(people)
        self.campaigns = Spells(self.rng, s.campaign_start, s.campaign_months, int(people.region.max()) + 1)
        self.courts = Spells(self.rng, s.courted_start, s.courted_months, size)
        self.prices = Spells(self.rng, s.price_start, s.price_months, size)
        self.best: Floats = np.clip((people.value / s.line_value) ** s.courted_size, 0.3, 3.0)
        self.felt: Floats = np.zeros(size)
        self.signals = Log("account", "region", "second", "kind", "value")

    @property
    def kept(self) -> Floats:
        """Share of its range that an account still buys from us, shape (accounts,)."""
        return 1 - self.market.settings.courted_range * self.felt

    def discount(self, month: int) -> Floats:
        """Factor on the discount in this month."""
        return np.where(self.prices.on(month), self.market.settings.price_left, 1.0)

    def hazard(self, month: int) -> Floats:
        """Rises with past courtship, and more where the discount was cut before this month."""
        s = self.market.settings
        dear = self.prices.on(max(month - 1, 0)) & (month > 0)
        return s.base_competitor * self.felt * (1 + s.price_pull * dear)

    def move(self, month: int, active: Flags) -> None:
        """Begin and end campaigns, courtships and price rises; note some of what is seen of them."""
        s, people, rng = self.market.settings, self.market.people, self.rng
        self.campaigns.move(month)
        worked = self.campaigns.on(month)
        self.courts.move(month, self.best * np.where(worked[people.region], s.courted_campaign, 1.0))
        self.prices.move(month)
        courted = self.courts.on(month)
        self.felt = s.courted_memory * self.felt + (1 - s.courted_memory) * courted
        rate = np.where(courted, s.noted_signals, s.false_signals) * active
        for kind in range(len(SIGNALS)):
            account = np.repeat(np.arange(len(people)), rng.poisson(rate))
            self._note(month, account, np.full(len(account), -1), kind, courted[account])
        of_region = np.repeat(np.arange(len(worked)), rng.poisson(np.where(worked, 6 * s.noted_signals, 0.15)))
        kinds = rng.integers(0, 3, len(of_region))
        for kind in range(3):
            region = of_region[kinds == kind]
            self._note(month, np.full(len(region), -1), region, kind, worked[region])

    def _note(self, month: int, account: Ints, region: Ints, kind: int, true: Flags) -> None:
        s, rng, size = self.market.settings, self.rng, len(account)
        second = self.market.some_day(rng, month, size) * DAY + 12 * 3600
        seen = np.where(rng.random(size) < s.wrong_kind, rng.integers(0, len(SIGNALS), size), kind)
        gap = np.where(true, rng.uniform(0.05, 0.25, size), rng.uniform(0.0, 0.12, size))
        wallet = np.where(true, rng.uniform(0.2, 0.6, size), rng.uniform(0.5, 1.0, size))
        value = np.where(seen == 2, gap, np.where(seen == 3, wallet, np.nan))
        if month >= self.market.first:
            self.signals.add(account, region, second, seen, np.round(value, 3).astype(np.float64))


class Hidden:
    """What no table shows: something works a region for some months, and accounts that are easily won."""

    def __init__(self, market: Market) -> None:
        self.market, s = market, market.settings
        self.rng = stream(market.seed, "hidden")
        self.spells = Spells(self.rng, s.unseen_start, s.unseen_months, int(market.people.region.max()) + 1)
        self.factor: Floats = np.ones(len(self.spells.until))

    def hazard(self) -> Floats:
        """Rises while it works the region; no feature can know of it."""
        return self.market.settings.base_unexplained * self.factor[self.market.people.region]

    def move(self, month: int) -> None:
        """Begin and end the spells."""
        self.spells.move(month)
        self.factor = np.where(self.spells.on(month), self.market.settings.unseen_factor, 1.0)
