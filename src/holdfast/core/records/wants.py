"""Wants: the questions that a decision asks of the database, each a typed value.

    LevelAt(product_id, location_id)     the level, locked
    HoldsOfOrder("102")                  the ids of every hold of that order, whichever source it has
    Missing({LevelAt(...), LevelAt(...)})   the decision needs both; it is decided again when they are loaded

A decision asks for everything of one kind at once, so it is decided again once for each kind of question, however many
levels, lots or lines there are. Each kind has its loader, in `LOADERS` of `holdfast.db.batch.loaders` or in `SEPARATE`
of `holdfast.db.batch.load`; it answers all wants of its kind together. Nothing here reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec


class Want(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """A question. Two with equal fields are one; the answer to it is kept as long as the transaction."""


class Missing(Exception):
    """The decision needs more than was loaded; it is decided again when `wants` are answered."""

    def __init__(self, wants: Iterable[Want]) -> None:
        self.wants = frozenset(wants)
        super().__init__(self.wants)


def answer_text(answer: tuple[Any, ...]) -> str:
    """An answer of several parts as the one text in which a loader gives it; `of` of its type reads it."""
    return " ".join(map(str, answer))


# Stock ---------------------------------------------------------------------------------------------------------------


class ProductNamed(Want, frozen=True, gc=False):
    """The product with that id or SKU; it is brought into the catalog."""

    reference: str


class LevelAt(Want, frozen=True, gc=False):
    """The level of a product at a location, locked, with its first open lots, expired lots and expired holds."""

    product_id: str
    location_id: str


class LotById(Want, frozen=True, gc=False):
    """A lot's identity, locked."""

    lot_id: str


class LotsOfCode(Want, frozen=True, gc=False):
    """The lots of a product with that code, locked; their ids."""

    product_id: str
    code: str


class LotAt(Want, frozen=True, gc=False):
    """A lot at a level, empty or not, with its identity."""

    level_id: str
    lot_id: str


class LotsAt(Want, frozen=True, gc=False):
    """More of the lots of a level that have free units: those that were received next or, with `dated`, those that
    expire next. The same question may be asked again; it brings in four times as many each time."""

    level_id: str
    dated: bool


class PlacesOfLot(Want, frozen=True, gc=False):
    """The ids of the locations where the lot has units."""

    lot_id: str


class PlacesEverOfLot(Want, frozen=True, gc=False):
    """The ids of the locations where the lot has or had units."""

    lot_id: str


class LastCost(Want, frozen=True, gc=False):
    """What the product cost at its last receipt."""

    product_id: str


class ExpiredHoldsAt(Want, frozen=True, gc=False):
    """More of the expired holds of a level; the same question may be asked again, for the next ones."""

    level_id: str


# Holds ---------------------------------------------------------------------------------------------------------------


class HoldById(Want, frozen=True, gc=False):
    """A reservation; its level is locked with it when it is asked for before the transaction begins."""

    reservation_id: str


class ActiveAt(Want, frozen=True, gc=False):
    """The ids of the active holds of a level."""

    level_id: str


class WaitingAt(Want, frozen=True, gc=False):
    """The ids of the holds of a level that wait for stock."""

    level_id: str


class RoamingFor(Want, frozen=True, gc=False):
    """The ids of the holds that wait for a product and may be served at several locations."""

    product_id: str


class LastCameIn(NamedTuple):
    """When goods last came in at a location (microseconds)."""

    location_id: str
    at: int

    @classmethod
    def of(cls, text: str) -> LastCameIn:
        """It as it was answered."""
        location_id, at = text.split()
        return cls(location_id, int(at))


class CameIn(Want, frozen=True, gc=False):
    """When goods last came to each location of a product: `LastCameIn` each."""

    product_id: str


class AdhocAt(Want, frozen=True, gc=False):
    """The ids of the active holds of a level that are for nobody in particular: of the oldest up to one more than
    `HOLDS_READ_MAX`."""

    level_id: str


HOLDS_MAX = 2_000
"""Most active holds of one order, of one appointment, and of one sale beside those of its lines."""

HOLDS_READ_MAX = 2 * HOLDS_MAX
"""Most holds that one command looks for by what they are for: twice as many as are made, for one batch may go beyond
`HOLDS_MAX` by as many as it makes itself. A loader that finds more answers one more than this, and no others."""


class HoldsOfOrder(Want, frozen=True, gc=False):
    """The ids of the holds of an order, ended ones too: up to one more than `HOLDS_READ_MAX`."""

    order_number: str
    source: str


class ActiveOfOrder(Want, frozen=True, gc=False):
    """The ids of the active holds of an order: up to one more than `HOLDS_READ_MAX`."""

    order_number: str
    source: str


class ActiveOfNumber(Want, frozen=True, gc=False):
    """The ids of the active holds with that order number, whichever source they have: up to one more than
    `HOLDS_READ_MAX`."""

    order_number: str


class Crowded(Want, frozen=True, gc=False):
    """Has the order `HOLDS_MAX` active holds? The answer is not empty when it has."""

    order_number: str
    source: str


class LooseHoldsOf(Want, frozen=True, gc=False):
    """The active holds that have the source and a number of a sale, but do not name it."""

    sale_id: str


class SoldPart(NamedTuple):
    """What left by a hold: smallest units, value in minor units."""

    reservation_id: str
    lot_id: str
    location_id: str
    units: int
    value: int

    @classmethod
    def of(cls, text: str) -> SoldPart:
        """It as it was answered."""
        reservation_id, lot_id, location_id, units, value = text.split()
        return cls(reservation_id, lot_id, location_id, int(units), int(value))


class SoldForOrder(Want, frozen=True, gc=False):
    """What left by holds of an order number: `SoldPart` each."""

    order_number: str


class HoldsOfTarget(Want, frozen=True, gc=False):
    """The ids of the active holds that name a sale or an appointment."""

    target_id: str


class PlacesOfTaken(Want, frozen=True, gc=False):
    """The levels that a sale line took its units from, locked; only `decide.needs` asks for it."""

    line_id: str


# Sales and tills -----------------------------------------------------------------------------------------------------


class SaleById(Want, frozen=True, gc=False):
    """A sale, locked, with its lines, supplier orders and active holds."""

    sale_id: str


class SaleOfLine(Want, frozen=True, gc=False):
    """The id of the sale that has the line."""

    line_id: str


class SaleOfOrder(Want, frozen=True, gc=False):
    """The id of the sale with that identity outside; `order_number` may be the other number of its source as well."""

    source: str
    order_number: str


class ReturnsOfSale(Want, frozen=True, gc=False):
    """What came back of a sale before."""

    sale_id: str


class SupplierOrderById(Want, frozen=True, gc=False):
    """A supplier order, locked."""

    supplier_order_id: str


class SessionById(Want, frozen=True, gc=False):
    """A register session, locked."""

    session_id: str


class LastSession(Want, frozen=True, gc=False):
    """The last session of a register, locked."""

    register_id: str


class CartsOfSession(Want, frozen=True, gc=False):
    """The ids of the open carts of a register session."""

    session_id: str


class FreeKeys(Want, frozen=True, gc=False):
    """The first `most` free license keys of a product, locked; their ids. `owing` asks once more, when the product is
    locked and nobody adds keys meanwhile."""

    product_id: str
    most: int
    owing: bool = False


class KnownKeys(Want, frozen=True, gc=False):
    """The id of the license key of a product with that digest."""

    product_id: str
    digest: str


class KeysOfSale(Want, frozen=True, gc=False):
    """The license keys that a sale was given, locked."""

    sale_id: str


class LinesWaitingForKeys(Want, frozen=True, gc=False):
    """The ids of the sales that license keys of a product are owed to, those with the oldest lines first."""

    product_id: str


# Gift cards ----------------------------------------------------------------------------------------------------------


class GiftCardOfCode(Want, frozen=True, gc=False):
    """The gift card with that code, locked."""

    code: str


class GiftCardById(Want, frozen=True, gc=False):
    """A gift card, locked."""

    id: str


class GiftCardsOfSale(Want, frozen=True, gc=False):
    """The gift cards that a sale issued, locked."""

    sale_id: str


# Documents and records -----------------------------------------------------------------------------------------------


class RecordById(Want, frozen=True, gc=False):
    """A document by its table and id (or natural key), locked."""

    kind: str
    key: str


class RecordsNamed(Want, frozen=True, gc=False):
    """The ids of the records of a kind with that SKU, code or email: of products all, of others the active ones."""

    kind: str
    name: str


class ProductsOfGtin(Want, frozen=True, gc=False):
    """The ids of the active products whose GTIN is written in one of these ways."""

    spellings: tuple[str, ...]


class UsersOfPin(Want, frozen=True, gc=False):
    """The ids of the active users with that hash of a PIN."""

    pin_hash: str


class UsersNearPin(Want, frozen=True, gc=False):
    """The ids of the active users whose PIN has that index."""

    index: str


class Owners(Want, frozen=True, gc=False):
    """The ids of the active users and keys that own the whole organisation."""


class PlacesOfKind(Want, frozen=True, gc=False):
    """The ids of the active locations of a kind."""

    kind: str


class RegistersOf(Want, frozen=True, gc=False):
    """The ids of the active registers of a store, locked."""

    store_id: str


class OpenSheets(Want, frozen=True, gc=False):
    """The open count sheets of a location, locked; their ids."""

    location_id: str


class TransfersTo(Want, frozen=True, gc=False):
    """The ids of the transfers that are on the road to a location."""

    location_id: str


class TransfersFrom(Want, frozen=True, gc=False):
    """The ids of the transfers that are on the road from a location."""

    location_id: str


class PlaceKept(Want, frozen=True, gc=False):
    """The location's id while it is active, locked against its removal; others who ask for it share the lock."""

    location_id: str


class LevelsWithStock(Want, frozen=True, gc=False):
    """The ids of the products whose level at a location is not empty; all its levels are locked."""

    location_id: str


class LotsWithDay(Want, frozen=True, gc=False):
    """The lots with a day of expiry that lie in a store; its locations and levels are locked."""

    store_id: str


class ProductInLedger(Want, frozen=True, gc=False):
    """Has the product a level anywhere? The answer is not empty when it has."""

    product_id: str


class ProductMoved(Want, frozen=True, gc=False):
    """Has the product stock or promises, or moved otherwise than as opening stock? Not empty when it has."""

    product_id: str


class LotMoved(Want, frozen=True, gc=False):
    """Has a lot done anything but come in, and be promised? The answer is not empty when it has."""

    lot_id: str


class ImportsIn(Want, frozen=True, gc=False):
    """The imports in a state; their ids."""

    state: str


class ProductSoldUncounted(Want, frozen=True, gc=False):
    """Is the product in a sale without stock? The answer is not empty when it is."""

    product_id: str


class AnyProduct(Want, frozen=True, gc=False):
    """Has the organisation a product? The answer is not empty when it has."""


class AnyJournalEntry(Want, frozen=True, gc=False):
    """Has the organisation a journal entry? The answer is not empty when it has."""


class EntryById(Want, frozen=True, gc=False):
    """A journal entry with its postings."""

    entry_id: str


class EntriesOf(Want, frozen=True, gc=False):
    """The journal entries that refer to something (`ref_id`), with their postings."""

    ref_id: str


class AccountSums(NamedTuple):
    """What an account has come to, debits and credits in minor units."""

    account: str
    debit: int
    credit: int

    @classmethod
    def of(cls, text: str) -> AccountSums:
        """It as it was answered."""
        account, debit, credit = text.split()
        return cls(account, int(debit), int(credit))


class BalancesThrough(Want, frozen=True, gc=False):
    """What each account has come to through a day: `AccountSums` each."""

    day: str
