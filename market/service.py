"""Neglected details: late replies, late and short deliveries, complaints left open, no call after a sale."""

from __future__ import annotations

import numpy as np

from market.attention import CONTACTS, Attention
from market.draws import DAY, NEVER, Flags, Floats, Ints, Log, Market, Spells, month_of_year, stream, whole

COMPLAINTS = ("quality", "service", "logistics", "billing")


class Service:
    """The small things. The cause: how many of them went wrong lately.

    Three sources: the account's affairs are handled carelessly, the logistics of its region fail, or its goods are
    out of stock in its peak season.
    """

    def __init__(self, market: Market) -> None:
        self.market, s, people = market, market.settings, market.people
        self.rng = stream(market.seed, "service")
        size = len(people)
        self.careless = Spells(self.rng, s.careless_start, s.careless_months, size)
        self.depots = Spells(self.rng, s.depot_start, s.depot_months, int(people.region.max()) + 1)
        self.short = Spells(self.rng, s.shortage, (3, 3), size)
        self.neglect: Floats = np.zeros(size)  # in this month: carelessness,
        self.logistics: Floats = np.zeros(size)  # failing logistics
        self.shortage: Floats = np.zeros(size)  # and goods out of stock in the peak season
        self.felt: Floats = np.zeros(size)  # all of it in past months, fading
        self.deliveries = Log("header", "account", "promised", "delivered", "ordered", "came", "stock_out")
        self.complaints = Log("account", "second", "resolved", "kind", "severity")

    def hazard(self) -> Floats:
        """Rises with what went wrong in past months, not with the complaints, which are only a sign."""
        return self.market.settings.base_details * self.felt

    def move(self, month: int) -> None:
        """Begin and end the spells, and remember what goes wrong in this month."""
        s, people = self.market.settings, self.market.people
        self.careless.move(month)
        self.depots.move(month)
        of_year = month_of_year(int(self.market.days[month]))
        self.short.move(month, (of_year + 1) % 12 == np.floor(people.season_peak))
        self.neglect = self.careless.on(month).astype(np.float64)
        self.logistics = self.depots.on(month)[people.region].astype(np.float64)
        self.shortage = self.short.on(month).astype(np.float64)
        careless, depot, short = s.details_weight
        wrong = np.minimum(careless * self.neglect + depot * self.logistics + short * self.shortage, 1.5)
        self.felt = s.details_memory * self.felt + (1 - s.details_memory) * wrong

    def deliver(
        self, month: int, header: Ints, account: Ints, day: Ints, pieces: Floats, supply: Floats, attention: Attention
    ) -> None:
        """Deliver the month's orders, and call some accounts after the sale; `supply` is the lack of it, 0 to 1."""
        s, rng, size = self.market.settings, self.rng, len(header)
        wrong = np.minimum(np.maximum(0.6 * self.neglect, self.logistics), 1.0)[account]
        lacking = np.maximum(self.shortage, supply)[account]
        promised = day + whole(rng, (3, 10), size)
        out = rng.random(size) < s.stock_out[0] + s.stock_out[1] * lacking
        late = rng.random(size) < s.late_delivery[0] + s.late_delivery[1] * wrong
        days_late = np.where(late, whole(rng, (2, 8), size) + (wrong * rng.uniform(0, 14, size)).astype(np.int64), 0)
        days_late += np.where(out, whole(rng, (5, 25), size), 0)
        early = np.where(days_late == 0, whole(rng, (-1, 0), size), 0)
        short = (rng.random(size) < s.short_delivery[0] + s.short_delivery[1] * wrong) | out
        came = np.where(short, np.floor(pieces * rng.uniform(0.4, 0.95, size)), pieces)
        good, ill = s.sale_call
        called = np.flatnonzero(rng.random(size) < good + (ill - good) * self.neglect[account])
        called_on = day[called] + whole(rng, (3, 14), len(called))
        if month >= self.market.first:
            delivered = promised + days_late + early
            self.deliveries.add(header, account, promised, delivered, pieces, came, out.astype(np.int64))
            attention.enter(month, account[called], CONTACTS.index("call"), called_on)

    def hear(self, month: int, active: Flags, trouble: Floats, attended: Flags, attention: Attention) -> None:
        """Let accounts that buy complain and get in touch, and answer them."""
        s, market, rng = self.market.settings, self.market, self.rng
        size = len(active)
        ill = np.minimum(self.neglect + 0.6 * self.logistics + 0.6 * self.shortage, 1.5)
        service = rng.poisson((s.complaints[0] + s.complaints[1] * ill) * active)
        quality = rng.poisson((s.quality_complaints[0] + s.quality_complaints[1] * trouble) * active)
        for count, about_quality in ((service, True), (quality, False)):
            account = np.repeat(np.arange(size), count)
            kind = np.zeros(len(account), np.int64)
            if about_quality:
                by_logistics = rng.random(len(account)) < np.where(self.neglect[account] > 0, 0.3, 0.7)
                kind = np.where(by_logistics, 2, np.where(rng.random(len(account)) < 0.6, 1, 3))
            self._complain(month, account, kind)
        asks = np.repeat(np.arange(size), rng.poisson(s.inbound * (1 + ill) * active))
        second = market.some_day(rng, month, len(asks)) * DAY + rng.integers(8 * 3600, 18 * 3600, len(asks))
        median = np.where(self.neglect[asks] > 0, s.reply_hours[1], s.reply_hours[0])
        median = np.where(attended[asks], median, 2.5 * median)
        replied = second + np.floor(3600 * median * rng.lognormal(0, 0.9, len(asks))).astype(np.int64)
        kind = rng.integers(1, 3, len(asks))
        replied[rng.random(len(asks)) < np.where(self.neglect[asks] > 0, 0.2, 0.02)] = NEVER * DAY
        if month >= market.first:
            attention.contacts.add(asks, kind, second, np.ones(len(asks), np.int64), replied)

    def _complain(self, month: int, account: Ints, kind: Ints) -> None:
        s, market, rng, size = self.market.settings, self.market, self.rng, len(account)
        second = market.some_day(rng, month, size) * DAY + rng.integers(8 * 3600, 18 * 3600, size)
        usual = rng.gamma(2.0, 5.0, size)
        slow = 20 + rng.gamma(2.0, 45.0, size)
        days = np.where(self.neglect[account] > 0, slow, usual)
        severity = np.minimum(1 + rng.poisson(0.9 + 0.8 * (self.neglect[account] > 0)), 5)
        noted = rng.random(size) < s.noted_complaints
        if month >= market.first:
            resolved = second + np.floor(days * DAY).astype(np.int64)
            self.complaints.add(*(column[noted] for column in (account, second, resolved, kind, severity)))
