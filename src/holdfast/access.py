"""Who may do what: roles, permissions, actors (SPEC section 9).

`may(actor, command)` is the one test of a command; reads ask `actor.has(permission)`. Every actor belongs to exactly
one organisation, so nothing can cross organisations.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from holdfast.core.decide import DECISIONS
from holdfast.core.decision import Command, Together
from holdfast.core.permission import FROM, RANK, Permission, Role
from holdfast.core.stock import Caller


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Somebody, authenticated. `name` goes into the ledger; empty `stores` means all of the organisation.

    `id` is the user or key behind the name (empty for the command line). `session_id` is the register session in which
    somebody acts at a till. `address` and `request_id` of what came over HTTP are for the audit log.
    """

    org_id: str
    name: str
    role: Role
    stores: tuple[str, ...] = ()
    session_id: str | None = None
    id: str = ""
    address: str | None = None
    request_id: str | None = None

    def has(self, permission: Permission) -> bool:
        """Does the actor's role have the permission?"""
        return RANK[self.role] >= RANK[FROM[permission]]

    @property
    def caller(self) -> Caller:
        """The actor as the core knows it: name, stores, and what it may overrule."""
        if self.request_id is None:
            return _caller_of(self)
        known = _caller_of(msgspec.structs.replace(self, address=None, request_id=None))
        return msgspec.structs.replace(known, address=self.address, request_id=self.request_id)

    def may_grant(self, role: Role, stores: tuple[str, ...]) -> bool:
        """Nobody may create a user or key above their own role or beyond their own stores."""
        within = not self.stores or (bool(stores) and set(stores) <= set(self.stores))
        return RANK[role] <= RANK[self.role] and within


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
        may_see_cash=actor.has(Permission.MANAGE),
        session_id=actor.session_id,
    )


def needed(command: Command) -> Permission:
    """The permission that a command needs."""
    decision = DECISIONS.get(type(command))
    if decision is not None and type(command) is not Together:
        return decision.permission
    return max(_all_needed(command), key=lambda one: RANK[FROM[one]], default=Permission.READ)


def _all_needed(command: Any) -> set[Permission]:
    """The permissions of a command or of the members of a group; what is none is refused for its shape, later."""
    if type(command) is not Together:
        decision = DECISIONS.get(type(command))
        return set() if decision is None else {decision.permission}
    given: Any = command.commands
    if not isinstance(given, tuple | list):
        return set()
    kinds = {type(member): member for member in given if type(member) is not Together}
    groups = [member for member in given if type(member) is Together]
    return set().union(*map(_all_needed, (*kinds.values(), *groups)))


def may(actor: Actor, command: Command) -> bool:
    """May the actor give the command?"""
    return actor.has(needed(command))


__all__ = ["RANK", "Actor", "Permission", "Role", "may", "needed"]
