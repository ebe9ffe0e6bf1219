"""What the CRM notes: some of what happened, late and with errors, and what it closes after a loss."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]

from market.attention import CONTACTS, Attention
from market.books import REGIONS
from market.columns import days, flags, frame, ids, money, seconds, words
from market.draws import DAY, NEVER, Ints, Log, Market, stream, whole
from market.leaving import Leaving
from market.population import CAUSES
from market.product import Product
from market.rivals import SIGNALS, Rivals
from market.service import COMPLAINTS, Service
from market.staff import Staff
from market.turbulence import EVENT_KINDS, SCOPES, Turbulence

OWN_FAULTS = ("broken_promises", "unequal_treatment", "neglected_details")  # of the manager or his house
EXCUSES = ("competitor", "natural_end")  # what is noted in their stead


class Crm:
    """Turns what happened into the tables that people fill in. Rows entered at the end or later are in none."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.rng = stream(market.seed, "crm")
        self.account_ids = ids("A", len(market.people), 5)
        self.exits = Log("account", "day", "by", "reason", "audited")

    def entered(self, second: Ints) -> Ints:
        """When rows of these seconds are entered: mostly at once, some days later, more in a market that books late."""
        s, size = self.market.settings, len(second)
        late = np.where(self.rng.random(size) < s.late_share, whole(self.rng, s.late_entry, size), 0)
        return second + DAY * (late + whole(self.rng, s.booking_days, size))

    def close(self, month: int, leaving: Leaving, staff: Staff) -> tuple[Ints, Ints]:
        """The accounts recognised as lost in the month and on which day; their exits are entered some days later."""
        s, rng = self.market.settings, self.rng
        none = np.zeros(0, np.int64)
        if not s.closing_rows:
            return none, none
        accounts = leaving.recognised_in(month)
        size, day = len(accounts), leaving.recognised[accounts]
        true = leaving.reason[accounts]
        own = np.isin(true, [CAUSES.index(code) for code in OWN_FAULTS])
        excuse = np.array([CAUSES.index(code) for code in EXCUSES])[(rng.random(size) < 0.4).astype(np.int64)]
        other = rng.integers(0, len(CAUSES) - 1, size)
        chance = rng.random(size)
        told = np.where(own & (chance < s.own_fault_hidden), excuse, true)
        told = np.where(~own & (chance < s.exit_error), other, told)
        audited = rng.random(size) < s.exits_audited
        post = staff.post[accounts]
        recorded = day + whole(rng, s.exit_days, size)
        by = np.where(staff.hired[post] <= recorded, staff.holder[post], -1)
        noted = rng.random(size) < s.exits_noted
        columns = (accounts, recorded, by, np.where(audited, true, told), audited.astype(np.int64))
        self.exits.add(*(column[noted] for column in columns))
        return accounts, day

    def contacts(self, attention: Attention, closed: Ints, spells: Ints, managers: int) -> pd.DataFrame:
        """The table `contacts`: those noted, some with the wrong kind; none after the CRM closed the account."""
        s, log, rng, end = self.market.settings, attention.contacts, self.rng, self.market.end * DAY
        account, second = log.ints("account"), log.ints("second")
        entered = self.entered(second)
        noted = (rng.random(len(account)) < s.noted_contacts) & (entered < end) & (second < closed[account] * DAY)
        rows = np.flatnonzero(noted)
        rows = rows[np.argsort(second[rows], kind="stable")]
        kind = log.ints("kind")[rows]
        wrong = rng.random(len(rows)) < s.wrong_kind
        kind = np.where(wrong, rng.integers(0, len(CONTACTS), len(rows)), kind)
        replied = log.ints("replied")[rows]
        known = replied < end
        return frame(
            contact_id=ids("C", len(rows), 8),
            account_id=words(self.account_ids, account[rows]),
            manager_id=words(ids("M", managers, 3), in_charge(account[rows], second[rows] // DAY, spells)),
            contacted_at=seconds(second[rows]),
            kind=words(CONTACTS, kind),
            inbound=flags(log.ints("inbound")[rows] > 0),
            replied_at=pa.array(np.where(known, replied, 0).astype("M8[s]"), mask=~known),
            recorded_at=seconds(entered[rows]),
        )

    def complaints(self, service: Service) -> pd.DataFrame:
        """The table `complaints`."""
        log, end = service.complaints, self.market.end * DAY
        second, resolved = log.ints("second"), log.ints("resolved")
        entered = self.entered(second)
        rows = np.flatnonzero(entered < end)
        known = resolved[rows] < end
        return frame(
            complaint_id=ids("K", len(rows), 7),
            account_id=words(self.account_ids, log.ints("account")[rows]),
            opened_at=seconds(second[rows]),
            resolved_at=pa.array(np.where(known, resolved[rows], 0).astype("M8[s]"), mask=~known),
            kind=words(COMPLAINTS, log.ints("kind")[rows]),
            severity=pa.array(log.ints("severity")[rows]),
            recorded_at=seconds(entered[rows]),
        )

    def events(self, turbulence: Turbulence) -> pd.DataFrame:
        """The table `events`: what lasted into the market or began in it; an event that is not over has no end."""
        log, market = turbulence.events, self.market
        scope, which, started, ended = (log.ints(name) for name in ("scope", "which", "started", "ended"))
        entered = self.entered(started * DAY)
        of_account = scope == SCOPES.index("account")
        there = ~of_account | (market.people.opened[np.where(of_account, which, 0)] <= started)
        rows = np.flatnonzero((entered < market.end * DAY) & (ended > market.start) & there)
        names = pa.concat_arrays(
            [
                pa.array(REGIONS, pa.large_string()),
                ids("L", market.settings.lines, 1),
                self.account_ids,
            ]
        )
        offset = np.array([0, 0, len(REGIONS), len(REGIONS) + market.settings.lines])
        place = np.where(scope == 0, -1, offset[scope] + which)[rows]
        kinds = [kind for group in EVENT_KINDS for kind in group]
        kind = scope * len(EVENT_KINDS[0]) + log.ints("kind")
        return frame(
            event_id=ids("E", len(rows), 5),
            scope=words(SCOPES, scope[rows]),
            scope_id=words(names, place),
            kind=words(kinds, kind[rows]),
            started_on=days(started[rows]),
            ended_on=days(np.where(ended < market.end, ended, NEVER)[rows]),
            severity=pa.array(log.ints("severity")[rows]),
            recorded_at=seconds(entered[rows]),
        )

    def signals(self, rivals: Rivals) -> pd.DataFrame:
        """The table `competitor_signals`, about an account or a region."""
        log, end = rivals.signals, self.market.end * DAY
        account, region, second = log.ints("account"), log.ints("region"), log.ints("second")
        entered = self.entered(second)
        rows = np.flatnonzero(entered < end)
        return frame(
            signal_id=ids("S", len(rows), 7),
            account_id=words(self.account_ids, account[rows]),
            region=words(REGIONS, region[rows]),
            seen_on=days(second[rows] // DAY),
            kind=words(SIGNALS, log.ints("kind")[rows]),
            value=money(log.floats("value")[rows]),
            recorded_at=seconds(entered[rows]),
        )

    def requests(self, product: Product) -> pd.DataFrame:
        """The table `product_requests`."""
        log, market = product.requests, self.market
        second, granted = log.ints("second"), log.ints("granted")
        entered = self.entered(second)
        rows = np.flatnonzero(entered < market.end * DAY)
        return frame(
            request_id=ids("Q", len(rows), 7),
            account_id=words(self.account_ids, log.ints("account")[rows]),
            requested_on=days(second[rows] // DAY),
            granted_on=days(np.where(granted < market.end, granted, NEVER)[rows]),
            recorded_at=seconds(entered[rows]),
        )

    def exits_table(self, managers: int) -> pd.DataFrame:
        """The table `exits`; an audited row tells the true reason, the others what the manager says."""
        log, end = self.exits, self.market.end
        day = log.ints("day")
        entered = self.entered(day * DAY) if self.market.settings.booking_days[1] else day * DAY
        rows = np.flatnonzero(entered < end * DAY)
        return frame(
            account_id=words(self.account_ids, log.ints("account")[rows]),
            recorded_on=days(day[rows]),
            recorded_by=words(ids("M", managers, 3), log.ints("by")[rows]),
            reason=words(CAUSES, log.ints("reason")[rows]),
            audited=flags(log.ints("audited")[rows] > 0),
            recorded_at=seconds(entered[rows]),
        )


def in_charge(account: Ints, day: Ints, spells: Ints) -> Ints:
    """The manager in charge of each account on each day, -1 for none; `spells` are sorted by account and first day."""
    span = NEVER
    key = spells[0] * span + np.clip(spells[2], 0, span - 1)
    place = np.searchsorted(key, account * span + day, side="right") - 1
    place = np.maximum(place, 0)
    fits = (spells[0][place] == account) & (spells[2][place] <= day) & (day < spells[3][place])
    return np.where(fits, spells[1][place], -1)
