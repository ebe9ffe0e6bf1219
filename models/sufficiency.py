"""Whether training rows can teach a risk model anything: enough losses, both outcomes, cut-offs, features that vary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from features.errors import ConfigurationError


def constant_features(rows: pd.DataFrame, features: Sequence[str]) -> list[str]:
    """Those of the `features` that hold one value, or nothing, in all rows, and so can teach nothing."""
    values = rows[list(features)].to_numpy(dtype=np.float64)
    same = (values == values[:1]) | (np.isnan(values) & np.isnan(values[:1]))
    return [name for name, constant in zip(features, same.all(axis=0), strict=True) if constant]


def require(rows: pd.DataFrame, features: Sequence[str], least: int) -> list[str]:
    """The constant ones of the `features`, if `rows` (as_of, label, features) suffice to train on.

    Raises ConfigurationError if all accounts were lost or kept, fewer than `least` were lost, there is one cut-off only,
    or no feature varies.
    """
    cutoffs = sorted(set(rows["as_of"]))
    losses = int((rows["label"] == 1).sum())
    held = f"The {len(rows):,} training rows"
    if not len(rows):
        raise ConfigurationError(
            "There are no training rows: nobody was eligible at the training cut-offs. Check featurize.eligible and "
            "featurize.min_orders in params.yaml, and that the orders reach back before the first cut-off."
        )
    if losses in (0, len(rows)):
        what = "no account was lost" if not losses else "every account was lost"
        raise ConfigurationError(
            f"In the {len(rows):,} training rows {what}, so there is nothing to learn. "
            "Check featurize.horizon and the cut-offs in params.yaml, and that the orders are all there."
        )
    if len(cutoffs) < 2:
        raise ConfigurationError(
            f"{held} are of one cut-off only, {cutoffs[0]}: it cannot be told what holds from month to month, and "
            "nothing can be held out. At least 2 whose label has matured are needed: give more history, a shorter "
            "featurize.horizon, an earlier featurize.first_cutoff or a larger train.cutoffs in params.yaml."
        )
    if losses < least:
        raise ConfigurationError(
            f"{held} at {len(cutoffs)} cut-offs ({cutoffs[0]} to {cutoffs[-1]}) hold {losses:,} losses; at least "
            f"{least:,} are needed (train.min_losses). Give more history or accounts, or more cut-offs (train.cutoffs) "
            "in params.yaml. With a smaller train.min_losses a model comes out, but hardly one to trust."
        )
    constant = constant_features(rows, features)
    if len(constant) == len(features):
        example = f", for example {constant[0]!r}" if constant else ""
        raise ConfigurationError(
            f"Each of the {len(features)} features holds one value in all of the {len(rows):,} training rows{example}, so "
            "that accounts cannot be told apart. Look at data/<source>/matrix and the tables it is made from: all "
            "orders may carry one date, or one account."
        )
    return constant


def in_words(constant: Sequence[str]) -> str:
    """What the log says of constant features."""
    shown = ", ".join(constant[:3]) + (", ..." if len(constant) > 3 else "")
    return f"features of one value in all training rows, which teach nothing ({len(constant)}): {shown}"
