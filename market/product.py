"""The product no longer fits: goods of an account turn bad for some months, or the range falls behind its needs."""

from __future__ import annotations

import numpy as np

from market.draws import DAY, NEVER, Flags, Floats, Log, Market, Spells, stream, whole


class Product:
    """Trouble with the goods, and misfit of the range. The cause: what was felt of both lately.

    Their signs are returns and complaints of quality, requests that are not granted, and an old range: in a misfit
    the account goes on with the products that have a successor already.
    """

    def __init__(self, market: Market) -> None:
        self.market, s, size = market, market.settings, len(market.people)
        self.rng = stream(market.seed, "quality")
        self.spells = Spells(self.rng, s.trouble_start, s.trouble_months, size)
        self.misfits = Spells(self.rng, s.misfit_start, s.misfit_months, size)
        self.drawn: Floats = np.zeros(size)  # severity of the last spell
        self.severity: Floats = np.zeros(size)  # in this month; 0 without trouble
        self.misfit: Flags = np.zeros(size, np.bool_)
        self.felt: Floats = np.zeros(size)  # what hurt in past months, fading
        self.requests = Log("account", "second", "granted")

    def hazard(self) -> Floats:
        """Rises with the trouble and misfit of past months, not with the returns, which are only a sign."""
        return self.market.settings.base_product * self.felt

    def move(self, month: int, active: Flags) -> None:
        """Begin and end spells; remember what hurts in this month; let accounts ask for products."""
        s, rng, size = self.market.settings, self.rng, len(self.felt)
        begins = self.spells.move(month)
        self.drawn = np.where(begins, rng.uniform(*s.trouble_severity, size), self.drawn)
        self.severity = np.where(self.spells.on(month), self.drawn, 0.0)
        self.misfits.move(month)
        self.misfit = self.misfits.on(month)
        hurts = self.severity + s.misfit_weight * self.misfit
        self.felt = s.trouble_memory * self.felt + (1 - s.trouble_memory) * hurts
        calm, ill = s.request_rate
        asks = np.flatnonzero((rng.random(size) < np.where(self.misfit, ill, calm) * s.noted_requests) & active)
        day = self.market.some_day(rng, month, len(asks))
        calm, ill = s.request_granted
        granted = rng.random(len(asks)) < np.where(self.misfit[asks], ill, calm)
        after = day + whole(rng, (5, 60), len(asks))
        if month >= self.market.first:
            self.requests.add(asks, day * DAY, np.where(granted, after, NEVER))
