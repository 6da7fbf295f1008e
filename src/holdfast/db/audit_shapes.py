"""What `holdfast check` is given: rows of tables, sums over them, and what stands beside them.

    Stored(row, ...)      a struct as it is stored, with the checksum that stands beside it
    HoldSum(...)          what the holds of a level come to

Units are smallest units, values minor units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from holdfast.core.records.learned_type import learned


class Stored(NamedTuple):
    """A row as it is stored: its struct (None when it cannot be read as one) and whether the checksum fits.

    `raw` begins with the organisation and the struct's columns; `beside` is what was joined to it.
    """

    org_id: str
    struct: Any
    intact: bool
    raw: Sequence[Any]
    beside: Sequence[Any]


class HoldSum(NamedTuple):
    """The entries of one reservation at one level, added up in smallest units."""

    org_id: str
    reservation_id: str
    level_id: str
    reserved: int
    backordered: int
    sold: int


class LeftOpen(NamedTuple):
    """An open count sheet, or a transfer on the road, whose location was removed; `kind` is its table."""

    org_id: str
    kind: str
    id: str
    location_id: str
    location: str


class InTransit(NamedTuple):
    """Units of a lot that are on the road, in smallest units."""

    org_id: str
    product_id: str
    lot_id: str
    units: int


class Beside(NamedTuple):
    """A hold that waits while units which may serve it lie free elsewhere, in smallest units."""

    org_id: str
    reservation_id: str
    sku: str
    location: str
    elsewhere: str
    waits: int
    free: int


class Doubled(NamedTuple):
    """An active hold that was made for the number of an order which is a sale, and is none of its lines'."""

    org_id: str
    reservation_id: str
    sku: str
    location: str
    sale: str
    status: str


class Sold(NamedTuple):
    """What the ledger says left for one sale, in smallest units and minor units."""

    org_id: str
    sale_id: str
    units: int
    value: int


class KeyedLine(NamedTuple):
    """A line with license keys: their ids, how many are to follow, its units, its sale's status, the keys naming it."""

    org_id: str
    line_id: str
    keys: tuple[str, ...]
    owed: int
    fulfilled: int
    returned: int
    status: str | None
    naming: int


class Booked(NamedTuple):
    """A ledger entry that a journal entry names."""

    org_id: str
    ledger_id: str
    entry_id: str
    ref_type: str
    ref_id: str | None


class Moved(NamedTuple):
    """A ledger entry that moved value (minor units) into or out of the organisation's stock, at microseconds."""

    org_id: str
    ledger_id: str
    ref_type: str
    ref_id: str | None
    value: int
    at: int


class Reversal(NamedTuple):
    """An entry that takes another one back: does it refer as that one does (an entry by hand refers to the first by its
    id), and how many lines of the two have no opposite in the other?"""

    org_id: str
    entry_id: str
    same_reference: bool
    unmatched: int


class Billed(NamedTuple):
    """A receipt with bills: what it posted as not invoiced, what its bills cleared of it, in minor units, and how many
    of them stand."""

    org_id: str
    receipt_id: str
    received: int
    cleared: int
    standing: int


class Seal(NamedTuple):
    """What the entries of a level that have no link come to."""

    org_id: str
    level_id: str
    entries: int
    digest: bytes


class Head(msgspec.Struct, frozen=True, gc=False):
    """How far a level's ledger goes: its entries and the last link; of them `older` have no link, but a seal.

    Links are texts of hexadecimal digits; None where there is none.
    """

    org_id: str
    level_id: str
    sku: str | None
    location: str | None
    entries: int
    head: str | None
    older: int | None
    sealed: str | None


class Kept(NamedTuple):
    """The balances that a close or the end of a day has kept; None when they cannot be read."""

    org_id: str
    day: str
    kind: str
    balances: Balances | None


class DaySum(NamedTuple):
    """What was posted to an account on a day, in minor units."""

    org_id: str
    day: str
    account: str
    debit: int
    credit: int


Balances = tuple[tuple[str, int, int], ...]
"""(account, debits, credits), minor units."""


def texts_in(told: Any) -> tuple[str, ...]:
    """The texts of a JSON list as it is stored, taken apart by the driver or not; of anything else none."""
    try:
        return msgspec.convert(msgspec.json.decode(told) if isinstance(told, str) else told, learned(tuple[str, ...]))
    except msgspec.MsgspecError:
        return ()


def number_in(told: Any, name: str) -> int:
    """A whole number in a JSON object as it is stored, by its name; 0 where there is none."""
    try:
        fields = msgspec.convert(msgspec.json.decode(told) if isinstance(told, str) else told, learned(dict[str, Any]))
    except msgspec.MsgspecError:
        return 0
    found = fields.get(name)
    return found if type(found) is int else 0
