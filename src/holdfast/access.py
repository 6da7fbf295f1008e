"""Who may do what: roles, permissions, actors (SPEC section 9).

`may(actor, command)` is the one test of a command; reads ask `actor.has(permission)`. Every actor belongs to exactly
one organisation, so nothing can cross organisations.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from holdfast.core import (
    amend,
    cart,
    catalog,
    checkout,
    completion,
    correction,
    count_sheet,
    counting,
    imported,
    order,
    order_entry,
    period,
    recall,
    receiving,
    register,
    reservation,
    returns,
    transfer,
)
from holdfast.core.decide import Command, Sweep, Together
from holdfast.core.stock import Caller


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


_FROM: dict[Permission, Role] = {
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

_NEEDED: dict[type[Any], Permission] = {
    reservation.Reserve: Permission.RESERVE,
    amend.Amend: Permission.RESERVE,
    reservation.Release: Permission.RESERVE,
    reservation.Consume: Permission.RESERVE,
    order.ReserveAtLevel: Permission.RESERVE,
    order.ReleaseAtLevel: Permission.RESERVE,
    order.ConsumeAtLevel: Permission.RESERVE,
    order.OrderReserve: Permission.RESERVE,
    order.OrderClose: Permission.RESERVE,
    order.Book: Permission.STOCK,
    order.ChangeAppointment: Permission.STOCK,
    receiving.Receive: Permission.STOCK,
    counting.SetStock: Permission.STOCK,
    counting.AdjustStock: Permission.STOCK,
    counting.ForgetLevel: Permission.STOCK,
    count_sheet.Count: Permission.STOCK,
    count_sheet.FillSheet: Permission.STOCK,
    count_sheet.RemoveSheetLine: Permission.STOCK,
    count_sheet.CloseSheet: Permission.STOCK,
    transfer.Dispatch: Permission.STOCK,
    transfer.Arrive: Permission.STOCK,
    transfer.SendBack: Permission.STOCK,
    recall.Quarantine: Permission.MANAGE,
    recall.Readmit: Permission.MANAGE,
    recall.WriteOff: Permission.MANAGE,
    Sweep: Permission.STOCK,
    order_entry.OpenSale: Permission.SELL,
    cart.AddLine: Permission.SELL,
    cart.EditLine: Permission.SELL,
    cart.RemoveLine: Permission.SELL,
    cart.ChangeSale: Permission.SELL,
    cart.SuspendSale: Permission.SELL,
    cart.ResumeSale: Permission.SELL,
    cart.CancelSale: Permission.SELL,
    completion.CompleteSale: Permission.SELL,
    completion.Fulfill: Permission.SELL,
    correction.RevertShipment: Permission.SELL,
    checkout.Checkout: Permission.SELL,
    completion.ShipSupplierOrder: Permission.STOCK,
    imported.TakeOrder: Permission.MANAGE,
    returns.ReturnSale: Permission.SELL,
    returns.ReturnBlind: Permission.DISCOUNT,
    register.OpenSession: Permission.SELL,
    register.MoveCash: Permission.SELL,
    register.CloseSession: Permission.SELL,
    period.ClosePeriod: Permission.CONFIGURE,
    period.AddAccount: Permission.MANAGE,
    period.RenameAccount: Permission.MANAGE,
}
_RECORDS = {
    "product": Permission.MANAGE,
    "location": Permission.MANAGE,
    "tax_rate": Permission.MANAGE,
    "register": Permission.MANAGE,
    "account": Permission.MANAGE,
}
"""Records that a manager may write; all others are for owner and admin."""


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Somebody, authenticated. `name` goes into the ledger; empty `stores` means all of the organisation.

    `id` is the user or key behind the name (empty for the command line). `session_id` is the register session in which
    somebody acts at a till.
    """

    org_id: str
    name: str
    role: Role
    stores: tuple[str, ...] = ()
    session_id: str | None = None
    id: str = ""

    def has(self, permission: Permission) -> bool:
        """Does the actor's role have the permission?"""
        return RANK[self.role] >= RANK[_FROM[permission]]

    @property
    def caller(self) -> Caller:
        """The actor as the core knows it: name, stores, and what it may overrule."""
        return Caller(
            self.name,
            frozenset(self.stores) if self.stores else None,
            self.has(Permission.OVERRIDE),
            online=not self.stores,
            may_price=self.has(Permission.PRICE_OVERRIDE),
            may_discount=self.has(Permission.DISCOUNT),
            may_return_blind=self.has(Permission.DISCOUNT),
            may_see_cash=self.has(Permission.MANAGE),
            session_id=self.session_id,
        )

    def may_grant(self, role: Role, stores: tuple[str, ...]) -> bool:
        """Nobody may create a user or key above their own role or beyond their own stores."""
        within = not self.stores or (bool(stores) and set(stores) <= set(self.stores))
        return RANK[role] <= RANK[self.role] and within


def needed(command: Command) -> Permission:
    """The permission that a command needs."""
    if isinstance(command, Together):
        kinds = {type(member): member for member in command.commands if type(member) in _NEEDED}
        others = [member for member in command.commands if type(member) not in _NEEDED]
        return max((needed(member) for member in (*kinds.values(), *others)), key=lambda one: RANK[_FROM[one]])
    if isinstance(command, catalog.Add | catalog.Change | catalog.Remove):
        return _RECORDS.get(command.kind, Permission.CONFIGURE)
    return _NEEDED[type(command)]


def may(actor: Actor, command: Command) -> bool:
    """May the actor give the command?"""
    return actor.has(needed(command))
