"""The matrix as it is learned from: a sample of accounts in memory, and whole cut-offs or accounts when they are needed.

`train.sample` of `params.yaml` says how many accounts without a loss are kept. To choose them, account and label are read of
one part of the matrix at a time; then the features of those chosen. Who judges a model reads all accounts of one cut-off.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.dataset as ds

from models import competing
from models.sampling import FloatArray, Sample, lost_in
from pipeline.artifacts import reading
from pipeline.frames import parts_of, read_matrix
from pipeline.params import Featurize, Train

log = logging.getLogger("holdfast")


@dataclass(frozen=True)
class Past:
    """`rows` to learn from; `folder` of the matrix that they are a sample of, None where they are all of it."""

    rows: pd.DataFrame
    folder: Path | None = None

    @classmethod
    def read(
        cls,
        folder: Path,
        params: Train,
        cutoffs: Sequence[date] | None = None,
        labels: Sequence[str] = ("label",),
    ) -> Past:
        """Of these `cutoffs` only, where given. A loss is one by any of the `labels`, columns of the matrix. Raises
        ConfigurationError if there is no matrix."""
        sample = sample_of(params)
        if sample.whole:
            return cls(read_matrix(folder, cutoffs))
        return cls(read_matrix(folder, cutoffs, accounts_in(folder, sample, cutoffs, labels)), folder)

    @property
    def cutoffs(self) -> list[date]:
        return sorted(set(self.rows["as_of"]))

    def at(self, cutoffs: Sequence[date], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows of those of the cut-offs that there are, with these columns (all where None)."""
        if self.folder is None:
            found = self.rows[self.rows["as_of"].isin(list(cutoffs))]
            return found if columns is None else found[list(columns)]
        return read_matrix(self.folder, [day for day in self.cutoffs if day in set(cutoffs)], columns=columns)

    def labelled(self, cutoffs: Sequence[date], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Those whose label is known."""
        rows = self.at(cutoffs, columns)
        return rows[rows["label"].notna()]

    def of(self, accounts: Collection[str]) -> pd.DataFrame:
        """All rows of these accounts."""
        if self.folder is None:
            return self.rows[self.rows["account_id"].isin(list(accounts))]
        return read_matrix(self.folder, accounts=accounts)

    def sampled(self, params: Train) -> pd.DataFrame:
        """The rows that another recipe learns from."""
        return self.rows if self.folder is None else Past.read(self.folder, params).rows


def sample_of(params: Train) -> Sample:
    """How accounts are sampled, from `params.yaml`."""
    return Sample(params.sample, params.seed)


def ahead(
    matrix: pd.DataFrame, featurize: Featurize, params: Train, lead: int
) -> tuple[pd.DataFrame, FloatArray | None]:
    """The rows of the sample that causes are learned from, with the label of `lead` periods later, and what each counts,
    (rows,), None where all count the same."""
    sample, lost = sample_of(params), lost_in(matrix)
    rows = competing.ahead(sample.take(matrix, lost), featurize.period, lead)
    return rows, None if sample.whole else sample.weights(rows["account_id"], lost)


def accounts_in(
    folder: Path, sample: Sample, cutoffs: Sequence[date] | None = None, labels: Sequence[str] = ("label",)
) -> list[str]:
    """Accounts of the matrix in `folder` that are in the sample: all that were lost by one of the `labels` at one of the
    `cutoffs` (all where None), and of the others those drawn.

    At an earlier day fewer were lost; the sample of that day is part of this one. Raises ConfigurationError if there is no
    matrix.
    """
    every, lost = set[str](), set[str]()
    wanted = None if cutoffs is None else ds.field("as_of").isin(list(cutoffs))
    for part in parts_of(folder):
        with reading(folder):
            keys = part.to_table(columns=["account_id", *labels], filter=wanted).to_pandas()
        every |= set(keys["account_id"])
        lost |= set(keys.loc[(keys[list(labels)] == 1).any(axis=1), "account_id"])
    names = sorted(every)
    chosen = [name for name, drawn in zip(names, sample.drawn(names), strict=True) if drawn or name in lost]
    log.info(
        "sample %g: %s of %s accounts, among them all %s that were ever lost",
        sample.share,
        f"{len(chosen):,}",
        f"{len(names):,}",
        f"{len(lost):,}",
    )
    return chosen
