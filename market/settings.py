"""The constants of the market, with one sentence on each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The constants of the market. Ranges are drawn from uniformly, both ends included.

    A `base_<cause>` is the hazard a month of an account of median sensitivity at full exposure; 0 makes the cause a
    placebo, whose traces are still in the tables.
    """

    # time
    burn_in: int = 9  # months simulated before the first one written, so that spells are in their steady state

    # accounts
    accounts_per_post: int = 40  # accounts a manager looks after, on average
    growth: float = 0.25  # accounts opened a year, as a share of those there at the start
    oldest: float = 12.0  # years before the start in which the first account opened
    gap_days: tuple[float, float] = (7.0, 75.0)  # days between orders of the quickest and the slowest
    line_value: float = 400.0  # money a median account spends on one product of an order
    size_spread: float = 1.3  # standard deviation of log money a product, over accounts
    lines_most: int = 6  # products an order
    range_products: tuple[int, int] = (6, 30)  # products an account ever buys
    season_common: float = 0.20  # amplitude of the season that all share, a share of the mean
    season_peak: float = 9.0  # month of the year, 0 for January
    season_own: float = 0.30  # largest amplitude of an account's own season, a share of the mean
    pausing: float = 0.12  # share of accounts that close for some months each year
    pause_months: tuple[float, ...] = (0.4, 0.4, 0.2)  # chance of a pause of 1, 2, 3 months
    drift: float = 0.08  # monthly shock to an account's log volume
    drift_memory: float = 0.9  # share of that shock that stays from month to month
    sensitivity_spread: float = 0.6  # standard deviation of the log sensitivity to each cause

    # the catalogue
    products: int = 200  # places in the catalogue, each with one product on sale after another
    lines: int = 6
    price: float = 30.0  # list price of a median product, money
    cost: float = 0.62  # cost of goods, a share of the list price
    discount: tuple[float, float] = (0.02, 0.25)  # discount of the smallest and the largest account
    generation_years: tuple[float, float] = (2.5, 7.0)  # from one product's launch to its successor's
    phase_out: tuple[int, int] = (8, 16)  # months for which the old product is still sold beside the new

    # product: trouble with the goods, and a range that no longer fits
    return_rate: float = 0.02  # share of order lines that come back in good times
    return_trouble: float = 0.18  # added to it by trouble of severity 1
    return_days: tuple[int, int] = (3, 30)  # from order to return
    trouble_start: float = 0.005  # chance a month that an account's trouble begins
    trouble_months: tuple[int, int] = (3, 8)
    trouble_severity: tuple[float, float] = (0.5, 1.5)
    trouble_memory: float = 0.5  # share of past trouble still felt a month later
    misfit_start: float = 0.004  # chance a month that the range stops fitting an account
    misfit_months: tuple[int, int] = (6, 14)
    misfit_weight: float = 0.8  # how much a misfit hurts, against trouble of severity 1
    request_rate: tuple[float, float] = (0.02, 0.30)  # product requests a month, in good times and in a misfit
    request_granted: tuple[float, float] = (0.80, 0.08)  # share of them granted, likewise

    # staff turnover
    resign: float = 0.014  # chance a month that a manager resigns
    resign_after: int = 150  # days in the company before which nobody resigns
    tenure_years: float = 3.0  # mean years since hiring, of those there at the start
    vacancy_days: tuple[int, int] = (0, 75)  # from leaving to the next one's first day
    handover_days: tuple[int, int] = (0, 14)  # from the next one's first day to taking an account over
    level_shares: tuple[float, ...] = (0.35, 0.45, 0.20)  # of junior, senior, key account managers
    level_pull: tuple[float, ...] = (0.8, 1.0, 1.3)  # on the hazard, after one of that level left
    reshuffle: float = 0.003  # chance a month that an account is handed to another manager of its region
    reshuffle_pull: float = 0.3  # on the hazard, after such a handover

    # broken promises
    rebated: float = 0.85  # share of accounts with a rebate
    rebate_rate: tuple[float, float] = (0.02, 0.06)  # of the quarter's purchases
    rebate_least: float = 1.0  # money below which nothing is promised
    rewarded: float = 0.06  # share of accounts promised a reward in a quarter
    reward_rate: tuple[float, float] = (0.01, 0.03)  # of the quarter's purchases
    termed: float = 0.05  # share of accounts promised better terms in a quarter
    term_rate: tuple[float, float] = (0.02, 0.05)  # their value, of the quarter's purchases
    promise_days: tuple[int, int] = (3, 12)  # from the quarter's end to the promise
    rebate_due: int = 30  # days from promise to due date
    on_time_days: tuple[int, int] = (-6, 5)  # payment against the due date in good times
    late_days: tuple[int, int] = (30, 150)  # payment against the due date in bad times
    late_chance: tuple[float, float, float] = (0.02, 0.25, 0.85)  # good times, company's spell, account's spell
    late_never: float = 0.07  # share of late rebates that are never paid
    short_share: tuple[float, float] = (0.1, 0.7)  # granted of a promised term, where the promise is broken
    short_days: int = 240  # days for which a term granted short still hurts
    company_spell: float = 0.015  # chance a month that a company-wide spell begins
    company_months: tuple[int, int] = (3, 6)
    account_spell: float = 0.010  # chance a month that an account's spell begins
    account_months: tuple[int, int] = (4, 10)
    overdue_full: float = 90.0  # days after which an overdue rebate hurts fully once
    overdue_most: float = 180.0  # days after which it hurts no more than it does
    overdue_share: float = 0.04  # overdue money over a quarter's purchases that hurts fully once

    # unequal treatment: whom the managers attend to; tiers from the smallest accounts to the largest
    visits: tuple[float, ...] = (0.30, 0.40, 0.60, 1.00)  # a month, by tier
    calls: tuple[float, ...] = (0.45, 0.55, 0.80, 1.00)
    mails: tuple[float, ...] = (0.20, 0.20, 0.25, 0.30)
    promoted: tuple[float, ...] = (0.10, 0.14, 0.22, 0.35)  # chance a month of promotion money
    promotion_share: tuple[float, float] = (0.01, 0.06)  # of a month's purchases
    dropped_start: float = 0.007  # chance a month that an account is dropped from its manager's rounds
    dropped_months: tuple[int, int] = (5, 12)
    dropped_attention: tuple[float, float] = (0.0, 0.35)  # share of the usual attention left to it
    lean_start: float = 0.005  # chance a month that a manager turns to his largest accounts only
    lean_months: tuple[int, int] = (4, 9)
    lean_attention: tuple[float, ...] = (0.25, 0.35, 0.9, 1.6)  # share of the usual attention then, by tier
    attention_memory: float = 0.7  # share of past neglect still felt a month later
    attention_spared: float = 0.2  # neglect that nobody minds
    attention_weight: tuple[float, ...] = (1.0, 1.0, 0.6, 0.2)  # how much it hurts, by tier
    vacancy_attention: float = 0.3  # share of the usual attention without a manager
    follows_orders: float = 0.0  # how far contacts follow the account's recent orders: exponent of their ratio

    # neglected details: replies, deliveries, complaints, the call after a sale
    careless_start: float = 0.007  # chance a month that the small things of an account begin to be neglected
    careless_months: tuple[int, int] = (4, 9)
    depot_start: float = 0.010  # chance a month that the logistics of a region begin to fail
    depot_months: tuple[int, int] = (2, 5)
    shortage: float = 0.06  # chance a year that an account's peak-season goods are out of stock
    details_memory: float = 0.6  # share of past neglect still felt a month later
    details_weight: tuple[float, float, float] = (1.0, 0.5, 0.8)  # of carelessness, failing logistics, peak stock-out
    inbound: float = 0.18  # contacts a month that come from the account
    reply_hours: tuple[float, float] = (9.0, 90.0)  # median time to a reply, well served and neglected
    late_delivery: tuple[float, float] = (0.10, 0.55)  # chance of a late delivery, in good times and added by neglect
    short_delivery: tuple[float, float] = (0.03, 0.30)
    stock_out: tuple[float, float] = (0.02, 0.60)
    sale_call: tuple[float, float] = (0.22, 0.03)  # calls after a sale, a sale; in good times and neglected
    complaints: tuple[float, float] = (0.025, 0.35)  # service complaints a month, in good times and added by neglect
    quality_complaints: tuple[float, float] = (0.008, 0.35)  # likewise, added by trouble of severity 1

    # turbulence
    company_event: float = 0.012  # chance a month that something shakes the company
    region_event: float = 0.012  # ... a region
    line_event: float = 0.010  # ... the supply of a product line
    account_event: float = 0.0015  # ... an account alone
    event_months: tuple[int, int] = (2, 6)
    event_weight: tuple[float, float, float, float] = (0.25, 1.0, 1.0, 1.2)  # of company, region, line, account
    event_volume: float = 0.25  # share of its orders that a region loses by an event of severity 5
    event_memory: float = 0.5  # share of past shocks still felt a month later

    # competitors
    campaign_start: float = 0.010  # chance a month that a rival works a region
    campaign_months: tuple[int, int] = (4, 9)
    courted_start: float = 0.005  # chance a month that a rival courts an account of median size
    courted_campaign: float = 3.0  # factor on it while a rival works the region
    courted_size: float = 0.3  # exponent of the account's size in it: rivals court the best
    courted_months: tuple[int, int] = (3, 8)
    courted_range: float = 0.55  # share of its range that a courted account no longer buys from us, in the end
    courted_memory: float = 0.5  # share of past courtship still felt a month later
    price_start: float = 0.008  # chance a month that an account's discount is cut
    price_months: tuple[int, int] = (5, 12)
    price_left: float = 0.35  # share of the discount left to it
    price_pull: float = 0.8  # added to the factor of courtship while it is cut

    # natural end
    owner_change: float = 0.0028  # chance a month that an account changes hands or its owner wants to give up
    owner_months: tuple[int, int] = (3, 9)  # for which the account may end because of it

    # orders under way to a loss, and orders that only look like it
    leave_months: tuple[int, int] = (1, 4)  # from decision to the last order
    leave_gap: float = 1.5  # added to the gap's factor by the end of the decline
    leave_value: float = 0.5  # share of an order's value gone by then
    dip_start: float = 0.015  # chance a month that an account declines without leaving
    dip_months: tuple[int, int] = (2, 5)
    dip_gap: tuple[float, float] = (1.4, 2.8)  # factor of the gap
    dip_value: tuple[float, float] = (0.5, 0.9)  # factor of an order's value

    # hazards, a month
    hazard_scale: float = 1.0  # factor on all of them
    base_competitor: float = 0.075
    base_promises: float = 0.035
    base_unequal: float = 0.075
    base_staff: float = 0.075  # in the month after the leaver's last day, unattended
    base_turbulence: float = 0.045
    base_details: float = 0.075
    base_product: float = 0.055
    base_natural: float = 0.075  # after a change of owner
    base_natural_any: float = 0.0007  # without one
    base_unexplained: float = 0.0018
    staff_attended: float = 0.55  # factor once a new manager is there
    staff_fades: float = 3.5  # months in which the pull falls to 37 %
    staff_months: float = 9.0  # months after which nobody follows any more
    staff_contagion: float = 4.0  # added to the factor if all others of the leaver's accounts have gone
    unseen_start: float = 0.02  # chance a month that something no table shows works a region
    unseen_months: tuple[int, int] = (4, 9)
    unseen_factor: float = 2.5  # on the unexplained hazard while it does
    interaction: float = 0.5  # added to a cause's hazard by the full presence of its partner
    presence: float = 0.02  # hazard at which a cause counts as half present

    # planted responses
    contact_response: float = 0.6  # factor on how much a contact helps; 0: contacts do nothing
    response_shape: tuple[float, float] = (1.5, 1.5)  # beta distribution of the responsiveness

    # what the books and the CRM note, and when
    noted_contacts: float = 0.85  # share of contacts noted
    noted_signals: float = 0.30  # signals noted a month of courtship, of each kind
    false_signals: float = 0.006  # signals a month noted without any, of each kind
    noted_events: float = 0.85
    false_events: float = 0.04  # events a month noted that touch nobody
    noted_complaints: float = 0.90
    noted_requests: float = 0.85
    noted_owners: float = 0.60
    noted_closed: float = 0.50
    wrong_kind: float = 0.05  # share of contacts and signals noted with another kind
    late_share: float = 0.12  # share of CRM rows entered late
    late_entry: tuple[int, int] = (1, 21)  # days
    booking_days: tuple[int, int] = (0, 0)  # days by which every row of every table is booked late
    closing_rows: bool = True  # whether the CRM closes accounts once their loss is recognised
    recognised_days: tuple[int, int] = (60, 150)  # from the last possible order
    exits_noted: float = 0.85  # share of recognised losses entered as exits
    exit_days: tuple[int, int] = (7, 40)  # from recognition to the entry
    exits_audited: float = 0.05
    own_fault_hidden: float = 0.60  # share of their own faults that managers give another reason for
    exit_error: float = 0.15  # share of other reasons noted wrongly

    # prospects
    prospects: float = 0.15  # a year, as a share of accounts
    third_party_record: float = 0.4  # share of the records searched that are a third party's
    criteria_noise: tuple[float, float] = (0.5, 1.2)  # of a criterion, in our own judgement and in a third party's
    criteria_missing: float = 0.08  # share of criteria that nobody has judged
    intent_missing: float = 0.10  # share of prospects whose intent is not known
    intent_advantage: float = 1.2  # log-odds of a strong intent for each standard deviation of our advantage
