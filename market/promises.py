"""Broken promises: finance pays rebates and rewards late in spells, and grants less than the terms promised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from market.draws import NEVER, Floats, Ints, Market, Spells, month_of_year, stream, whole

KINDS = ("rebate", "reward", "term")


@dataclass(frozen=True)
class Batch:
    """What was promised after one quarter, of one kind; every array has shape (promises,)."""

    kind: int
    account: Ints
    promised: Ints  # day
    due: Ints
    paid: Ints
    amount: Floats
    granted: Floats  # money paid or granted in the end
    share: Floats  # the amount over a usual quarter's purchases


class Promises:
    """Rebates, rewards and terms: promised after a quarter, due later, and mostly kept.

    The cause: overdue money, and terms granted short.
    """

    def __init__(self, market: Market) -> None:
        self.market, s = market, market.settings
        self.rng = stream(market.seed, "promises")
        self.company = Spells(self.rng, s.company_spell, s.company_months, 1)
        self.account = Spells(self.rng, s.account_spell, s.account_months, len(market.people))
        self.batches: list[Batch] = []

    def hazard(self, month: int) -> Floats:
        """Rises with the overdue money, against a quarter's purchases, and with how long it has been overdue."""
        s, day = self.market.settings, self.market.days[month]
        hurt = np.zeros(len(self.market.people))
        # What is older than two years has been written off.
        for batch in self.batches[-8 * len(KINDS) :]:
            late = np.clip(day - batch.due, 0, s.overdue_most) * (batch.paid > day) * batch.share
            lasting = (batch.paid <= day) & (day - batch.paid < s.short_days) & (batch.granted < batch.amount)
            short = np.where(lasting, 1 - batch.granted / batch.amount, 0.0) * batch.share * s.overdue_full
            # An account is promised a thing of a kind once a quarter, so that no place is added to twice.
            hurt[batch.account] += (late + short) / s.overdue_share / s.overdue_full
        return s.base_promises * hurt

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
        bought = np.sum(purchases[max(0, month - 3) : month], axis=0)
        usual = np.sum(purchases[max(0, month - 12) : month], axis=0) * 3 / min(month, 12)
        rewarded, termed = rng.random(size) < s.rewarded, rng.random(size) < s.termed
        self._promise(month, 0, people.rebate * bought, usual)
        self._promise(month, 1, rewarded * rng.uniform(*s.reward_rate, size) * bought, usual)
        self._promise(month, 2, termed * rng.uniform(*s.term_rate, size) * bought, usual)

    def _promise(self, month: int, kind: int, money: Floats, usual: Floats) -> None:
        s, rng = self.market.settings, self.rng
        amount = np.round(money, 2)
        # What is too small is not promised, so it cannot hurt either.
        account = np.flatnonzero((amount >= s.rebate_least) & (usual > 0))
        amount, size = amount[account], len(account)
        promised = self.market.days[month] + whole(rng, s.promise_days, size)
        due = promised + s.rebate_due
        good, company, own = s.late_chance
        chance = np.where(self.account.on(month)[account], own, np.where(self.company.on(month), company, good))
        broken = rng.random(size) < chance
        late = broken & (rng.random(size) < 0.5) if KINDS[kind] == "term" else broken
        paid = due + np.where(late, whole(rng, s.late_days, size), whole(rng, s.on_time_days, size))
        paid[late & (rng.random(size) < s.late_never)] = NEVER
        granted = amount
        if KINDS[kind] == "term":
            granted = np.where(broken, np.round(amount * rng.uniform(*s.short_share, size), 2), amount)
        self.batches.append(Batch(kind, account, promised, due, paid, amount, granted, amount / usual[account]))
