"""Named markets, each the plain one with a few constants changed."""

from __future__ import annotations

from dataclasses import replace

from market.settings import Settings

PLAIN = Settings()

# What each of them is for.
ABOUT = {
    "plain": "All eight reasons act, and most of their signs are noted.",
    "hidden": "Weak observation: the CRM notes little of what happens, and more losses come from what no table shows.",
    "interacting": "Causes multiply: overdue rebates hurt far more where the manager left, rivals where goods are bad.",
    "placebo": "Broken promises and turbulence show in the tables as ever, and nobody leaves for them.",
    "reverse": "Contacts follow orders: fewer contacts are a sign of the loss, never its cause, and change nothing.",
    "quiet": "Few losses: every hazard is a fifth of the plain one.",
    "late": "Everything is booked two to six weeks after it happened.",
}

SCENARIOS: dict[str, Settings] = {
    "plain": PLAIN,
    "hidden": replace(
        PLAIN,
        noted_contacts=0.4,
        noted_signals=0.06,
        noted_events=0.35,
        noted_complaints=0.35,
        noted_requests=0.3,
        noted_owners=0.2,
        noted_closed=0.15,
        wrong_kind=0.15,
        late_share=0.3,
        base_unexplained=0.006,
    ),
    "interacting": replace(PLAIN, interaction=4.0, hazard_scale=0.7),
    "placebo": replace(PLAIN, base_promises=0.0, base_turbulence=0.0),
    "reverse": replace(PLAIN, follows_orders=1.5, base_unequal=0.0, contact_response=0.0),
    "quiet": replace(PLAIN, hazard_scale=0.2),
    "late": replace(PLAIN, booking_days=(14, 42)),
}
