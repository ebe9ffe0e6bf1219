"""The planted causes: each keeps its state, tells its hazard at the first day of a month, and then moves on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from market import tables_out
from market.draws import MONTH_DAYS, NEVER, Floats, Ints, Market, Spells, month_of_year, stream, whole


class Promises:
    """Rebates: promised after each quarter, due a month later, and mostly paid. The cause: overdue money."""

    def __init__(self, market: Market) -> None:
        self.market, s = market, market.settings
        self.rng = stream(market.seed, "promises")
        self.company = Spells(self.rng, s.company_spell, s.company_months, 1)
        self.account = Spells(self.rng, s.account_spell, s.account_months, len(market.people))
        self.amounts: list[Floats] = []  # money promised after each quarter; like the next lists, an item a quarter
        self.shares: list[Floats] = []  # that money over a usual quarter's purchases
        self.dates: list[tuple[Ints, Ints, Ints]] = []  # days of promise, due date and payment

    def hazard(self, month: int) -> Floats:
        """Rises with the overdue money, against a quarter's purchases, and with how long it has been overdue."""
        s, day = self.market.settings, self.market.days[month]
        hurt = np.zeros(len(self.market.people))
        # What is older than two years has been written off.
        for share, (_, due, paid) in zip(self.shares[-8:], self.dates[-8:], strict=True):
            late = np.clip(day - due, 0, s.overdue_most) * (paid > day)
            hurt += share / s.overdue_share * late / s.overdue_full
        return s.base_promises * self.market.people.sensitivity * hurt

    def move(self, month: int, purchases: list[Floats]) -> None:
        """Begin and end the spells of late payment; in the first month of a quarter, promise for the last one.

        Whoever bought in the quarter is promised his rebate, and paid it or not, whether he has left since or not.
        """
        self.company.move(month)
        self.account.move(month)
        if month_of_year(int(self.market.days[month])) % 3 or month == 0:
            return
        s, people, rng = self.market.settings, self.market.people, self.rng
        size = len(people)
        amount = np.round(people.rebate * np.sum(purchases[max(0, month - 3) : month], axis=0), 2)
        amount[amount < s.rebate_least] = 0  # not promised, so it cannot hurt either
        usual = np.sum(purchases[max(0, month - 12) : month], axis=0) * 3 / min(month, 12)
        promised = self.market.days[month] + whole(rng, s.promise_days, size)
        due = promised + s.rebate_due
        good, company, account = s.late_chance
        chance = np.where(self.account.on(month), account, np.where(self.company.on(month), company, good))
        late = rng.random(size) < chance
        paid = due + np.where(late, whole(rng, s.late_days, size), whole(rng, s.on_time_days, size))
        paid[late & (rng.random(size) < s.late_never)] = NEVER
        self.amounts.append(amount)
        self.shares.append(np.divide(amount, usual, out=np.zeros(size), where=usual > 0))
        self.dates.append((promised, due, paid))

    def table(self) -> pd.DataFrame:
        """The contract table `rebates`, quarter by quarter."""
        size, end = len(self.market.people), self.market.end
        if not self.amounts:
            return tables_out.rebates(np.zeros((4, 0), np.int64), np.zeros(0), size)
        account = np.tile(np.arange(size), len(self.amounts))
        promised, due, paid = np.concatenate([np.stack(dates) for dates in self.dates], axis=1)
        amount = np.concatenate(self.amounts)
        rows = np.stack([account, promised, due, np.where(paid < end, paid, NEVER)])
        kept = (amount > 0) & (promised < end)
        return tables_out.rebates(rows[:, kept], amount[kept], size)


class Staff:
    """Managers and whom they look after. The cause: the manager left.

    A post is a territory that one manager holds at a time; its accounts stay in it and are handed over within it,
    those that have stopped ordering like the others.
    """

    def __init__(self, market: Market) -> None:
        self.market, s, people = market, market.settings, market.people
        self.rng = stream(market.seed, "staff")
        posts = np.arange(int(people.post.max()) + 1)
        self.hires: list[Ints] = []  # hired, level, monthly hours; a column a manager, numbered in this order
        self.leavers: list[Ints] = []  # manager, left
        self.spells: list[Ints] = []  # account, manager, started, ended
        # Whoever opened before the present manager came was looked after by a predecessor.
        first = int(people.opened.min())
        self.hired: Ints = first - self.rng.integers(1, 3000, len(posts))
        self.holder: Ints = self._hire(self.hired)
        self.started: Ints = people.opened.copy()  # first day of the account's present spell, which may be to come
        self.left: Ints = np.full(len(people), -NEVER)  # day the account's former manager left
        self.pull: Floats = np.ones(len(posts))  # of the level of the post's former manager
        tenure = np.floor(self.rng.exponential(s.tenure_years * 365.25, len(posts))).astype(np.int64)
        self._leave(posts, np.maximum(market.days[0] - 1 - tenure, first))

    def hazard(self, month: int, stops: Ints) -> Floats:
        """Rises when the manager has left, more while nobody follows, and with each other account that has gone."""
        s, people, day = self.market.settings, self.market.people, self.market.days[month]
        since = (day - self.left) / MONTH_DAYS
        felt = since < s.staff_months
        there = felt & (stops > self.left)  # the leaver's accounts on the day he left
        counted = np.bincount(people.post, there, len(self.hired))
        gone = np.bincount(people.post, there & (stops <= day), len(self.hired)) / np.maximum(counted - 1, 1)
        contagion = 1 + s.staff_contagion * gone[people.post]
        attended = np.where(self.started <= day, s.staff_attended, 1.0)
        hazard = s.base_staff * people.attachment * self.pull[people.post] * attended * contagion
        return np.where(felt, hazard * np.exp(-since / s.staff_fades), 0.0)

    def move(self, month: int) -> None:
        """Let managers resign within the month."""
        s, days = self.market.settings, self.market.days
        day = self.rng.integers(days[month], days[month + 1], len(self.hired))
        # A manager who left before his accounts were handed over to him would leave them without a spell.
        resigns = (self.rng.random(len(day)) < s.resign) & (day - self.hired > s.resign_after)
        self._leave(np.flatnonzero(resigns), day[resigns])

    def _hire(self, hired: Ints) -> Ints:
        """Enter new managers by their first days; returns their numbers."""
        level = self.rng.choice(len(tables_out.LEVELS), len(hired), p=self.market.settings.level_shares)
        hours = 10 * self.rng.integers(10, 17, len(hired))
        before: int = sum(hires.shape[1] for hires in self.hires)
        self.hires.append(np.stack([hired, level, hours]))
        return before + np.arange(len(hired))

    def _leave(self, posts: Ints, day: Ints) -> None:
        """End the spells of the managers of these posts on these days, hire the next ones and hand over."""
        if not len(posts):
            return
        s, people = self.market.settings, self.market.people
        left = np.full(len(self.hired), NEVER)
        left[posts] = day
        self.leavers.append(np.stack([self.holder[posts], day]))
        levels = np.concatenate([hires[1] for hires in self.hires])
        self.pull[posts] = np.array(s.level_pull)[levels[self.holder[posts]]]
        mine = np.flatnonzero(left[people.post] < NEVER)
        post = people.post[mine]
        had = self.started[mine] < left[post]  # not those that open later
        ended = np.stack([mine, self.holder[post], self.started[mine], left[post]])
        self.spells.append(ended[:, had])
        self.left[mine[had]] = left[post[had]]
        self.hired[posts] = day + whole(self.rng, s.vacancy_days, len(posts))
        self.holder[posts] = self._hire(self.hired[posts])
        arrived = self.hired[post]
        handed = arrived + whole(self.rng, s.handover_days, len(mine))
        self.started[mine] = np.where(had, handed, np.maximum(people.opened[mine], arrived))

    def assignments(self) -> pd.DataFrame:
        """The contract table `assignments`, by account and time; a spell ends only because the manager left."""
        people = self.market.people
        everyone = np.arange(len(people))
        present = np.stack([everyone, self.holder[people.post], self.started, np.full(len(people), NEVER)])
        rows = np.concatenate([*self.spells, present[:, self.started < self.market.end]], axis=1)
        rows = rows[:, np.lexsort((rows[2], rows[0]))]
        return tables_out.assignments(rows, len(people), sum(hires.shape[1] for hires in self.hires))

    def managers(self) -> pd.DataFrame:
        """The contract table `managers`, without those still to come."""
        hired, level, hours = np.concatenate(self.hires, axis=1)
        left = np.full(len(hired), NEVER)
        number, day = np.concatenate(self.leavers, axis=1)
        left[number] = day
        return tables_out.managers(hired, left, level, hours, self.market.end, self.market.seed)


class Quality:
    """Goods of an account turn bad for some months, and come back. The cause: the trouble felt lately."""

    def __init__(self, market: Market) -> None:
        self.market, s = market, market.settings
        self.rng = stream(market.seed, "quality")
        self.spells = Spells(self.rng, s.trouble_start, s.trouble_months, len(market.people))
        self.drawn: Floats = np.zeros(len(market.people))  # severity of the last spell
        self.severity: Floats = np.zeros(len(market.people))  # in this month; 0 without trouble
        self.felt: Floats = np.zeros(len(market.people))  # severities of past months, fading

    def hazard(self) -> Floats:
        """Rises with the trouble of past months, not with the returns, which are only its sign."""
        return self.market.settings.base_product * self.felt

    def move(self, month: int) -> None:
        """Begin and end spells; remember this month's severity."""
        s = self.market.settings
        begins = self.spells.move(month)
        self.drawn = np.where(begins, self.rng.uniform(*s.trouble_severity, len(begins)), self.drawn)
        self.severity = np.where(self.spells.on(month), self.drawn, 0.0)
        self.felt = s.trouble_memory * self.felt + (1 - s.trouble_memory) * self.severity


class Hidden:
    """What no table shows: rivals that work a region for some months, and accounts that are easily won."""

    def __init__(self, market: Market) -> None:
        self.market, s = market, market.settings
        self.rng = stream(market.seed, "hidden")
        self.rivals = Spells(self.rng, s.rival_start, s.rival_months, len(tables_out.REGIONS))
        self.factor: Floats = np.ones(len(tables_out.REGIONS))

    def hazard(self) -> Floats:
        """Rises while a rival works the region; no feature can know of it."""
        people = self.market.people
        return self.market.settings.base_unexplained * people.frailty * self.factor[people.region]

    def move(self, month: int) -> None:
        """Begin and end the rivals' spells."""
        self.rivals.move(month)
        self.factor = np.where(self.rivals.on(month), self.market.settings.rival_factor, 1.0)
