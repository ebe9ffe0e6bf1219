"""Prospects: how strong each truly is, and what a row about it says, which is less true where a third party says it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]

from features.tables import PROSPECT_SOURCES, WEAK_INTENTS
from market.books import PLACES, REGIONS, TRADES
from market.columns import flags, frame, ids, joined, seconds, words
from market.draws import DAY, Floats, Market, stream

SOURCE_SHARES = (0.22, 0.12, 0.16, 0.18, 0.05, 0.12, 0.05, 0.06, 0.04)  # of PROSPECT_SOURCES
# How much of a criterion is the prospect's strength; growth has little to do with it, our advantage nothing.
CRITERIA = {
    "size_strength": 1.0,
    "management_level": 0.7,
    "customer_reach": 0.9,
    "purchasing_power": 0.7,
    "marketing_level": 0.6,
    "growth": 0.3,
}
# By our advantage, from none to much: shares of WEAK_INTENTS among prospects of weak intent.
WHY_SHARES = np.array([[0.20, 0.20, 0.15, 0.45], [0.35, 0.25, 0.25, 0.15]])


def prospects(market: Market) -> pd.DataFrame:
    """The table `prospects`: not yet customers."""
    s = market.settings
    years = (market.end - market.start) / 365.25
    rng = stream(market.seed, "prospects")
    size = round(s.prospects * len(market.people) * years)
    second = np.sort(rng.integers(market.start * DAY, market.end * DAY, size))
    source = rng.choice(len(PROSPECT_SOURCES), size, p=SOURCE_SHARES)
    third = (source == PROSPECT_SOURCES.index("third_party")) | (
        (source == PROSPECT_SOURCES.index("record")) & (rng.random(size) < s.third_party_record)
    )
    strength, advantage = rng.normal(0, 1, size), rng.normal(0, 1, size)
    noise = np.where(third, s.criteria_noise[1], s.criteria_noise[0])

    def judged(true: Floats) -> pa.Array:
        value = np.clip(np.rint(3 + true + noise * rng.normal(0, 1, size)), 1, 5)
        return pa.array(value.astype(np.int64), mask=rng.random(size) < s.criteria_missing)

    criteria = {
        name: judged(weight * strength + np.sqrt(1 - weight**2) * rng.normal(0, 1, size))
        for name, weight in CRITERIA.items()
    }
    strong = rng.random(size) < 1 / (1 + np.exp(0.7 - s.intent_advantage * advantage))
    shares = np.cumsum(WHY_SHARES, axis=1)[(advantage > 0).astype(np.int64)]
    why = (rng.random(size)[:, None] > shares).sum(axis=1)
    told = rng.random(size) >= s.intent_missing
    return frame(
        prospect_id=ids("X", size, 6),
        name=joined(
            words(PLACES, rng.integers(0, len(PLACES), size)),
            words(TRADES, rng.integers(0, len(TRADES), size)),
            ids("X", size, 6),
        ),
        region=words(REGIONS, rng.integers(0, len(REGIONS), size)),
        source=words(PROSPECT_SOURCES, source),
        third_party=flags(third),
        intent=words(("strong", "weak"), np.where(told, np.where(strong, 0, 1), -1)),
        intent_why=words(WEAK_INTENTS, np.where(told & ~strong, why, -1)),
        **criteria,
        relative_advantage=judged(advantage),
        recorded_at=seconds(second),
    )
