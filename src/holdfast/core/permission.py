"""What can be allowed, and from which role on.

    FROM[Permission.OVERRIDE]     -> Role.MANAGER

Each role may do all that the ones before it may. Who has which role is not known here (`holdfast.access`).
"""

from __future__ import annotations

from enum import StrEnum


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
    Permission.MANAGE: Role.MANAGER,
    Permission.CONFIGURE: Role.ADMIN,
}
"""The least role that has each permission."""
