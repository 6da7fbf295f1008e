"""Who gives a command: the actor, where they may act, and what they may overrule.

Caller("user:bo", stores=frozenset({"<id of WEST>"}))      -> acts in WEST alone
SYSTEM                                                      -> what time makes due, in all stores
"""

from __future__ import annotations

import msgspec

from holdfast.core.records.permission import EVERYTHING, Rights


class Caller(msgspec.Struct, frozen=True, gc=False):
    """The actor of a command: the name for the ledger, the stores they may act in (None: all), what they may overrule.

    `online` callers sell by post: without a location they get those that ship online. Every caller of all stores is one
    (`access`); only tests make one that is not.
    `session_id` is the register session that a till acts in. `rights` say what the caller may grant. `address` and
    `request_id` go into the audit log. `id` is the user or key of the actor; it is empty for the command line.
    """

    actor: str
    stores: frozenset[str] | None = None
    may_override: bool = False
    online: bool = True
    may_price: bool = False
    may_discount: bool = False
    may_return_blind: bool = False
    may_refund_otherwise: bool = False
    may_see_cash: bool = False
    session_id: str | None = None
    rights: Rights = EVERYTHING
    id: str = ""
    address: str | None = None
    request_id: str | None = None


SYSTEM = Caller("system")
"""Holdfast itself: what time makes due."""
