"""The statuses of everything that has one, and how each may become another. A status changes only as its table says.

    may_become(SALE, "open", "completed")     -> True
    may_become(SALE, "cancelled", "open")     -> False: what was given up is not a cart again

In a table, None stands for what is not there yet: beside it are the statuses in which a thing begins. `Stock` asserts
the table of a record wherever it sets one, so a decision that takes another way fails in its test, and nothing of it is
saved.

A sale begins as a cart (open), as an order that a channel has taken (suspended: it waits in the queue), or is sold at
once (completed). A cart goes into the queue and out of it as often as cashiers like. Both can be completed, and both
given up (cancelled). Completed is not the end: the shipment that completed a sale may have been entered by mistake, and
then the sale stands as it stood before that shipment. Cancelled is not the end either: a channel may tell later that
the goods have gone out after all; then the order waits in the queue again. A return changes no status: the sale was
completed, and what came back is counted on its lines.

A reservation is active while something of it is open. Its end says what became of it: consumed when anything of it was
sold, released when nothing was. A consumed hold can be active again: the units of a shipment that is taken back are
held by the hold that they left, unless that hold moved elsewhere meanwhile; then another hold has them, and one of
which nothing was sold any more is released. A released hold stays released.

A lot is for sale (active) or recalled (quarantined). When a part of a recalled lot is released that part is sold, while
whatever else of the lot turns up is set aside: the lot is partial until the recall is lifted or begins again.

A drawer is counted once when it is closed, and the report of its session stands for ever: nothing follows on closed. A
transfer is shipped while anything is on the road, and its end says where the goods went: received where any arrived,
returned where none did and some were sent back. A count is posted at once or begins as a draft; what was posted is in
the ledger and cannot be cancelled. An appointment may be entered when it is over already, and what is over stays so.

A license key is free until a sale hands it out, and sold then. Whoever had it has seen it: one that comes back is
blocked, and nothing follows on that.

An order to a supplier is open until the supplier has shipped. It is withdrawn (cancelled) when its line is, and stands
again when the sale is taken up after all.

A gift card is active also when nothing is left on it: it can be loaded again. It is blocked when the sale that issued
it is returned, and stays so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

OPEN: Final = "open"
SUSPENDED: Final = "suspended"
COMPLETED: Final = "completed"
CANCELLED: Final = "cancelled"
ACTIVE: Final = "active"
CONSUMED: Final = "consumed"
RELEASED: Final = "released"
QUARANTINED: Final = "quarantined"
PARTLY_RELEASED: Final = "partial"
CLOSED: Final = "closed"
SHIPPED: Final = "shipped"
RECEIVED: Final = "received"
RETURNED: Final = "returned"
DRAFT: Final = "draft"
POSTED: Final = "posted"
BOOKED: Final = "booked"
FREE: Final = "free"
SOLD: Final = "sold"
BLOCKED: Final = "blocked"

SaleStatus = Literal["open", "suspended", "completed", "cancelled"]
AppointmentStatus = Literal["booked", "completed", "cancelled"]
GiftCardStatus = Literal["active", "blocked"]

Transitions = Mapping[str | None, tuple[str, ...]]
"""Each status, and those that may follow on it; beside None those with which a thing begins."""

SALE: Transitions = {
    None: (OPEN, SUSPENDED, COMPLETED),
    OPEN: (SUSPENDED, COMPLETED, CANCELLED),
    SUSPENDED: (OPEN, COMPLETED, CANCELLED),
    COMPLETED: (OPEN, SUSPENDED),
    CANCELLED: (SUSPENDED,),
}

RESERVATION: Transitions = {
    None: (ACTIVE,),
    ACTIVE: (CONSUMED, RELEASED),
    CONSUMED: (ACTIVE, RELEASED),
    RELEASED: (),
}

LOT: Transitions = {
    None: (ACTIVE,),
    ACTIVE: (QUARANTINED,),
    QUARANTINED: (ACTIVE, PARTLY_RELEASED),
    PARTLY_RELEASED: (ACTIVE, QUARANTINED),
}

REGISTER_SESSION: Transitions = {None: (OPEN,), OPEN: (CLOSED,), CLOSED: ()}

TRANSFER: Transitions = {None: (SHIPPED,), SHIPPED: (RECEIVED, RETURNED), RECEIVED: (), RETURNED: ()}

COUNT_SHEET: Transitions = {None: (DRAFT, POSTED), DRAFT: (POSTED, CANCELLED), POSTED: (), CANCELLED: ()}

APPOINTMENT: Transitions = {
    None: (BOOKED, COMPLETED, CANCELLED),
    BOOKED: (COMPLETED, CANCELLED),
    COMPLETED: (),
    CANCELLED: (),
}

SUPPLIER_ORDER: Transitions = {None: (OPEN,), OPEN: (SHIPPED, CANCELLED), SHIPPED: (), CANCELLED: (OPEN,)}

GIFT_CARD: Transitions = {None: (ACTIVE,), ACTIVE: (BLOCKED,), BLOCKED: ()}


LICENSE_KEY: Transitions = {None: (FREE,), FREE: (SOLD,), SOLD: (BLOCKED,), BLOCKED: ()}


def may_become(table: Transitions, before: str | None, after: str) -> bool:
    """Is `after` a status that may follow on `before` (None: nothing was there), or the same?"""
    return after == before or after in table[before]


def assert_follows(record: Any, before: Any) -> None:
    """The status of a record follows on the one that it had, as its `transitions` say; many records have no status."""
    table = getattr(record, "transitions", None)
    if table is not None:
        was = None if before is None else before.status
        assert may_become(table, was, record.status), (was, record)
