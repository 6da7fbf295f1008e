"""What can be allowed, and from which role on.

    FROM[Permission.OVERRIDE]                                        -> Role.MANAGER
    Rights(Role.ADMIN).covers(Rights(Role.STAFF))                    -> True: an admin may make somebody of the staff

Each role may do all that the ones before it may. Who has which role is not known here (`holdfast.access`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec


class Role(StrEnum):
    """What somebody is in an organisation; each role may do all that the ones before it may."""

    CASHIER = "cashier"
    STAFF = "staff"
    MANAGER = "manager"
    ADMIN = "admin"
    OWNER = "owner"


RANK = {role: rank for rank, role in enumerate(Role)}


class Permission(StrEnum):
    """What can be allowed."""

    READ = "stock:read"
    SELL = "sales:create"
    RESERVE = "inventory-reservations:create"
    OVERRIDE = "inventory-reservations:override"
    PRICE_OVERRIDE = "prices:override"
    REFUND_OVERRIDE = "returns:override"
    DISCOUNT = "prices:discount"
    STOCK = "inventory:adjust"
    EVENTS = "events:read"
    MANAGE = "inventory:manage"
    CONFIGURE = "organisation:configure"


FROM: dict[Permission, Role] = {
    Permission.READ: Role.CASHIER,
    Permission.SELL: Role.CASHIER,
    Permission.RESERVE: Role.STAFF,
    Permission.DISCOUNT: Role.STAFF,
    Permission.STOCK: Role.STAFF,
    Permission.EVENTS: Role.STAFF,
    Permission.OVERRIDE: Role.MANAGER,
    Permission.PRICE_OVERRIDE: Role.MANAGER,
    Permission.REFUND_OVERRIDE: Role.MANAGER,
    Permission.MANAGE: Role.MANAGER,
    Permission.CONFIGURE: Role.ADMIN,
}
"""The least role that has each permission."""


class Rights(msgspec.Struct, frozen=True, gc=False):
    """What somebody may do: all that the role may, or of that only `permissions`; in some stores (none: in all).

    `bounded` are those of a key that ends, or is used from some addresses alone.
    """

    role: Role
    stores: frozenset[str] = frozenset()
    permissions: frozenset[Permission] | None = None
    bounded: bool = False

    def has(self, permission: Permission) -> bool:
        """Is the permission among these rights?"""
        if self.permissions is not None and permission not in self.permissions:
            return False
        return RANK[self.role] >= RANK[FROM[permission]]

    def covers(self, other: Rights) -> bool:
        """Do these rights hold all of the other ones? Only then may an actor with these rights give the others.

        Rights of a `bounded` key cover nothing: another user or key would have them without the bounds.
        """
        if self.bounded:
            return False
        if RANK[other.role] > RANK[self.role]:
            return False
        if self.stores and not (other.stores and other.stores <= self.stores):
            return False
        return all(self.has(permission) for permission in Permission if other.has(permission))


GRANT_WORDS = (
    "You may not give more than you have: not a higher role, not other stores, not other permissions; and a key "
    "with an expiry or addresses gives nothing."
)
"""The refusal for a caller who would make, change or remove somebody with more rights than their own."""

EVERYTHING = Rights(Role.OWNER)
"""What an owner may do."""


RoleName = Literal["cashier", "staff", "manager", "admin", "owner"]
