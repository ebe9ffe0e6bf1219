"""How past scorings turned out: those whose outcome is known, and beside them the test cut-offs of the evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reports import quality
from reports.language import say, say_number
from reports.words import count, day

if TYPE_CHECKING:
    from reports.site import Site

TOP = 0.1  # of the active accounts


def context(site: Site) -> dict[str, Any] | None:
    """A row a scoring or test cut-off, and the calibration of the test cut-offs; None where there is neither."""
    kept = [
        {
            "day": day(pd.Timestamp(row["as_of"]).date()),
            "accounts": row["accounts"],
            "expected": row["expected"],
            "lost": row["lost"],
            "hit_rate": row["top_rate"],
        }
        for row in site.decided["hindsight"]["scorings"]
    ]
    tested = _tested(site.predictions)
    if not kept and not tested:
        return None
    evaluated = quality.population(site.metrics, site.predictions, "active")
    return {
        "sentence": _sentence(site, len(kept)),
        "rows": [*kept, *tested],
        "plot": evaluated["plot"],
        "caption": say(
            "Active accounts at the test cut-offs, in equal groups from the least to the most risky: predicted risk against "
            "the share that was lost. On the line, the risk is what was observed."
        ),
    }


def _sentence(site: Site, kept: int) -> str:
    if kept:
        return say_number(
            "{n} scoring kept has matured. The rows below it are test cut-offs, at which the model was fitted again on what was "
            "known by then.",
            "{n} scorings kept have matured. The rows below them are test cut-offs, at which the model was fitted again on "
            "what was known by then.",
            kept,
            n=count(kept),
        )
    return say(
        "No scoring kept has matured yet: its outcome is known {within} after its day. Until then, these are test cut-offs, at "
        "which the model was fitted again on what was known by then.",
        within=site.within(),
    )


def _tested(predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """The test cut-offs as if they had been scorings, active accounts alone."""
    known = predictions[predictions["label"].notna() & ~predictions["lapsed"].to_numpy(bool)]
    rows = []
    for cutoff, at in known.groupby("as_of"):
        riskiest = at.sort_values(["risk", "account_id"], ascending=[False, True]).head(int(np.ceil(TOP * len(at))))
        rows.append(
            {
                "day": say("test cut-off {day}", day=day(pd.Timestamp(str(cutoff)).date())),
                "accounts": len(at),
                "expected": float(at["risk"].sum()),
                "lost": int(at["label"].sum()),
                "hit_rate": float(riskiest["label"].mean()),
            }
        )
    return rows
