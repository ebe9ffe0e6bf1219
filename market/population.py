"""What is drawn once, before the first month: the catalogue, and the dealers themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from market.draws import Floats, Ints, stream, whole
from market.settings import Settings

CAUSES = (  # the documented loss reasons in their order, and what no table shows
    "competitor",
    "broken_promises",
    "unequal_treatment",
    "staff_turnover",
    "turbulence",
    "neglected_details",
    "product",
    "natural_end",
    "unexplained",
)
TIERS = 4


@dataclass(frozen=True)
class Catalogue:
    """Places in the catalogue, each sold as one product after another.

    `price` (money, list) and `line` (number of the product line) have shape (places,); `launched` (day) and `gone`
    (day from which it is no longer sold, shape as `launched`) have shape (places, generations).
    """

    price: Floats
    line: Ints
    launched: Ints
    gone: Ints

    @property
    def generations(self) -> int:
        """Products that follow each other at a place."""
        return int(self.launched.shape[1])

    def newest(self, day: int) -> Ints:
        """The newest generation on sale at each place, shape (places,)."""
        newest: Ints = np.maximum((self.launched <= day).sum(axis=1) - 1, 0)
        return newest

    def oldest(self, day: int) -> Ints:
        """The oldest generation still on sale at each place, shape (places,)."""
        newest = self.newest(day)
        before = np.maximum(newest - 1, 0)
        return np.where(self.gone[np.arange(len(newest)), before] > day, before, newest)


def catalogue(seed: int, settings: Settings, days: Ints, generations: int = 4) -> Catalogue:
    """Draw the products; the generations end some years after the first of the `days`."""
    rng = stream(seed, "catalogue")
    places = settings.products
    price = np.round(settings.price * np.exp(rng.normal(0, 0.7, places)), 2)
    line = rng.integers(0, settings.lines, places)
    years = rng.uniform(*settings.generation_years, (places, generations))
    steps = np.cumsum(years, axis=1) * 365.25
    # The second generation comes at any time around the start, so that ranges age from the first month on.
    first = days[0] - rng.uniform(0, 1, places) * years[:, 0] * 365.25 - years[:, 0] * 365.25
    launched = np.floor(first[:, None] + np.concatenate([np.zeros((places, 1)), steps[:, :-1]], axis=1))
    phase = np.floor(rng.uniform(*settings.phase_out, (places, generations)) * 30.44)
    gone = np.concatenate([launched[:, 1:], np.full((places, 1), 10.0**6)], axis=1) + phase
    return Catalogue(price, line, launched.astype(np.int64), gone.astype(np.int64))


@dataclass(frozen=True)
class Population:
    """The accounts, in the order in which they opened; every array has shape (accounts,)."""

    opened: Ints  # day
    post: Ints  # number of the sales territory, which one manager holds at a time
    region: Ints
    tier: Ints  # 0 for the smallest to 3
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
    sensitivity: Mapping[str, Floats]  # to each cause, median 1
    response: Mapping[str, Floats]  # to the countermeasure of each cause and to a "contact", 0 to 1

    def __len__(self) -> int:
        return len(self.opened)

    def place(self, account: Ints, step: Ints, settings: Settings) -> Ints:
        """The catalogue's place at `step` of the account's range: the range is stable, so it needs no storing."""
        return (self.range_start[account] + self.range_step[account] * step) % settings.products

    def lines_share(self, line: Ints, settings: Settings) -> Floats:
        """Share of the account's range that belongs to each product line, shape (accounts, lines)."""
        count = np.zeros((len(self), settings.lines))
        everyone = np.arange(len(self))
        for step in range(settings.range_products[1]):
            bought = everyone[step < self.range_size]
            count[bought, line[self.place(bought, np.full(len(bought), step), settings)]] += 1
        return count / self.range_size[:, None]


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
    # A step without a common divisor with the number of places visits each place once.
    steps = np.array([step for step in range(1, settings.products) if np.gcd(step, settings.products) == 1])
    least, most = settings.discount
    pausing = rng.random(accounts) < settings.pausing
    pause = rng.choice(len(settings.pause_months), accounts, p=settings.pause_months) + 1
    rebated = rng.random(accounts) < settings.rebated
    return Population(
        opened=opened,
        post=post,
        region=post % regions,
        tier=np.digitize(size + rng.normal(0, 0.6, accounts), [-0.5, 0.8, 1.8]),
        channel=rng.integers(0, 3, accounts),
        name=rng.integers(0, 2**31, accounts),
        value=settings.line_value * np.exp(settings.size_spread * size),
        gap=shortest * (longest / shortest) ** slowness,
        regularity=rng.uniform(1.5, 8, accounts),
        season=rng.uniform(0, settings.season_own, accounts),
        season_peak=rng.uniform(0, 12, accounts),
        pause_month=rng.integers(0, 12, accounts),
        pause_length=np.where(pausing, pause, 0),
        lines=rng.beta(2, 4, accounts),
        range_size=whole(rng, settings.range_products, accounts),
        range_start=rng.integers(0, settings.products, accounts),
        range_step=rng.choice(steps, accounts),
        discount=np.round(least + (most - least) / (1 + np.exp(-1.5 * size)), 3),
        rebate=np.where(rebated, np.round(rng.uniform(*settings.rebate_rate, accounts), 3), 0.0),
        sensitivity={code: rng.lognormal(0, settings.sensitivity_spread, accounts) for code in CAUSES},
        response={code: rng.beta(*settings.response_shape, accounts) for code in (*CAUSES, "contact")},
    )
