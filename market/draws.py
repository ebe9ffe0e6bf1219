"""What is drawn once, before the first month: settings, calendar, catalogue and the dealers themselves."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

NEVER = 2**31  # a day that does not come; days are counted from 1970-01-01
MONTH_DAYS = 30.44  # mean days in a month


@dataclass(frozen=True)
class Settings:
    """The constants of the market. Ranges are drawn from uniformly, both ends included."""

    # accounts
    accounts_per_post: int = 40  # accounts a manager looks after, on average
    growth: float = 0.10  # accounts opened a year, as a share of those there at the start
    oldest: float = 12.0  # years before the start in which the first account opened
    gap_days: tuple[float, float] = (7.0, 75.0)  # days between orders of the quickest and the slowest
    line_value: float = 400.0  # money a median account spends on one product of an order
    size_spread: float = 1.3  # standard deviation of log money a product, over accounts
    lines_most: int = 6  # products an order
    range_products: tuple[int, int] = (6, 30)  # products an account ever buys
    season_common: float = 0.20  # amplitude of the season that all share, a share of the mean
    season_peak: float = 9.0  # month of the year, 0 for January
    season_own: float = 0.30  # largest amplitude of an account's own season, a share of the mean
    pausing: float = 0.12  # share of accounts that close for some months each year
    pause_months: tuple[float, ...] = (0.4, 0.4, 0.2)  # chance of a pause of 1, 2, 3 months
    drift: float = 0.08  # monthly shock to an account's log volume
    drift_memory: float = 0.9  # share of that shock that stays from month to month

    # the catalogue
    products: int = 200
    lines: int = 6
    price: float = 30.0  # list price of a median product, money
    cost: float = 0.62  # cost of goods, a share of the list price
    discount: tuple[float, float] = (0.02, 0.25)  # discount of the smallest and the largest account

    # returns and quality
    return_rate: float = 0.02  # share of order lines that come back in good times
    return_trouble: float = 0.18  # added to it by trouble of severity 1
    return_days: tuple[int, int] = (3, 30)  # from order to return
    trouble_start: float = 0.012  # chance a month that an account's trouble begins
    trouble_months: tuple[int, int] = (3, 8)
    trouble_severity: tuple[float, float] = (0.5, 1.5)
    trouble_memory: float = 0.5  # share of past trouble still felt a month later

    # managers
    resign: float = 0.018  # chance a month that a manager resigns
    resign_after: int = 150  # days in the company before which nobody resigns
    tenure_years: float = 3.0  # mean years since hiring, of those there at the start
    vacancy_days: tuple[int, int] = (0, 75)  # from leaving to the next one's first day
    handover_days: tuple[int, int] = (0, 14)  # from the next one's first day to taking an account over
    level_shares: tuple[float, ...] = (0.35, 0.45, 0.20)  # of junior, senior, key account managers
    level_pull: tuple[float, ...] = (0.8, 1.0, 1.3)  # on the hazard, after one of that level left

    # rebates
    rebated: float = 0.85  # share of accounts with a rebate
    rebate_rate: tuple[float, float] = (0.02, 0.06)  # of the quarter's purchases
    rebate_least: float = 1.0  # money below which no rebate is promised
    promise_days: tuple[int, int] = (3, 12)  # from the quarter's end to the promise
    rebate_due: int = 30  # days from promise to due date
    on_time_days: tuple[int, int] = (-6, 5)  # payment against the due date in good times
    late_days: tuple[int, int] = (30, 150)  # payment against the due date in bad times
    late_chance: tuple[float, float, float] = (0.03, 0.35, 0.80)  # good times, company's spell, account's spell
    late_never: float = 0.07  # share of late rebates that are never paid
    company_spell: float = 0.03  # chance a month that a company-wide spell begins
    company_months: tuple[int, int] = (3, 6)
    account_spell: float = 0.016  # chance a month that an account's spell begins
    account_months: tuple[int, int] = (4, 10)
    overdue_full: float = 90.0  # days after which an overdue rebate hurts fully once
    overdue_most: float = 180.0  # days after which it hurts no more than it does
    overdue_share: float = 0.04  # overdue money over a quarter's purchases that hurts fully once

    # orders under way to a loss, and orders that only look like it
    leave_months: tuple[int, int] = (1, 4)  # from decision to the last order
    leave_gap: float = 1.5  # added to the gap's factor by the end of the decline
    leave_value: float = 0.5  # share of an order's value gone by then
    dip_start: float = 0.015  # chance a month that an account declines without leaving
    dip_months: tuple[int, int] = (2, 5)
    dip_gap: tuple[float, float] = (1.4, 2.8)  # factor of the gap
    dip_value: tuple[float, float] = (0.5, 0.9)  # factor of an order's value

    # hazards, a month
    base_promises: float = 0.025  # at one full hurt
    promises_spread: float = 0.7  # standard deviation of log sensitivity
    base_staff: float = 0.073  # in the month after the leaver's last day, unattended
    staff_attended: float = 0.55  # factor once a new manager is there
    staff_fades: float = 3.5  # months in which the pull falls to 37 %
    staff_months: float = 9.0  # months after which nobody follows any more
    staff_spread: float = 0.6  # standard deviation of log attachment
    staff_contagion: float = 4.0  # added to the factor if all others of the leaver's accounts have gone
    base_product: float = 0.038  # at lasting trouble of severity 1
    base_natural: float = 0.0013
    base_unexplained: float = 0.0026
    unexplained_spread: float = 0.5  # standard deviation of log frailty
    rival_start: float = 0.02  # chance a month that an unseen rival works a region
    rival_months: tuple[int, int] = (4, 9)
    rival_factor: float = 2.5  # on the unexplained hazard while it does


def stream(seed: int, name: str) -> np.random.Generator:
    """Random numbers of one mechanism: a mechanism added later does not shift the draws of the others.

    Raises ValueError if `seed` is negative.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def whole(rng: np.random.Generator, ends: tuple[int, int], size: int) -> Ints:
    """`size` whole numbers between the two ends, both included."""
    return rng.integers(ends[0], ends[1] + 1, size)


def calendar(start: date, periods: int) -> Ints:
    """First day of each month and the day after the last, shape (periods + 1,), days since 1970-01-01."""
    months = np.datetime64(start, "M") + np.arange(periods + 1)
    return months.astype("M8[D]").astype(np.int64)


def month_of_year(day: int) -> int:
    """0 for January to 11 for December."""
    return int(np.datetime64(day, "D").astype("M8[M]").astype(np.int64)) % 12


@dataclass(frozen=True)
class Catalogue:
    """The products: `price` (money, list) and `line` (number of the product line), shape (products,)."""

    price: Floats
    line: Ints


def catalogue(seed: int, settings: Settings) -> Catalogue:
    """Draw the products."""
    rng = stream(seed, "catalogue")
    price = np.round(settings.price * np.exp(rng.normal(0, 0.7, settings.products)), 2)
    return Catalogue(price, rng.integers(0, settings.lines, settings.products))


@dataclass(frozen=True)
class Population:
    """The accounts, in the order in which they opened; every array has shape (accounts,)."""

    opened: Ints  # day
    post: Ints  # number of the sales territory, which one manager holds at a time
    region: Ints
    segment: Ints
    channel: Ints
    name: Ints
    value: Floats  # money a product of an order
    gap: Floats  # mean days between orders
    regularity: Floats  # shape of the gap's gamma distribution: 1 is chance, more is a steadier rhythm
    season: Floats  # own amplitude
    season_peak: Floats  # month of the year
    pause_month: Ints  # month of the year in which the pause begins
    pause_length: Ints  # months; 0 for most
    lines: Floats  # chance of each further product in an order
    range_size: Ints
    range_start: Ints
    range_step: Ints
    discount: Floats  # share of the list price
    rebate: Floats  # share of a quarter's purchases; 0 without a rebate
    sensitivity: Floats  # to broken promises, median 1
    attachment: Floats  # to the manager, median 1
    frailty: Floats  # to what these tables do not show, median 1

    def __len__(self) -> int:
        return len(self.opened)

    def product(self, account: Ints, place: Ints, settings: Settings) -> Ints:
        """The product at `place` of the account's range: the range is stable, so it is a rule and needs no storing."""
        return (self.range_start[account] + self.range_step[account] * place) % settings.products


def population(seed: int, settings: Settings, accounts: int, days: Ints, regions: int) -> Population:
    """Draw the accounts that open before or within the calendar `days`."""
    rng = stream(seed, "population")
    there = max(1, round(accounts / (1 + settings.growth * (days[-1] - days[0]) / 365.25)))
    before = days[0] - 1 - np.floor(settings.oldest * 365.25 * rng.beta(1.2, 1.5, there)).astype(np.int64)
    opened = np.sort(np.concatenate([before, rng.integers(days[0], days[-1], accounts - there)]))
    size = rng.normal(0, 1, accounts)
    # Large accounts order more often, not only more at a time.
    slowness = 1 / (1 + np.exp(-(0.4 - 0.6 * size + rng.normal(0, 1, accounts))))
    shortest, longest = settings.gap_days
    post = rng.integers(0, max(1, round(accounts / settings.accounts_per_post)), accounts)
    lines_mean = rng.beta(2, 4, accounts)
    # A step without a common divisor with the number of products visits each product once.
    steps = np.array([step for step in range(1, settings.products) if np.gcd(step, settings.products) == 1])
    least, most = settings.discount
    pausing = rng.random(accounts) < settings.pausing
    pause = rng.choice(len(settings.pause_months), accounts, p=settings.pause_months) + 1
    rebated = rng.random(accounts) < settings.rebated
    return Population(
        opened=opened,
        post=post,
        region=post % regions,
        segment=np.digitize(size + rng.normal(0, 0.6, accounts), [-0.5, 0.8, 1.8]),
        channel=rng.integers(0, 3, accounts),
        name=rng.integers(0, 2**31, accounts),
        value=settings.line_value * np.exp(settings.size_spread * size),
        gap=shortest * (longest / shortest) ** slowness,
        regularity=rng.uniform(1.5, 8, accounts),
        season=rng.uniform(0, settings.season_own, accounts),
        season_peak=rng.uniform(0, 12, accounts),
        pause_month=rng.integers(0, 12, accounts),
        pause_length=np.where(pausing, pause, 0),
        lines=lines_mean,
        range_size=whole(rng, settings.range_products, accounts),
        range_start=rng.integers(0, settings.products, accounts),
        range_step=rng.choice(steps, accounts),
        discount=np.round(least + (most - least) / (1 + np.exp(-1.5 * size)), 3),
        rebate=np.where(rebated, np.round(rng.uniform(*settings.rebate_rate, accounts), 3), 0.0),
        sensitivity=rng.lognormal(0, settings.promises_spread, accounts),
        attachment=rng.lognormal(0, settings.staff_spread, accounts),
        frailty=rng.lognormal(0, settings.unexplained_spread, accounts),
    )


@dataclass(frozen=True)
class Market:
    """What all mechanisms share; `days` are the first days of the months and the day after the last."""

    people: Population
    days: Ints
    seed: int
    settings: Settings

    @property
    def end(self) -> int:
        """The day after the last month; what would happen from then on is in no table."""
        return int(self.days[-1])


class Spells:
    """Spells that begin by chance and last for some months; a running one ends before the next begins."""

    def __init__(self, rng: np.random.Generator, chance: float, months: tuple[int, int], size: int) -> None:
        self.rng, self.chance, self.months = rng, chance, months
        self.until: Ints = np.zeros(size, np.int64)  # first month without the spell

    def move(self, month: int) -> Flags:
        """Begin spells in this month; returns which, shape (size,)."""
        size = len(self.until)
        begins = (self.until <= month) & (self.rng.random(size) < self.chance)
        self.until = np.where(begins, month + whole(self.rng, self.months, size), self.until)
        return begins

    def on(self, month: int) -> Flags:
        """Which spells run in this month, shape (size,)."""
        return self.until > month
