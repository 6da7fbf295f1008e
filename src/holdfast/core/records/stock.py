"""What is held: levels, lots, lots at a place, and the promises on them (docs/reference/glossary.md).

Plain records in smallest units, minor units and microseconds; `stock` is where they change.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from holdfast.core.records.status import ACTIVE, LOT, RESERVATION, Transitions

LevelKey = tuple[str, str]
"""(product id, location id)."""

FOR_LINE, FOR_SALE, FOR_APPOINTMENT, FOR_ORDER, FOR_NOBODY = "sale", "transaction", "appointment", "order", "adhoc"
"""What a hold may be for (`Reservation.held_for`). The words are older than the names: "sale" is a line of a sale, and
a sale itself is a "transaction", as in the API."""


class Level(msgspec.Struct, gc=False, omit_defaults=True):
    """A product at a location, in smallest units. `seq` is the number of its last ledger entry.

    `head` is the last link of its ledger's chain (`db.batch.chain`); None before the first. (A checksum
    leaves out fields that have their default, so rows that an older version wrote still fit.)
    """

    id: str
    product_id: str
    location_id: str
    on_hand: int
    reserved: int
    backordered: int
    seq: int
    listed: bool
    created_at: int
    updated_at: int
    head: bytes | None = None

    @property
    def available(self) -> int:
        """On hand without reserved: always computed, never stored. It does not ask whether the location is sellable."""
        return self.on_hand - self.reserved


class Lot(msgspec.Struct, frozen=True, gc=False):
    """What was received together: one identity and one cost (10**-6 major units) everywhere.

    `expires_on` is set when only a day was given, `expires_at` when an instant was.
    """

    transitions: ClassVar[Transitions] = LOT

    id: str
    product_id: str
    code: str | None
    unit_cost: int
    expires_at: int | None
    expires_on: str | None
    received_at: int
    supplier: str | None
    gtin: str | None
    kind: str
    status: str


class LotStock(msgspec.Struct, gc=False):
    """A lot at a location: units, promised units, and remaining value in minor units.

    `sellable_until` is the instant at which its expiry takes it off sale there; None where nothing expires it. In
    quarantine, `origins` remembers from which locations the units came: (location id, units).
    """

    level_id: str
    lot_id: str
    location_id: str
    on_hand: int
    reserved: int
    value: int
    sellable_until: int | None
    is_open: bool
    origins: tuple[tuple[str, int], ...] = ()

    @property
    def free(self) -> int:
        """Units of the lot here that nobody was promised."""
        return self.on_hand - self.reserved


class Reservation(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A promise of `quantity` units at one level to one target. `allocations` are (lot id, units still held).

    `served_from` says where it may be served, its own location among them, as `catalog.served_from_text` writes it;
    None: its location was given, and it stays there. (A checksum leaves out fields that have their default, so rows
    that an older version wrote still fit.)
    """

    transitions: ClassVar[Transitions] = RESERVATION

    id: str
    level_id: str
    product_id: str
    location_id: str
    quantity: int
    consumed: int
    released: int
    backordered: int
    allocations: tuple[tuple[str, int], ...]
    status: str
    release_reason: str | None
    lot_id: str | None
    held_for: str
    sale_line_id: str | None
    reserved_for_type: str | None
    reserved_for_id: str | None
    order_number: str | None
    source: str
    priority: int
    expires_at: int | None
    actor: str
    created_at: int
    updated_at: int
    served_from: str | None = None

    @property
    def open(self) -> int:
        """Units neither consumed nor released."""
        return self.quantity - self.consumed - self.released

    @property
    def allocated(self) -> int:
        """Open units that stock backs."""
        return self.quantity - self.consumed - self.released - self.backordered

    @property
    def active(self) -> bool:
        """True while something is open."""
        return self.status == ACTIVE

    @property
    def turn(self) -> tuple[int, int, str]:
        """The place in the queue of those that wait: best priority, then oldest."""
        return self.priority, self.created_at, self.id

    @property
    def roams(self) -> bool:
        """True while units wait that may be served at another location as well."""
        return self.backordered > 0 and self.served_from is not None
