"""Natural ends: the account changes hands, its owner wants to give up, it moves or closes."""

from __future__ import annotations

import numpy as np

from market.draws import NEVER, Flags, Floats, Ints, Market, Spells, stream, whole

CLOSED = ("closed", "moved", "owner died", "sold", "family ties elsewhere")


class NaturalEnd:
    """Changes of owner, and the closing days that become known. The cause: a change of owner some months ago."""

    def __init__(self, market: Market) -> None:
        self.market, s, size = market, market.settings, len(market.people)
        self.rng = stream(market.seed, "natural")
        self.spells = Spells(self.rng, s.owner_change, s.owner_months, size)
        self.changed: Ints = np.full(size, NEVER)  # day on which the last change becomes known, if ever

    def hazard(self, month: int) -> Floats:
        """Small at any time, large in the months after a change of owner."""
        s = self.market.settings
        return np.where(self.spells.on(max(month - 1, 0)) & (month > 0), s.base_natural, s.base_natural_any)

    def move(self, month: int) -> None:
        """Begin and end the spells after a change of owner, which is noted late or never."""
        s, rng, market = self.market.settings, self.rng, self.market
        begins = np.flatnonzero(self.spells.move(month) & market.opened(month))
        noted = rng.random(len(begins)) < s.noted_owners
        day = market.some_day(rng, month, len(begins)) + whole(rng, (0, 45), len(begins))
        seen = noted & (day < market.end)
        self.changed[begins[seen]] = day[seen]

    def closings(self, stops: Ints, natural: Flags) -> tuple[Ints, Ints]:
        """Day on which the closing is known, if it is before the end, and its place in CLOSED, shape (accounts,).

        Most become known after the last order, some before; a few of those that left otherwise count as closed too.
        """
        s, rng, size = self.market.settings, self.rng, len(stops)
        share = np.where(natural, s.noted_closed, 0.02)
        day = stops + np.where(rng.random(size) < 0.2, whole(rng, (-25, 0), size), whole(rng, (1, 150), size))
        why = rng.integers(0, len(CLOSED), size)
        known = (rng.random(size) < share) & (stops < NEVER) & (day < self.market.end) & (day >= self.market.start)
        return np.where(known, day, NEVER), np.where(known, why, -1)
