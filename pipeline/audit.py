"""Command audit: proof on a source's own tables that no feature knows the future."""

from __future__ import annotations

import logging
from time import perf_counter

from features.audit import audit
from features.errors import LimitError
from features.matrix import features_of
from pipeline.featurize import cutoffs_of
from pipeline.frames import known_until, plan_of
from pipeline.layout import Layout
from pipeline.params import Audit, Featurize
from pipeline.tables import opened

log = logging.getLogger("holdfast")


def run(layout: Layout, featurize: Featurize, params: Audit) -> None:
    """Audit the features at `cutoffs` cut-offs spread over those of the matrix.

    Raises ContractError with the name of a feature that moves with the future, LimitError with the names of those that
    rank losses better alone than `auc_limit`.
    """
    started = perf_counter()
    with opened(layout, featurize.memory) as (connection, tables):
        until = known_until(tables)
        known = cutoffs_of(featurize, tables, until)
        chosen = sorted(
            {known[round(place * (len(known) - 1) / params.cutoffs)] for place in range(1, params.cutoffs + 1)}
        )
        features = features_of(tables)
        alone = audit(connection, tables, chosen, plan_of(featurize), until, features)
    log.info(
        "audit %s: %s features at %s cut-offs from %s to %s know nothing of the future; best alone: %s; %.1f s",
        layout.source,
        len(features),
        len(chosen),
        chosen[0],
        chosen[-1],
        ", ".join(f"{suspect.feature} {suspect.auc:.3f}" for suspect in alone[:3]) or "no label has matured",
        perf_counter() - started,
    )
    suspects = [suspect for suspect in alone if suspect.auc > params.auc_limit]
    if suspects:
        raise LimitError(
            f"{len(suspects)} features rank losses alone better than audit.auc_limit ({params.auc_limit}): "
            + ", ".join(f"{suspect.feature} (AUC {suspect.auc:.3f})" for suspect in suspects[:5])
            + ". Rows written because an account was lost do that: check the source of their tables, or raise the limit."
        )
