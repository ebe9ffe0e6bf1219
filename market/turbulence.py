"""Turbulence: events that shake the company, a region, the supply of a product line or one account."""

from __future__ import annotations

import numpy as np

from market.draws import NEVER, Floats, Ints, Log, Market, Spells, stream, whole

SCOPES = ("company", "region", "product_line", "account")
EVENT_KINDS = (
    ("leadership conflict", "money short", "price change"),
    ("disaster", "downturn", "roads closed"),
    ("supply interruption", "recall", "price change"),
    ("site damage", "dispute", "credit cut"),
)


class Turbulence:
    """Events with a severity. The cause: how much of them an account has felt lately, by the share that touches it."""

    def __init__(self, market: Market, line_share: Floats) -> None:
        self.market, s = market, market.settings
        self.rng = stream(market.seed, "turbulence")
        self.line_share = line_share  # of each line in the account's range, shape (accounts, lines)
        regions = int(market.people.region.max()) + 1
        sizes = (1, regions, line_share.shape[1], len(market.people))
        chances = (s.company_event, s.region_event, s.line_event, s.account_event)
        self.spells = [Spells(self.rng, c, s.event_months, n) for c, n in zip(chances, sizes, strict=True)]
        self.severity: list[Floats] = [np.zeros(n) for n in sizes]  # of the last event, 1 to 5
        self.felt: Floats = np.zeros(len(market.people))
        self.region: Floats = np.zeros(regions)  # severity of each region's event in this month, 0 to 1
        self.supply: Floats = np.zeros(len(market.people))  # lack of supply in this month, 0 to 1
        self.events = Log("scope", "which", "kind", "started", "ended", "severity")

    def hazard(self) -> Floats:
        """Rises with the shocks of past months: accounts with a keen nose defect first."""
        return self.market.settings.base_turbulence * self.felt

    def move(self, month: int) -> None:
        """Begin and end events, and remember those of this month."""
        s, people, rng = self.market.settings, self.market.people, self.rng
        now = []
        for scope, spells in enumerate(self.spells):
            begins = np.flatnonzero(spells.move(month))
            drawn = 1 + np.minimum(rng.binomial(4, 0.55, len(begins)), 4)
            self.severity[scope][begins] = drawn
            ends = np.minimum(spells.until[begins], len(self.market.days) - 1)
            ended = np.where(spells.until[begins] < len(self.market.days), self.market.days[ends], NEVER)
            started = self.market.some_day(rng, month, len(begins))
            self._note(scope, begins, started, ended, drawn, s.noted_events)
            now.append(np.where(spells.on(month), self.severity[scope] / 5, 0.0))
        company, region, line, account = s.event_weight
        self.region = now[1]
        self.supply = np.minimum(1.5 * self.line_share @ now[2], 1.0)
        shock = company * now[0] + region * now[1][people.region] + line * self.supply + account * now[3]
        self.felt = s.event_memory * self.felt + (1 - s.event_memory) * np.minimum(shock, 1.5)
        false = np.flatnonzero(rng.random(len(now[1])) < s.false_events / len(now[1]))
        started = self.market.some_day(rng, month, len(false))
        ended = started + whole(rng, (20, 120), len(false))
        self._note(1, false, started, ended, whole(rng, (1, 4), len(false)), 1.0)

    def _note(self, scope: int, which: Ints, started: Ints, ended: Ints, severity: Ints, share: float) -> None:
        """Enter events. Those from before the start are kept: they may still be felt."""
        noted = self.rng.random(len(which)) < share
        kind = self.rng.integers(0, len(EVENT_KINDS[scope]), len(which))
        columns = (np.full(len(which), scope), which, kind, started, ended, severity)
        self.events.add(*(column[noted] for column in columns))
