"""How causes act together, and what a contact and each countermeasure would do about them.

A reason's raw hazard is multiplied by the account's own sensitivity to it. Partners then raise each other: a cause
that is present raises the hazard of its partner, and each carries its own share of it. A contact in the month before
lowers what talking helps against, by the account's own responsiveness.
"""

from __future__ import annotations

import numpy as np

from market.draws import Flags, Floats
from market.population import CAUSES, Population
from market.settings import Settings

# Late rebates hurt more when nobody is there to ask; rivals win where the goods are bad; and so on.
PARTNERS = (
    ("broken_promises", "staff_turnover"),
    ("competitor", "product"),
    ("unequal_treatment", "neglected_details"),
    ("turbulence", "competitor"),
)
# Share of a reason's hazard that a contact takes away from a fully responsive account.
HELPED = {
    "competitor": 0.5,
    "broken_promises": 0.2,
    "unequal_treatment": 0.8,
    "staff_turnover": 0.6,
    "turbulence": 0.3,
    "neglected_details": 0.6,
    "product": 0.2,
    "natural_end": 0.0,
    "unexplained": 0.1,
}
# Share of a reason's hazard that its countermeasure takes away from a fully responsive account; no others have one.
COUNTERED = {
    "competitor": 0.4,
    "broken_promises": 0.95,
    "unequal_treatment": 0.9,
    "staff_turnover": 0.7,
    "neglected_details": 0.9,
    "product": 0.7,
}


def combine(raw: dict[str, Floats], people: Population, settings: Settings) -> Floats:
    """Hazards a month of accounts that nobody has contacted, shape (accounts, CAUSES)."""
    each = {code: settings.hazard_scale * raw[code] * people.sensitivity[code] for code in CAUSES}
    if settings.interaction:
        present = {code: hazard / (hazard + settings.presence) for code, hazard in each.items()}
        for one, other in PARTNERS:
            each[one] = each[one] * (1 + settings.interaction * present[other])
            each[other] = each[other] * (1 + settings.interaction * present[one])
    return np.stack([each[code] for code in CAUSES], axis=1)


def contacted(hazards: Floats, visited: Flags, people: Population, settings: Settings) -> tuple[Floats, Floats]:
    """The hazards as they act after the contacts of the month before, and the factor of a contact on their sum.

    The factor is the same whether the account was contacted or not: hazards without the contact times the factor are
    those with it. 1 where there is no hazard.
    """
    helped = settings.contact_response * np.array([HELPED[code] for code in CAUSES])
    total = hazards.sum(axis=1)
    taken = people.response["contact"] * (hazards @ helped)
    factor = 1 - np.divide(taken, total, out=np.zeros(len(total)), where=total > 0)
    acting = np.where(visited, people.response["contact"], 0.0)[:, None] * helped
    return hazards * (1 - acting), factor


def countered(people: Population) -> dict[str, Floats]:
    """The factor of each countermeasure on the hazard of its own reason, shape (accounts,)."""
    return {code: 1 - share * people.response[code] for code, share in COUNTERED.items()}
