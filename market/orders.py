"""How an account's orders rise and fall, and the orders themselves."""

from __future__ import annotations

import numpy as np

from market.draws import DAY, Flags, Floats, Ints, Log, Market, Spells, month_of_year, stream, whole
from market.leaving import Leaving
from market.population import Catalogue


class Pace:
    """How quickly and how much each account orders in a month, against its mean.

    Season, drift, declines that pass and declines that end in a loss are alike in the orders; only what was their
    cause tells them apart.
    """

    def __init__(self, market: Market) -> None:
        self.market, s, size = market, market.settings, len(market.people)
        self.rng = stream(market.seed, "pace")
        self.dips = Spells(self.rng, s.dip_start, s.dip_months, size)
        self.dip_gap: Floats = np.ones(size)
        self.dip_value: Floats = np.ones(size)
        self.level: Floats = np.zeros(size)  # log volume against the mean
        self.gap: Floats = np.ones(size)  # factor of the mean gap
        self.value: Floats = np.ones(size)  # factor of the mean value of an order's product
        self.paused: Flags = np.zeros(size, np.bool_)

    def move(self, month: int, leaving: Leaving, shaken: Floats) -> None:
        """Set the factors of this month; `shaken` is the severity of events by region, 0 to 1."""
        s, people, rng = self.market.settings, self.market.people, self.rng
        size = len(people)
        begins = self.dips.move(month)
        self.dip_gap = np.where(begins, rng.uniform(*s.dip_gap, size), self.dip_gap)
        self.dip_value = np.where(begins, rng.uniform(*s.dip_value, size), self.dip_value)
        dips = self.dips.on(month)
        self.level = s.drift_memory * self.level + rng.normal(0, s.drift, size)
        of_year = month_of_year(int(self.market.days[month]))
        common = 1 + s.season_common * np.cos(2 * np.pi * (of_year - s.season_peak) / 12)
        season = common * (1 + people.season * np.cos(2 * np.pi * (of_year - people.season_peak) / 12))
        gone = np.clip((month - leaving.decided + 1) / leaving.length, 0, 1)  # how far the decline has come
        # Half of the volume shows in the rhythm, half in the size of orders.
        volume = season * np.exp(self.level) * (1 - s.event_volume * shaken)[people.region]
        self.gap = np.where(dips, self.dip_gap, 1.0) * (1 + s.leave_gap * gone) / np.sqrt(volume)
        self.value = np.where(dips, self.dip_value, 1.0) * (1 - s.leave_value * gone) * np.sqrt(volume)
        self.paused = (of_year - people.pause_month) % 12 < people.pause_length


class Orders:
    """Orders and returns. Gaps are gamma distributed around the account's own mean, stretched by the pace."""

    def __init__(self, market: Market, catalogue: Catalogue) -> None:
        self.market, self.catalogue, people = market, catalogue, market.people
        self.rng = stream(market.seed, "orders")
        wait = self.rng.random(len(people)) * people.gap
        new = people.opened >= market.days[0]
        self.next: Floats = np.where(new, people.opened + 0.5 * wait, market.days[0] + wait)  # day of the next order
        self.gap: Floats = np.ones(len(people))  # factor of the gap under which `next` was drawn
        self.purchases: list[Floats] = []  # money by account, month by month, returns left aside
        self.headers = Log("account", "second", "discount")  # a row an order or a return
        self.lines = Log("header", "product", "pieces")  # place in the headers; pieces are negative in a return
        self.placed = 0  # headers so far
        # What is ordered in one month: number of the header, account, day, pieces.
        self.fresh: tuple[Ints, Ints, Ints, Floats] = (np.zeros(0, np.int64),) * 3 + (np.zeros(0),)

    def active(self) -> Flags:
        """Which accounts bought in the last three months, shape (accounts,)."""
        none = np.zeros(len(self.market.people))
        recent: Floats = np.sum(self.purchases[-3:], axis=0) if self.purchases else none
        return recent > 0

    def place(
        self,
        month: int,
        pace: Pace,
        stops: Ints,
        trouble: Floats,
        misfit: Flags,
        kept: Floats,
        cut: Floats,
    ) -> None:
        """Place the orders of the month and the returns that follow from them.

        By account: `trouble` with the goods, `misfit` of the range, the share of the range still `kept` with us, and
        the factor by which the discount is `cut`.
        """
        begin, end = int(self.market.days[month]), int(self.market.days[month + 1])
        self._stretch(begin, end, pace)
        people, rng = self.market.people, self.rng
        accounts, days = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        while len(due := np.flatnonzero(self.next < end)):  # once for each further order of the quickest account
            day = np.floor(self.next[due]).astype(np.int64)
            stays = day < stops[due]
            self.next[due[~stays]] = np.inf
            due = due[stays]
            accounts.append(due)
            days.append(day[stays])
            shape = people.regularity[due]
            wait = rng.gamma(shape, people.gap[due] * pace.gap[due] / shape)
            self.next[due] += np.maximum(wait, 0.25)
        account, day = np.concatenate(accounts), np.concatenate(days)
        discount = people.discount * cut
        order, product, pieces = self._fill(account, month, pace.value, kept, misfit)
        amount = pieces * self.catalogue.price[product // self.catalogue.generations] * (1 - discount[account[order]])
        self.purchases.append(np.bincount(account[order], amount, len(people)).astype(np.float64))
        back = rng.random(len(order)) < self.market.settings.return_rate + (
            self.market.settings.return_trouble * trouble[account[order]]
        )
        returned, place = np.unique(order[back], return_inverse=True)
        later = day[returned] + whole(rng, self.market.settings.return_days, len(returned))
        part = np.ceil(pieces[back] * rng.uniform(0.2, 1, len(place))).astype(np.int64)
        numbers = self.placed + np.arange(len(account))
        self.fresh = (numbers, account, day, np.bincount(order, pieces, len(account)).astype(np.float64))
        if month >= self.market.first:
            self._enter(account, day, discount[account], order, product, pieces)
            self._enter(account[returned], later, discount[account[returned]], place, product[back], -part)

    def _stretch(self, begin: int, end: int, pace: Pace) -> None:
        """Let what is left of the running gap follow the pace; put off the orders of accounts in their pause."""
        left = self.next - begin
        moved = (self.market.people.opened < begin) & (left > 0)
        self.next = np.where(moved, begin + left * pace.gap / self.gap, self.next)
        self.gap = pace.gap
        put_off = np.flatnonzero(pace.paused & (self.next < end))
        self.next[put_off] = end + self.rng.uniform(0, 7, len(put_off))

    def _fill(self, account: Ints, month: int, value: Floats, kept: Floats, misfit: Flags) -> tuple[Ints, Ints, Ints]:
        """Fill the orders with products; order, product and pieces of each line."""
        s, people, rng, catalogue = self.market.settings, self.market.people, self.rng, self.catalogue
        size = np.maximum(np.rint(people.range_size * kept).astype(np.int64), 1)[account]
        count = np.minimum(1 + rng.binomial(s.lines_most - 1, people.lines[account]), size)
        order = np.repeat(np.arange(len(account)), count)
        line = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
        # One step in each of `count` equal parts of the range: no product comes twice in an order.
        step = (line * size[order] + rng.integers(0, size)[order]) // count[order]
        buyer = account[order]
        place = people.place(buyer, step, s)
        day = int(self.market.days[month])
        old = misfit[buyer] | (rng.random(len(order)) < 0.2)
        generation = np.where(old, catalogue.oldest(day)[place], catalogue.newest(day)[place])
        spent = people.value[buyer] * value[buyer] * rng.gamma(4, 0.25, len(order))
        pieces = np.maximum(np.rint(spent / catalogue.price[place]), 1).astype(np.int64)
        return order, place * catalogue.generations + generation, pieces

    def _enter(self, account: Ints, day: Ints, discount: Floats, header: Ints, product: Ints, pieces: Ints) -> None:
        """Enter orders or returns, at some time between 8 and 18 o'clock."""
        second = day * DAY + self.rng.integers(8 * 3600, 18 * 3600, len(day))
        self.headers.add(account, second, discount)
        self.lines.add(self.placed + header, product, pieces)
        self.placed += len(account)
