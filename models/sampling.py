"""A sample of accounts to learn from, where all of them are too many, and the weights that make up for it.

Every account that was lost is kept, with all its rows; of the others a share s, drawn by account. Losses are few and tell
most (King & Zeng 2001, "Logistic regression in rare events data", Political Analysis 9(2), 137-163). What is learned from
such a sample unweighted has the wrong level, for losses are too many in it. King and Zeng's prior correction puts that right
by one number, the log of the ratio of the two shares lost; here it would not do. That holds where the model is a logistic
regression and each row is drawn by its own outcome. But an account is drawn once for all its cut-offs and horizons, of
which one may tell a loss and others none, so that each horizon, cut-off and kind of account would need a number of its own.

So each row counts with the inverse of the chance of its account to be in the sample, 1 or 1 / s (Horvitz & Thompson 1952, "A
generalization of sampling without replacement from a finite universe", JASA 47(260), 663-685). A weighted sum over the sample
is then, in expectation, the sum over all rows, whatever is summed: the likelihood and its gradients for every horizon, the
level by cut-off behind the season, the evidence of each reason. It holds for the other horizons too, because the chance
depends on the account and not on the row: who was silent for a month and came back is no loss, and is drawn like
anybody; who was lost is there with the months of ordering before, at weight 1.

Lost is what was known to be when the model is fitted (`lost_in`). Were it all losses ever, a test cut-off would be judged by a
model that tells by the weight who is going to stay: 1 / s only for those who are never lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sample:
    """Accounts without a loss are kept with chance `share`, 0 < share <= 1, by a hash of account and `seed`."""

    share: float
    seed: int

    @property
    def whole(self) -> bool:
        """Whether every account is in it."""
        return self.share == 1

    def drawn(self, accounts: Sequence[str]) -> Flags:
        """Whether each of the accounts would be kept without a loss."""
        return uniform(accounts, str(self.seed)) < self.share

    def weights(self, accounts: pd.Series[str], lost: Collection[str]) -> FloatArray:
        """What each row counts: 1 if its account is among the `lost`, else 1 / share, and 0 if it is not in the sample:
        (rows,)."""
        if self.whole:
            return np.ones(len(accounts))
        codes, names = pd.factorize(accounts)
        weight = np.where(self.drawn(list(names)), 1 / self.share, 0.0)
        weight[np.asarray(pd.Index(names).isin(list(lost)))] = 1.0
        return np.asarray(weight[codes], dtype=np.float64)

    def take(self, rows: pd.DataFrame, lost: Collection[str]) -> pd.DataFrame:
        """The rows in the sample; the very same frame where it is whole. Taken again, nothing changes."""
        return rows if self.whole else rows[self.weights(rows["account_id"], lost) > 0]


def uniform(accounts: Sequence[str], draw: str) -> FloatArray:
    """A number from 0 to 1 by account, (accounts,): the same whoever else is there, in any order, on any machine, and another
    one, of which the first says nothing, for each name of a `draw`.

    By a cryptographic hash: checksums such as the CRC are linear, so that one draw is the other with the same bits turned,
    and bags drawn by it were the same accounts (correlation .98) or the rest of them (-.59).
    """
    found = [hashlib.blake2b(f"{draw}/{name}".encode(), digest_size=8).digest() for name in accounts]
    return np.frombuffer(b"".join(found), dtype=">u8").astype(np.float64) / 2**64


def least_rows(count: int, weight: FloatArray | None) -> int:
    """How many rows of a sample are `count` of all rows, for LightGBM's `min_data_in_leaf`; as given without weights.

    LightGBM does not count the rows of a leaf: it takes the leaf's part of the sum of all second derivatives, which are
    weighted, times the number of rows it was given (its `feature_histogram.hpp`; issue 5236 is about such samples). So the same leaves are
    allowed as among all rows if the limit shrinks as the number of rows does.
    """
    return count if weight is None else max(1, round(count * len(weight) / float(weight.sum())))


def lost_in(rows: pd.DataFrame) -> set[str]:
    """Accounts lost at some cut-off of the rows: account_id and label, null where it is not known."""
    return set(rows.loc[rows["label"] == 1, "account_id"])
