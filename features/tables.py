"""The contract tables: what every source is brought to, and all that the features may read.

A fact counts from the day it was *known*: its event date, or `recorded_at` where that is later. A column that is
filled in later than its row (`paid_on` of a rebate) is a second fact, known at its own date: it names that date in
`known_on`. A column that the source overwrites (`region`) is a snapshot of today and never a feature by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["id", "text", "date", "time", "decimal", "integer", "flag"]

Named = Literal["account", "account_name", "address", "manager", "manager_name", "prospect", "prospect_name"]

# The one storage type of each kind. Sums of decimals do not depend on the order in which threads add.
SQL_TYPES: dict[Kind, str] = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "date": "DATE",
    "time": "TIMESTAMP",
    "decimal": "DECIMAL(18, 4)",
    "integer": "BIGINT",
    "flag": "BOOLEAN",
}

# Records, our own data, going there, a chain of referrals, people with influence, data bought of a third party; and
# where later ones come from: new channels, regions and products.
PROSPECT_SOURCES = (
    *("record", "internal", "visit", "referral", "influencer", "third_party"),
    *("new_channel", "new_region", "new_product"),
)
WEAK_INTENTS = ("unknown_to_them", "switching_cost", "risk", "competitor_stronger")


@dataclass(frozen=True)
class Column:
    """One column of a contract table.

    `required`: must be in the source. `nullable`: may be empty. `separable`: a row without it is set aside in the
    quarantine rather than refused with the whole table. `planned`: may lie in the future (a due date).
    `known_on`: the date column from which this value is known. `snapshot`: today's value, overwritten by the source.
    `least`, `most`: bounds of a sound value, both allowed. `names`: what it names whose name may have to be kept secret.
    """

    name: str
    kind: Kind
    doc: str
    unit: str = ""
    required: bool = False
    nullable: bool = True
    separable: bool = False
    planned: bool = False
    known_on: str = ""
    snapshot: bool = False
    allowed: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    names: Named | None = None


@dataclass(frozen=True)
class Table:
    """One contract table: `row` says what a row is, `key` what identifies it, `event` the date it is known at."""

    name: str
    row: str
    key: tuple[str, ...]
    event: str
    columns: tuple[Column, ...]

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name!r}; it has {[c.name for c in self.columns]}")


def _key(name: str, doc: str, names: Named | None = None) -> Column:
    return Column(name, "id", doc, required=True, nullable=False, names=names)


def _account(required: bool = True) -> Column:
    return Column(
        "account_id", "id", "the account", required=required, nullable=not required, separable=required, names="account"
    )


def _event(name: str, kind: Kind, doc: str) -> Column:
    return Column(name, kind, doc, required=True, nullable=False, separable=True)


def _criterion(name: str, doc: str) -> Column:
    return Column(name, "integer", f"{doc}, 1 (little) to 5 (much)", snapshot=True, least=1, most=5)


_RECORDED = Column("recorded_at", "time", "when the row was entered, where that is later than it happened")


def _table(name: str, row: str, key: tuple[str, ...], event: str, *columns: Column) -> Table:
    return Table(name, row, key, event, (*columns, _RECORDED))


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        _table(
            "accounts",
            "an account: a dealer, distributor or wholesale customer",
            ("account_id",),
            "opened_on",
            _key("account_id", "the account", names="account"),
            Column("name", "text", "its name", snapshot=True, names="account_name"),
            Column("address", "text", "its address", snapshot=True, names="address"),
            Column("region", "text", "its sales region", snapshot=True),
            Column("segment", "text", "kind of business or tier", snapshot=True),
            Column("channel", "text", "sales channel", snapshot=True),
            Column("opened_on", "date", "first day of the relationship"),
            Column(
                "closed_on",
                "date",
                "day it closed or moved; who orders over 31 days later is open",
                known_on="closed_on",
            ),
            Column("closed_why", "text", "why it closed", known_on="closed_on"),
            Column("owner_changed_on", "date", "day its owner changed", known_on="owner_changed_on"),
            Column("parent_id", "id", "the group it belongs to", snapshot=True, names="account"),
        ),
        _table(
            "orders",
            "an order, or one product of an order",
            ("order_id", "product_id", "is_return"),
            "ordered_at",
            _key("order_id", "the order; unique over all accounts"),
            _account(),
            _event("ordered_at", "time", "when it was placed"),
            Column("product_id", "id", "the product, where rows are order lines"),
            Column("product_line", "text", "the line the product belongs to"),
            Column("quantity", "decimal", "pieces; negative in a return", unit="pieces"),
            Column("amount", "decimal", "value; negative in a return", unit="money", required=True, nullable=False),
            Column("list_amount", "decimal", "value at list price", unit="money"),
            Column("margin", "decimal", "margin earned", unit="money"),
            Column(
                "is_return", "flag", "goods that came back or a cancellation; not told: whether the amount is negative"
            ),
        ),
        _table(
            "products",
            "a product",
            ("product_id",),
            "launched_on",
            _key("product_id", "the product"),
            Column("product_line", "text", "its line", snapshot=True),
            Column("launched_on", "date", "first day on sale"),
            Column("delisted_on", "date", "last day on sale", known_on="delisted_on", planned=True),
        ),
        _table(
            "rebates",
            "a rebate, a reward or a promised term",
            ("rebate_id",),
            "promised_on",
            _key("rebate_id", "the rebate"),
            _account(),
            Column("kind", "text", "what was promised", allowed=("rebate", "reward", "term")),
            Column("promised_on", "date", "day of the promise; the due date where unknown"),
            Column("promised_amount", "decimal", "what was promised", unit="money", least=0),
            Column("due_on", "date", "day it is owed", required=True, nullable=False, separable=True, planned=True),
            Column("paid_on", "date", "day it was paid or granted", known_on="paid_on"),
            Column("paid_amount", "decimal", "what was paid or granted", unit="money", known_on="paid_on", least=0),
        ),
        _table(
            "assignments",
            "a spell in which a manager looks after an account",
            ("account_id", "manager_id", "started_on"),
            "started_on",
            _account(),
            Column("manager_id", "id", "the manager", required=True, nullable=False, separable=True, names="manager"),
            _event("started_on", "date", "first day"),
            Column("ended_on", "date", "first day no longer in charge", known_on="ended_on"),
            Column(
                "end_reason",
                "text",
                "why the spell ended",
                known_on="ended_on",
                allowed=("left", "handover", "account_lost", "other"),
            ),
        ),
        _table(
            "managers",
            "an account manager",
            ("manager_id",),
            "hired_on",
            _key("manager_id", "the manager", names="manager"),
            Column("name", "text", "the manager's name", snapshot=True, names="manager_name"),
            Column("level", "text", "seniority", snapshot=True),
            Column("hired_on", "date", "first day in the company"),
            Column("left_on", "date", "first day no longer in the company", known_on="left_on"),
            Column("monthly_hours", "decimal", "hours a month for accounts", unit="hours", snapshot=True, least=0),
        ),
        _table(
            "contacts",
            "a visit, a call or a mail",
            ("contact_id",),
            "contacted_at",
            _key("contact_id", "the contact"),
            _account(),
            Column("manager_id", "id", "who made it", names="manager"),
            _event("contacted_at", "time", "when it took place"),
            Column("kind", "text", "visit, call or mail", allowed=("visit", "call", "mail")),
            Column("inbound", "flag", "the account came to us"),
            Column("replied_at", "time", "when we answered", known_on="replied_at"),
        ),
        _table(
            "promotions",
            "money or material spent on an account",
            ("promotion_id",),
            "spent_on",
            _key("promotion_id", "the promotion"),
            _account(),
            _event("spent_on", "date", "day it was spent"),
            Column("kind", "text", "what it was spent on"),
            Column("amount", "decimal", "value", unit="money", least=0),
        ),
        _table(
            "deliveries",
            "a delivery",
            ("delivery_id",),
            "promised_on",
            _key("delivery_id", "the delivery"),
            Column("order_id", "id", "the order it fulfils"),
            _account(),
            Column("promised_on", "date", "promised day", required=True, nullable=False, separable=True, planned=True),
            Column("delivered_on", "date", "day it came", known_on="delivered_on"),
            Column("ordered_quantity", "decimal", "pieces ordered", unit="pieces"),
            Column("delivered_quantity", "decimal", "pieces delivered", unit="pieces", known_on="delivered_on"),
            Column("stock_out", "flag", "the goods were out of stock"),
        ),
        _table(
            "complaints",
            "a complaint",
            ("complaint_id",),
            "opened_at",
            _key("complaint_id", "the complaint"),
            _account(),
            _event("opened_at", "time", "when it was made"),
            Column("resolved_at", "time", "when it was settled", known_on="resolved_at"),
            Column("kind", "text", "what about", allowed=("quality", "service", "logistics", "billing")),
            Column("severity", "integer", "1 (slight) to 5 (grave)", least=1, most=5),
        ),
        _table(
            "invoices",
            "an invoice",
            ("invoice_id",),
            "issued_on",
            _key("invoice_id", "the invoice"),
            _account(),
            _event("issued_on", "date", "day of issue"),
            Column("due_on", "date", "day it is owed", planned=True),
            Column("amount", "decimal", "value", unit="money"),
            Column("paid_on", "date", "day it was paid", known_on="paid_on"),
        ),
        _table(
            "events",
            "something that shook the company, a region or an account",
            ("event_id",),
            "started_on",
            _key("event_id", "the event"),
            Column("scope", "text", "what it touches", allowed=("company", "region", "product_line", "account")),
            Column("scope_id", "id", "which region, product line or account"),
            Column("kind", "text", "what happened"),
            _event("started_on", "date", "first day"),
            Column("ended_on", "date", "first day over", known_on="ended_on"),
            Column("severity", "integer", "1 (slight) to 5 (grave)", least=1, most=5),
        ),
        _table(
            "competitor_signals",
            "something seen of a rival",
            ("signal_id",),
            "seen_on",
            _key("signal_id", "the signal"),
            _account(required=False),
            Column("region", "text", "the region, where it is not about one account"),
            _event("seen_on", "date", "day it was seen"),
            Column("kind", "text", "what was seen", allowed=("visit", "offer", "price_gap", "wallet")),
            Column("value", "decimal", "price gap or share of wallet", unit="share"),
        ),
        _table(
            "product_requests",
            "an account asked for a product or a term",
            ("request_id",),
            "requested_on",
            _key("request_id", "the request"),
            _account(),
            _event("requested_on", "date", "day of the request"),
            Column("granted_on", "date", "day it was granted", known_on="granted_on"),
        ),
        _table(
            "exits",
            "a recorded loss",
            ("account_id", "recorded_on"),
            "recorded_on",
            _account(),
            _event("recorded_on", "date", "day it was recorded"),
            Column("recorded_by", "id", "who recorded it", names="manager"),
            Column("reason", "text", "loss reason, a code of reasons.yaml"),
            Column("audited", "flag", "someone other than the manager checked it"),
        ),
        _table(
            "feedback",
            "an analyst's word on the reasons given for a live account",
            ("account_id", "given_on", "by"),
            "given_on",
            _account(),
            _event("given_on", "date", "day it was given"),
            Column("verdict", "text", "the word", allowed=("agree", "other_reason", "already_handled")),
            Column("reason", "text", "the other reason, a code of reasons.yaml"),
            Column("by", "id", "who gave it"),
        ),
        _table(
            "prospects",
            "not yet a customer",
            ("prospect_id",),
            "recorded_at",
            _key("prospect_id", "the prospect", names="prospect"),
            Column("name", "text", "its company's name", snapshot=True, names="prospect_name"),
            Column("region", "text", "its region", snapshot=True),
            Column("source", "text", "where it was found", allowed=PROSPECT_SOURCES),
            Column("third_party", "flag", "judged from a third party's data, to be sampled before they are trusted"),
            Column("intent", "text", "how much it wants to buy from us", snapshot=True, allowed=("strong", "weak")),
            Column("intent_why", "text", "why it wants so little", snapshot=True, allowed=WEAK_INTENTS),
            _criterion("size_strength", "its size and strength"),
            _criterion("management_level", "how well it is managed"),
            _criterion("customer_reach", "how many customers of its own it reaches"),
            _criterion("purchasing_power", "what its own customers can spend"),
            _criterion("marketing_level", "how well it markets"),
            _criterion("growth", "how fast it grows"),
            _criterion("relative_advantage", "our advantage over rivals with it"),
        ),
    )
}
