"""Who may do what: roles, permissions, actors (docs/reference/api.md#permissions).

`missing(actor, command)` is the one test of a command; reads ask `actor.has(permission)`. A key may be narrowed to some
of its role's permissions: it has those and no others. Every actor belongs to exactly one organisation, so
nothing can cross organisations.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from holdfast.core.decide import DECISIONS
from holdfast.core.records.command import Command, CommandGroup
from holdfast.core.records.permission import FROM, RANK, Permission, Rights, Role
from holdfast.core.records.shape import DEPTH_MAX
from holdfast.core.stock.caller import Caller


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Somebody, authenticated. `name` goes into the ledger; empty `stores` means all of the organisation.

    `id` is the user or key behind the name (empty for the command line). `session_id` is the register session in which
    somebody acts at a till. `permissions` are those of the role that the actor has (None: all of them). `address` and
    `request_id` of what came over HTTP are for the audit log. `bounded` is a key that ends, or has addresses. `key_id`
    is the key that asks, or that opened the register session in which somebody acts. `reads_of` are the stores of who
    acts at a till, who may read there what is free elsewhere (empty: all; None: `stores` says it).
    """

    org_id: str
    name: str
    role: Role
    stores: tuple[str, ...] = ()
    session_id: str | None = None
    id: str = ""
    permissions: frozenset[Permission] | None = None
    address: str | None = None
    request_id: str | None = None
    bounded: bool = False
    key_id: str | None = None
    reads_of: tuple[str, ...] | None = None

    @property
    def seen(self) -> frozenset[str] | None:
        """The stores whose free units the actor may read of (None: all): at a till more than the one it acts in."""
        stores = self.stores if self.reads_of is None else self.reads_of
        return frozenset(stores) if stores else None

    def has(self, permission: Permission) -> bool:
        """Does the actor have the permission? Nobody configures the organisation at a till: a PIN is too weak."""
        if self.session_id is not None and permission is Permission.CONFIGURE:
            return False
        if self.permissions is not None and permission not in self.permissions:
            return False
        return RANK[self.role] >= RANK[FROM[permission]]

    def lacks(self, permission: Permission) -> str:
        """Why the actor may not do what needs a permission that they do not have."""
        if self.session_id is not None and permission is Permission.CONFIGURE:
            return f"This is not done at a till: sign in, or use a key. It needs {permission}."
        who = f"A {self.role}" if self.permissions is None else "This key"
        return f"{who} may not do this: it needs {permission}."

    @property
    def rights(self) -> Rights:
        """All that the actor may do, and so may give."""
        return Rights(self.role, frozenset(self.stores), self.permissions, self.bounded)

    @property
    def caller(self) -> Caller:
        """The actor as the core knows it: name, stores, and what it may overrule."""
        if self.request_id is None:
            return _caller_of(self)
        known = _caller_of(msgspec.structs.replace(self, address=None, request_id=None, reads_of=None))
        return msgspec.structs.replace(known, address=self.address, request_id=self.request_id)

    def may_grant(self, role: Role, stores: tuple[str, ...]) -> bool:
        """Nobody may create a user or key above their own role, or beyond their own stores and permissions."""
        return self.rights.covers(Rights(role, frozenset(stores)))


@lru_cache(maxsize=1024)
def _caller_of(actor: Actor) -> Caller:
    """The same few actors give thousands of commands."""
    return Caller(
        actor.name,
        frozenset(actor.stores) if actor.stores else None,
        actor.has(Permission.OVERRIDE),
        online=not actor.stores,
        may_price=actor.has(Permission.PRICE_OVERRIDE),
        may_discount=actor.has(Permission.DISCOUNT),
        may_return_blind=actor.has(Permission.DISCOUNT),
        may_refund_otherwise=actor.has(Permission.REFUND_OVERRIDE),
        may_see_cash=actor.has(Permission.MANAGE),
        session_id=actor.session_id,
        rights=actor.rights,
        id=actor.id,
    )


def missing(actor: Actor, command: Command) -> Permission | None:
    """The first permission that the command needs and the actor does not have; None when they may give it."""
    decision = DECISIONS.get(type(command))
    if decision is not None and type(command) is not CommandGroup:
        return None if actor.has(decision.permission) else decision.permission
    asked = _all_needed(command) or {Permission.READ}
    return next((one for one in reversed(Permission) if one in asked and not actor.has(one)), None)


def _all_needed(command: Any, depth: int = 0) -> set[Permission]:
    """The permissions of a command or of the members of a group; what is none is refused for its shape, later."""
    if type(command) is not CommandGroup:
        decision = DECISIONS.get(type(command))
        return set() if decision is None else {decision.permission}
    given: Any = command.commands
    if not isinstance(given, tuple | list) or depth > DEPTH_MAX:
        return set()
    kinds = {type(member): member for member in given if type(member) is not CommandGroup}
    groups = {id(member): member for member in given if type(member) is CommandGroup}
    members = (*kinds.values(), *groups.values())
    return set().union(*(_all_needed(member, depth + 1) for member in members))


def may(actor: Actor, command: Command) -> bool:
    """May the actor give the command?"""
    return missing(actor, command) is None


_STORES_OF_EVENT = ("store_id", "from_store_id", "to_store_id")


def concerns(facts: dict[str, Any], stores: frozenset[str]) -> bool:
    """Is an event with these facts about one of the stores?

    It names them by their ids, as they were when it was written: codes of locations go from one to another. What names
    none is the organisation's, and of an older version's events nobody knows it any more: who is limited to stores does
    not hear of either.
    """
    return any(facts.get(name) in stores for name in _STORES_OF_EVENT)


__all__ = ["RANK", "Actor", "Permission", "Rights", "Role", "concerns", "may", "missing"]
