"""The tables that the company's books keep: accounts, orders, products, deliveries, invoices, rebates, staff."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]

from market.attention import PROMOTIONS, Attention
from market.columns import days, flags, frame, ids, joined, money, seconds, words
from market.draws import DAY, NEVER, Floats, Ints, Market, stream, whole
from market.leaving import Leaving
from market.natural import CLOSED, NaturalEnd
from market.orders import Orders
from market.population import CAUSES, Catalogue
from market.promises import KINDS, Promises
from market.service import Service
from market.staff import END_REASONS, LEVELS, Staff

REGIONS = ("North", "North-East", "East", "South-East", "South", "South-West", "West", "Centre")
SEGMENTS = ("workshop", "retailer", "distributor", "chain")  # from the smallest to the largest
CHANNELS = ("direct", "wholesale", "partner")
PLACES = ("Alder", "Birch", "Cedar", "Elm", "Hazel", "Juniper", "Linden", "Maple", "Oak", "Poplar", "Rowan", "Willow")
TRADES = ("Supplies", "Trading", "Stores", "Traders", "Wholesale", "Depot", "Partners", "Merchants")
_GIVEN = ("Ana", "Bo", "Clara", "Dan", "Eva", "Filip", "Gao", "Hana", "Ion", "Jun", "Kim", "Lin", "Mei", "Noa")
_FAMILY = ("Albu", "Chen", "Dima", "Fang", "Grosu", "Huang", "Ionescu", "Li", "Marin", "Popa", "Stan", "Wang")


class Books:
    """Turns what happened into tables. Rows booked at the end of the market or later are in none of them."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.rng = stream(market.seed, "books")
        self.accounts_ids = ids("A", len(market.people), 5)

    def booked(self, second: Ints) -> Ints:
        """When rows of these seconds are booked, in seconds: at once, but for a market that books late."""
        least, most = self.market.settings.booking_days
        return second if most == 0 else second + DAY * whole(self.rng, (least, most), len(second))

    def _recorded(self, second: Ints) -> dict[str, object]:
        """The column `recorded_at`, for a market that books late."""
        return {} if self.market.settings.booking_days[1] == 0 else {"recorded_at": seconds(second)}

    def orders(self, book: Orders, stops: Ints) -> tuple[pd.DataFrame, Ints, int]:
        """The table `orders`, by time, the number of each header in it (negative if not there) and their count.

        An account that has stopped sends nothing back either.
        """
        market, catalogue = self.market, book.catalogue
        account, second, discount = (
            book.headers.ints("account"),
            book.headers.ints("second"),
            book.headers.floats("discount"),
        )
        header, product, pieces = book.lines.ints("header"), book.lines.ints("product"), book.lines.ints("pieces")
        booked = self.booked(second)
        kept = (booked < market.end * DAY) & (second < market.end * DAY) & (second // DAY < stops[account])
        by_time = np.argsort(second, kind="stable")
        by_time = by_time[kept[by_time]]
        number = np.full(len(account), -1)
        number[by_time] = np.arange(len(by_time))
        of_line = number[header]
        lines = np.argsort(of_line, kind="stable")[np.count_nonzero(of_line < 0) :]
        header, product, pieces, of_line = header[lines], product[lines], pieces[lines], of_line[lines]
        place = product // catalogue.generations
        lists = catalogue.price[place] * pieces
        amount = np.round(lists * (1 - discount[header]), 2)
        table = frame(
            order_id=words(ids("O", len(by_time), 8), of_line),
            account_id=words(self.accounts_ids, account[header]),
            ordered_at=seconds(second[header]),
            product_id=words(ids("P", catalogue.launched.size, 3), product),
            product_line=words(ids("L", market.settings.lines, 1), catalogue.line[place]),
            quantity=pa.array(pieces),
            amount=money(amount),
            list_amount=money(np.round(lists, 2)),
            margin=money(np.round(amount - market.settings.cost * lists, 2)),
            is_return=flags(pieces < 0),
            **self._recorded(booked[header]),
        )
        return table, number, len(by_time)

    def deliveries(self, service: Service, number: Ints, orders: int) -> pd.DataFrame:
        """The table `deliveries`; a delivery on its way has no day and no quantity yet."""
        log, end = service.deliveries, self.market.end
        header, account = log.ints("header"), log.ints("account")
        promised, delivered = log.ints("promised"), log.ints("delivered")
        # A delivery is entered with its order.
        entered = (promised - 10) * DAY
        booked = np.maximum(self.booked(entered), entered)
        kept = (number[header] >= 0) & (booked < end * DAY)
        came = (delivered < end) & kept
        day = np.where(came, delivered, NEVER)[kept]
        quantity = np.where(came, log.floats("came"), np.nan)[kept]
        return frame(
            delivery_id=ids("D", int(kept.sum()), 8),
            order_id=words(ids("O", orders, 8), number[header[kept]]),
            account_id=words(self.accounts_ids, account[kept]),
            promised_on=days(promised[kept]),
            delivered_on=days(day),
            ordered_quantity=money(log.floats("ordered")[kept]),
            delivered_quantity=money(quantity),
            stock_out=flags(log.ints("stock_out")[kept] > 0),
            **self._recorded(booked[kept]),
        )

    def invoices(self, purchases: list[Floats]) -> pd.DataFrame:
        """The table `invoices`: one for each month in which an account bought; some accounts pay late by habit."""
        market, rng = self.market, self.rng
        habit = np.where(rng.random(len(market.people)) < 0.1, rng.gamma(2, 10, len(market.people)), 0.0)
        account, issued, amount = [], [], []
        for month in range(market.first, len(purchases)):
            bought = np.flatnonzero(purchases[month] > 0)
            account.append(bought)
            issued.append(market.days[month + 1] + whole(rng, (0, 4), len(bought)))
            amount.append(purchases[month][bought])
        who, day, value = np.concatenate(account), np.concatenate(issued), np.concatenate(amount)
        paid = day + 30 + np.floor(rng.normal(-2, 4, len(who)) + habit[who] * rng.random(len(who))).astype(np.int64)
        booked = self.booked(day * DAY)
        kept = (booked < market.end * DAY) & (day < market.end)
        who, day, value, paid = who[kept], day[kept], value[kept], paid[kept]
        return frame(
            invoice_id=ids("I", len(who), 8),
            account_id=words(self.accounts_ids, who),
            issued_on=days(day),
            due_on=days(day + 30),
            amount=money(np.round(value, 2)),
            paid_on=days(np.where(paid < market.end, paid, NEVER)),
            **self._recorded(booked[kept]),
        )

    def rebates(self, promises: Promises) -> pd.DataFrame:
        """The table `rebates`: what was promised since the start, and what was still owed then."""
        market, batches = self.market, promises.batches
        if not batches:
            none, nothing = np.zeros(0, np.int64), np.zeros(0)
            account, promised, due, paid, kind, amount, granted = none, none, none, none, none, nothing, nothing
        else:
            account, promised, due, paid = (
                np.concatenate([getattr(batch, name) for batch in batches])
                for name in ("account", "promised", "due", "paid")
            )
            amount, granted = (np.concatenate([getattr(b, name) for b in batches]) for name in ("amount", "granted"))
            kind = np.repeat([batch.kind for batch in batches], [len(batch.account) for batch in batches])
        booked = self.booked(promised * DAY)
        short = (granted < amount) & (paid >= market.start - market.settings.short_days)
        kept = (booked < market.end * DAY) & ((promised >= market.start) | (paid >= market.start) | short)
        paid = np.where(paid < market.end, paid, NEVER)[kept]
        return frame(
            rebate_id=ids("R", int(kept.sum()), 6),
            account_id=words(self.accounts_ids, account[kept]),
            kind=words(KINDS, kind[kept]),
            promised_on=days(promised[kept]),
            promised_amount=money(amount[kept]),
            due_on=days(due[kept]),
            paid_on=days(paid),
            paid_amount=money(np.where(paid >= NEVER, np.nan, granted[kept])),
            **self._recorded(booked[kept]),
        )

    def promotions(self, attention: Attention, closed: Ints) -> pd.DataFrame:
        """The table `promotions`."""
        log = attention.promotions
        account, day = log.ints("account"), log.ints("day")
        booked = self.booked(day * DAY)
        kept = (booked < self.market.end * DAY) & (day < closed[account])
        return frame(
            promotion_id=ids("N", int(kept.sum()), 7),
            account_id=words(self.accounts_ids, account[kept]),
            spent_on=days(day[kept]),
            kind=words(PROMOTIONS, log.ints("kind")[kept]),
            amount=money(log.floats("amount")[kept]),
            recorded_at=seconds(booked[kept]),
        )

    def products(self, catalogue: Catalogue) -> pd.DataFrame:
        """The table `products`, without those still to come; the last day on sale is known from then on."""
        launched, gone = catalogue.launched.ravel(), catalogue.gone.ravel()
        table = frame(
            product_id=ids("P", launched.size, 3),
            product_line=words(
                ids("L", self.market.settings.lines, 1), np.repeat(catalogue.line, catalogue.generations)
            ),
            launched_on=days(launched),
            delisted_on=days(np.where(gone < self.market.end, gone, NEVER)),
        )
        return table[launched < self.market.end].reset_index(drop=True)

    def accounts(self, leaving: Leaving, natural: NaturalEnd) -> pd.DataFrame:
        """The table `accounts`; some who end naturally are known to have closed, some change hands at their address."""
        people, rng = self.market.people, self.rng
        ended = leaving.reason == CAUSES.index("natural_end")
        closed, why = natural.closings(leaving.stops, ended)
        place, trade = people.name % len(PLACES), people.name // len(PLACES) % len(TRADES)
        street, house = people.name // 100 % len(PLACES), people.name // 1200 % 180
        home = np.arange(len(people))
        for account in np.flatnonzero(ended & (leaving.stops < NEVER) & (rng.random(len(people)) < 0.15)):
            first = int(np.searchsorted(people.opened, leaving.stops[account]))
            near = np.arange(first, min(first + 40, len(people)))
            near = near[people.region[near] == people.region[account]]
            if len(near):
                home[near[0]] = home[account]
        return frame(
            account_id=self.accounts_ids,
            name=joined(words(PLACES, place), words(TRADES, trade), self.accounts_ids),
            address=joined(
                ids("", 180, 3).take(pa.array(house[home])),
                words(PLACES, street[home]),
                words(("Street",), np.zeros(len(people), np.int64)),
                words(REGIONS, people.region[home]),
            ),
            region=words(REGIONS, people.region),
            segment=words(SEGMENTS, people.tier),
            channel=words(CHANNELS, people.channel),
            opened_on=days(people.opened),
            closed_on=days(closed),
            closed_why=words(CLOSED, why),
            owner_changed_on=days(natural.changed),
        )

    def assignments(self, staff: Staff) -> pd.DataFrame:
        """The table `assignments`, by account and time."""
        account, manager, started, ended, why = staff.all_spells()
        end = self.market.end
        booked = self.booked(started * DAY)
        over = ended < end
        kept = (booked < end * DAY) | (started < self.market.start)
        hires = sum(hires.shape[1] for hires in staff.hires)
        return frame(
            account_id=words(self.accounts_ids, account[kept]),
            manager_id=words(ids("M", hires, 3), manager[kept]),
            started_on=days(started[kept]),
            ended_on=days(np.where(over, ended, NEVER)[kept]),
            end_reason=words(END_REASONS, np.where(over, why, -1)[kept]),
            **self._recorded(np.minimum(booked, end * DAY - 1)[kept]),
        )

    def managers(self, staff: Staff) -> pd.DataFrame:
        """The table `managers`, without those still to come."""
        hired, left, level, hours = staff.all_managers()
        rng = stream(self.market.seed, "names")
        given, family = rng.integers(0, len(_GIVEN), len(hired)), rng.integers(0, len(_FAMILY), len(hired))
        table = frame(
            manager_id=ids("M", len(hired), 3),
            name=joined(words(_GIVEN, given), words(_FAMILY, family)),
            level=words(LEVELS, level),
            hired_on=days(hired),
            left_on=days(left),
            monthly_hours=money(hours.astype(np.float64)),
        )
        return table[hired < self.market.end].reset_index(drop=True)
