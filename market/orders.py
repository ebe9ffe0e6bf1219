"""Who leaves, how an account's orders rise and fall, and the orders themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from market import tables_out
from market.draws import NEVER, Catalogue, Flags, Floats, Ints, Market, Spells, month_of_year, stream, whole

DAY = 86_400  # seconds


class Leaving:
    """Who has decided to leave, for which reason, and from which day on no order comes."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.rng = stream(market.seed, "leaving")
        size = len(market.people)
        self.decided: Ints = np.full(size, NEVER)  # month of the decision
        self.length: Ints = np.ones(size, np.int64)  # months from there to the last one with orders, it included
        self.stops: Ints = np.full(size, NEVER)  # first day without an order
        self.reason: Ints = np.full(size, -1)  # place in `codes`
        self.codes: list[str] = []
        self.living: list[Ints] = []  # accounts with a row in the truth, month by month
        self.hazards: list[Floats] = []  # theirs, shape (living, codes)

    @property
    def lost(self) -> Ints:
        """Month of the last order that was still possible; far away for those who stay."""
        return self.decided + self.length - 1

    def decide(self, month: int, hazards: dict[str, Floats]) -> None:
        """Draw who decides at the first day of the month, by competing hazards, and the main reason."""
        s, days, opened = self.market.settings, self.market.days, self.market.people.opened
        self.codes = list(hazards)
        each = np.stack(list(hazards.values()), axis=1) * (opened < days[month])[:, None]
        living = np.flatnonzero((opened < days[month + 1]) & (self.lost >= month))
        self.living.append(living)
        self.hazards.append(each[living])
        total = each.sum(axis=1)
        goes = np.flatnonzero((self.rng.random(len(opened)) < -np.expm1(-total)) & (self.decided == NEVER))
        drawn = self.rng.random(len(goes)) * total[goes]
        reason = (drawn[:, None] >= np.cumsum(each[goes], axis=1)).sum(axis=1)
        self.reason[goes] = np.minimum(reason, len(self.codes) - 1)  # a sum may round below the total
        self.decided[goes] = month
        self.length[goes] = whole(self.rng, s.leave_months, len(goes))
        last = self.lost[goes]
        within = self.rng.random(len(goes))
        known = last < len(days) - 1
        begin, end = days[last[known]], days[last[known] + 1]
        self.stops[goes[known]] = begin + 1 + np.floor(within[known] * (end - begin)).astype(np.int64)

    def table(self) -> pd.DataFrame:
        """The truth, by account and month."""
        account = np.concatenate(self.living)
        month = np.repeat(np.arange(len(self.living)), [len(living) for living in self.living])
        order = np.argsort(account, kind="stable")
        account, month = account[order], month[order]
        hazards = np.concatenate(self.hazards)[order]
        lost = self.lost[account] == month
        reason = np.where(lost, self.reason[account], -1)
        named = {f"hazard_{code}": hazards[:, place] for place, code in enumerate(self.codes)}
        size = len(self.market.people)
        return tables_out.truth(account, self.market.days[month], named, lost, reason, self.codes, size)


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

    def move(self, month: int, leaving: Leaving) -> None:
        """Set the factors of this month."""
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
        volume = season * np.exp(self.level)  # half of it shows in the rhythm, half in the size of orders
        self.gap = np.where(dips, self.dip_gap, 1.0) * (1 + s.leave_gap * gone) / np.sqrt(volume)
        self.value = np.where(dips, self.dip_value, 1.0) * (1 - s.leave_value * gone) * np.sqrt(volume)
        self.paused = (of_year - people.pause_month) % 12 < people.pause_length


class Orders:
    """Orders and returns. Gaps are gamma distributed around the account's own mean, stretched by the pace."""

    def __init__(self, market: Market, products: Catalogue) -> None:
        self.market, self.products, people = market, products, market.people
        self.rng = stream(market.seed, "orders")
        wait = self.rng.random(len(people)) * people.gap
        new = people.opened >= market.days[0]
        self.next: Floats = np.where(new, people.opened + 0.5 * wait, market.days[0] + wait)  # day of the next order
        self.gap: Floats = np.ones(len(people))  # factor of the gap under which `next` was drawn
        self.purchases: list[Floats] = []  # money by account, month by month, returns left aside
        self.headers: list[Ints] = []  # account, second; a column an order or a return
        self.lines: list[Ints] = []  # place in the headers, product, pieces (negative in a return)
        self.placed = 0  # headers so far

    def place(self, month: int, pace: Pace, stops: Ints, trouble: Floats) -> None:
        """Place the orders of the month and the returns that follow from them."""
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
        self._fill(np.concatenate(accounts), np.concatenate(days), pace.value, trouble)

    def _stretch(self, begin: int, end: int, pace: Pace) -> None:
        """Let what is left of the running gap follow the pace; put off the orders of accounts in their pause."""
        left = self.next - begin
        moved = (self.market.people.opened < begin) & (left > 0)
        self.next = np.where(moved, begin + left * pace.gap / self.gap, self.next)
        self.gap = pace.gap
        put_off = np.flatnonzero(pace.paused & (self.next < end))
        self.next[put_off] = end + self.rng.uniform(0, 7, len(put_off))

    def _fill(self, account: Ints, day: Ints, value: Floats, trouble: Floats) -> None:
        """Fill the orders with products; draw what comes back."""
        s, people, rng = self.market.settings, self.market.people, self.rng
        size = people.range_size[account]
        count = np.minimum(1 + rng.binomial(s.lines_most - 1, people.lines[account]), size)
        order = np.repeat(np.arange(len(account)), count)
        line = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
        # One place in each of `count` equal parts of the range: no product comes twice in an order.
        place = (line * size[order] + rng.integers(0, size)[order]) // count[order]
        buyer = account[order]
        product = people.product(buyer, place, s)
        price = self.products.price[product]
        spent = people.value[buyer] * value[buyer] * rng.gamma(4, 0.25, len(order))
        pieces = np.maximum(np.rint(spent / price), 1).astype(np.int64)
        self._enter(account, day, order, product, pieces)
        amount = pieces * price * (1 - people.discount[buyer])
        self.purchases.append(np.bincount(buyer, amount, len(people)).astype(np.float64))
        back = rng.random(len(order)) < s.return_rate + s.return_trouble * trouble[buyer]
        returned, place = np.unique(order[back], return_inverse=True)
        later = day[returned] + whole(rng, s.return_days, len(returned))
        part = np.ceil(pieces[back] * rng.uniform(0.2, 1, len(place))).astype(np.int64)
        self._enter(account[returned], later, place, product[back], -part)

    def _enter(self, account: Ints, day: Ints, header: Ints, product: Ints, pieces: Ints) -> None:
        """Enter orders or returns, at some time between 8 and 18 o'clock."""
        second = day * DAY + self.rng.integers(8 * 3600, 18 * 3600, len(day))
        self.headers.append(np.stack([account, second]))
        self.lines.append(np.stack([self.placed + header, product, pieces]))
        self.placed += len(account)

    def table(self, stops: Ints) -> pd.DataFrame:
        """The contract table `orders`, by time; an account that has stopped sends nothing back either."""
        account, second = np.concatenate(self.headers, axis=1)
        header, product, pieces = np.concatenate(self.lines, axis=1)
        kept = (second // DAY < self.market.end) & (second // DAY < stops[account])
        order = np.lexsort((account, second))
        order = order[kept[order]]
        number = np.full(len(account), -1)
        number[order] = np.arange(len(order))
        of_line = number[header]
        lines = np.argsort(of_line, kind="stable")[np.count_nonzero(of_line < 0) :]
        lists = self.products.price[product[lines]] * pieces[lines]
        buyer = account[header[lines]]
        amount = np.round(lists * (1 - self.market.people.discount[buyer]), 2)
        return tables_out.orders(
            number=of_line[lines],
            orders=len(order),
            account=buyer,
            accounts=len(stops),
            second=second[header[lines]],
            product=product[lines],
            line=self.products.line,
            pieces=pieces[lines],
            amount=amount,
            list_amount=np.round(lists, 2),
            margin=np.round(amount - self.market.settings.cost * lists, 2),
        )
