"""Staff turnover: managers, whom they look after, and what their leaving does to the accounts left behind."""

from __future__ import annotations

import numpy as np

from market.draws import MONTH_DAYS, NEVER, Flags, Floats, Ints, Market, stream, whole

LEVELS = ("junior", "senior", "key account")
END_REASONS = ("left", "handover", "account_lost")


class Staff:
    """Managers and their spells with accounts. The cause: the manager left.

    A post is a territory that one manager holds at a time; its accounts stay in it and are handed over within it,
    those that have stopped ordering like the others, until the CRM closes them. A few are handed to another post.
    """

    def __init__(self, market: Market) -> None:
        self.market, s, people = market, market.settings, market.people
        self.rng = stream(market.seed, "staff")
        self.post: Ints = people.post.copy()
        posts = np.arange(int(people.post.max()) + 1)
        self.hires: list[Ints] = []  # hired, level, monthly hours; a column a manager, numbered in this order
        self.leavers: list[Ints] = []  # manager, left
        self.spells: list[Ints] = []  # account, manager, started, ended, place in END_REASONS
        # Whoever opened before the present manager came was looked after by a predecessor.
        first = int(people.opened.min())
        self.hired: Ints = first - self.rng.integers(1, 3000, len(posts))
        self.level: Ints = np.zeros(len(posts), np.int64)
        self.holder: Ints = self._hire(posts, self.hired)
        self.started: Ints = people.opened.copy()  # first day of the account's present spell, which may be to come
        self.closed: Flags = np.zeros(len(people), np.bool_)  # no longer looked after
        self.left: Ints = np.full(len(people), -NEVER)  # day the account's former manager was in charge no longer
        self.former: Ints = np.full(len(people), -1)  # the manager who left it; none after a mere handover
        self.pull: Floats = np.ones(len(people))  # of that manager
        tenure = np.floor(self.rng.exponential(s.tenure_years * 365.25, len(posts))).astype(np.int64)
        self._leave(posts, np.maximum(market.days[0] - 1 - tenure, first))

    def hazard(self, month: int, stops: Ints) -> Floats:
        """Rises when the manager has left, more while nobody follows, and with each other account that has gone."""
        s, day = self.market.settings, self.market.days[month]
        since = (day - self.left) / MONTH_DAYS
        felt = (since >= 0) & (since < s.staff_months)
        there = felt & (stops > self.left) & (self.former >= 0)  # the leaver's accounts on the day he left
        former = np.where(there, self.former, 0)
        counted = np.bincount(former, there)
        gone = np.bincount(former, there & (stops <= day)) / np.maximum(counted - 1, 1)
        contagion = 1 + s.staff_contagion * np.where(there, gone[former], 0.0)
        attended = np.where(self.started <= day, s.staff_attended, 1.0)
        hazard = s.base_staff * self.pull * attended * contagion
        return np.where(felt, hazard * np.exp(-np.maximum(since, 0) / s.staff_fades), 0.0)

    def attended(self, month: int) -> Flags:
        """Which accounts have a manager on the first day of the month."""
        attended: Flags = self.started <= self.market.days[month]
        return attended

    def move(self, month: int, closed: Ints, closed_on: Ints) -> None:
        """Let managers resign within the month, close accounts on their days, and hand a few to other posts."""
        s, market = self.market.settings, self.market
        day = market.some_day(self.rng, month, len(self.hired))
        # A manager who left before his accounts were handed over to him would leave them without a spell.
        resigns = (self.rng.random(len(day)) < s.resign) & (day - self.hired > s.resign_after)
        self._leave(np.flatnonzero(resigns), day[resigns])
        self._close(closed, closed_on)
        self._reshuffle(month)

    def _close(self, accounts: Ints, day: Ints) -> None:
        """The CRM closes these accounts on these days: their spells end, and nobody follows."""
        had = self.started[accounts] < day
        lost = np.full(len(accounts), END_REASONS.index("account_lost"))
        ended = np.stack([accounts, self.holder[self.post[accounts]], self.started[accounts], day, lost])
        self.spells.append(ended[:, had])
        self.closed[accounts] = True
        self.started[accounts] = NEVER

    def _hire(self, posts: Ints, hired: Ints) -> Ints:
        """Enter new managers of these posts by their first days; returns their numbers."""
        level = self.rng.choice(len(LEVELS), len(hired), p=self.market.settings.level_shares)
        self.level[posts] = level
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
        leaver, pull = self.holder.copy(), np.array(s.level_pull)[self.level]
        self.leavers.append(np.stack([self.holder[posts], day]))
        mine = np.flatnonzero((left[self.post] < NEVER) & ~self.closed)
        post = self.post[mine]
        had = self.started[mine] < left[post]  # not those that open later
        why = np.zeros(len(mine), np.int64)
        ended = np.stack([mine, leaver[post], self.started[mine], left[post], why])
        self.spells.append(ended[:, had])
        behind = mine[had]
        self.left[behind], self.former[behind], self.pull[behind] = left[post[had]], leaver[post[had]], pull[post[had]]
        self.hired[posts] = day + whole(self.rng, s.vacancy_days, len(posts))
        self.holder[posts] = self._hire(posts, self.hired[posts])
        arrived = self.hired[post]
        handed = arrived + whole(self.rng, s.handover_days, len(mine))
        self.started[mine] = np.where(had, handed, np.maximum(people.opened[mine], arrived))

    def _reshuffle(self, month: int) -> None:
        """Hand accounts to another post of their region, where its manager and the account's are both in charge."""
        s, market, rng = self.market.settings, self.market, self.rng
        size = len(self.post)
        drawn, jump = rng.random(size) < s.reshuffle, rng.random(size)
        chosen = np.flatnonzero(drawn & (self.started < market.days[month]))
        posts = np.arange(len(self.hired))
        regions = np.zeros(len(posts), np.int64)
        regions[market.people.post] = market.people.region
        order = np.argsort(regions, kind="stable")
        first, count = np.searchsorted(regions[order], np.arange(regions.max() + 1)), np.bincount(regions)
        region = market.people.region[chosen]
        target = order[first[region] + np.floor(jump[chosen] * count[region]).astype(np.int64)]
        day = market.days[month + 1] - 1
        fine = (target != self.post[chosen]) & (self.hired[target] < day)
        chosen, target = chosen[fine], target[fine]
        why = np.full(len(chosen), END_REASONS.index("handover"))
        today = np.full(len(chosen), day)
        self.spells.append(np.stack([chosen, self.holder[self.post[chosen]], self.started[chosen], today, why]))
        self.post[chosen], self.started[chosen], self.left[chosen] = target, day, day
        self.former[chosen], self.pull[chosen] = -1, s.reshuffle_pull

    def all_spells(self) -> Ints:
        """Account, manager, first day, day no longer in charge and place in END_REASONS; a column a spell."""
        everyone = np.arange(len(self.post))
        to_come, none = np.full(len(everyone), NEVER), np.full(len(everyone), -1)
        present = np.stack([everyone, self.holder[self.post], self.started, to_come, none])
        rows = np.concatenate([*self.spells, present[:, self.started < self.market.end]], axis=1)
        return rows[:, np.lexsort((rows[2], rows[0]))]

    def all_managers(self) -> tuple[Ints, Ints, Ints, Ints]:
        """First day, last day, level and monthly hours of each manager, shape (managers,)."""
        hired, level, hours = np.concatenate(self.hires, axis=1)
        left = np.full(len(hired), NEVER)
        number, day = np.concatenate(self.leavers, axis=1)
        left[number] = day
        return hired, left, level, hours
