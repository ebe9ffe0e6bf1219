"""What only the simulator knows, a row for each account and month from its opening to its loss.

| column | what it says |
|---|---|
| `account_id`, `period` | the account; first day of the month |
| `hazard_<code>` | hazard of each documented reason and `unexplained` at that day, a month; they act within it. Contacts of the month before and interactions with other causes are in it. 0 in the month of opening |
| `contacted` | whether a visit or call in the month before lowered these hazards |
| `effect_contact` | factor of such a contact on the sum of the hazards: those of an account not contacted are multiplied by it when it is; where `contacted`, divide the sum by it to take the contact away |
| `effect_<code>` | factor on `hazard_<code>` if the countermeasure of that reason were taken; a reason without one cannot be helped. A countermeasure therefore takes `hazard_<code> * (1 - effect_<code>)` off the sum |
| `decided` | month of the decision, from that month on; null before it and for those who stay |
| `lost` | the month after which it never orders again |
| `reason` | the main reason, drawn by the hazards of the month of the decision; null unless `lost` |

The chance to decide within a month is 1 - exp(-sum of the hazards). The last order follows in the same month or up to
three months later; hazards after the decision, though written, no longer matter.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from market.columns import days, flags, frame, ids, single, words
from market.draws import NEVER, Market
from market.hazards import countered
from market.leaving import Leaving
from market.population import CAUSES


def truth(market: Market, leaving: Leaving) -> pd.DataFrame:
    """The truth, by account and month."""
    account = np.concatenate(leaving.living)
    month = np.repeat(market.first + np.arange(len(leaving.living)), [len(living) for living in leaving.living])
    order = np.argsort(account, kind="stable")
    account, month = account[order], month[order]
    known = np.concatenate(leaving.hazards)[order]
    lost = leaving.lost[account] == month
    decided = leaving.decided[account]
    after = month >= decided
    when = np.where(after, market.days[np.where(after, decided, 0)], NEVER)
    return frame(
        account_id=words(ids("A", len(market.people), 5), account),
        period=days(market.days[month]),
        **{f"hazard_{code}": single(known[:, place]) for place, code in enumerate(CAUSES)},
        contacted=flags(known[:, len(CAUSES) + 1] > 0),
        effect_contact=single(known[:, len(CAUSES)]),
        **{f"effect_{code}": single(factor[account]) for code, factor in countered(market.people).items()},
        decided=days(when),
        lost=flags(lost),
        reason=words(CAUSES, np.where(lost, leaving.reason[account], -1)),
    )
