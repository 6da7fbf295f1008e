"""The sections of the pages: which there are, who may open each, and where everybody begins.

    sections_of(visitor.actor, "advanced")     -> the sections of the header, in its order
    start_path(visitor.actor, "advanced")      -> "/admin/inventory"
    who_may(Permission.MANAGE)                 -> "managers, admins and owners"

A page that is new gets one line in `SECTIONS`. The start pages follow by themselves: everybody begins at the first page
of their role that exists. It refuses nobody: who may open a page says its own decorator (`page_access`).
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.access import Actor, Permission, Role
from holdfast.core.records.permission import FROM, RANK

TILL = "/pos"
"""Where a device becomes a till; it may be one already, with nobody signed in."""

ACCOUNT = "/account"
"""Where those begin for whom there is no page yet."""

SIMPLE = "simple"
"""The mode of an organisation that makes things and wants no more than three buttons."""


class Section(NamedTuple):
    """An entry of the navigation.

    `bar`: a phone shows it below, where there is room; `simple`: its name in simple mode; no `name`: only there.
    """

    name: str
    path: str
    permission: Permission
    bar: bool = False
    simple: str = ""


MAKER = "/simple"
"""The page of makers: three buttons, and what is left."""

SECTIONS = (
    Section("", MAKER, Permission.SELL, bar=True, simple="Make"),
    Section("", f"{MAKER}/sell", Permission.SELL, bar=True, simple="Sell"),
    Section("", f"{MAKER}/count", Permission.STOCK, bar=True, simple="Count"),
    Section("Sell", TILL, Permission.SELL, bar=True, simple="Till"),
    Section("Inventory", "/admin/inventory", Permission.MANAGE, bar=True, simple="Stock list"),
    Section("Sales", "/admin/sales", Permission.MANAGE),
)
"""The sections that there are. Whoever adds one keeps this order: Sell, Queue, Stock, Inventory, Reservations, Sales,
Trace, Channels, Journal, Settings; in simple mode Make, Sell, Count, Till, Stock list, Settings."""

STARTS: dict[Role, tuple[str, ...]] = {
    Role.CASHIER: (TILL,),
    Role.STAFF: ("/stock", TILL),
    Role.MANAGER: ("/admin/inventory",),
    Role.ADMIN: ("/admin/inventory",),
    Role.OWNER: ("/admin/inventory",),
}
"""Where each role begins: at the first of these pages that there is."""

_PLURAL = {
    Role.CASHIER: "cashiers",
    Role.STAFF: "staff",
    Role.MANAGER: "managers",
    Role.ADMIN: "admins",
    Role.OWNER: "owners",
}


def sections_of(actor: Actor, mode: str, sections: tuple[Section, ...] = SECTIONS) -> list[Section]:
    """The sections that somebody may open, in the order of the header; in simple mode those of makers come first."""
    mine = [one for one in sections if actor.has(one.permission)]
    if mode != SIMPLE:
        return [one for one in mine if one.name]
    makers = [one._replace(name=one.simple) for one in mine if one.simple]
    return makers + [one for one in mine if one.name and not one.simple]


def start_path(actor: Actor, mode: str, sections: tuple[Section, ...] = SECTIONS) -> str:
    """The page at which somebody begins: one that there is and that they may open."""
    open_to = {one.path for one in sections if actor.has(one.permission)}
    wanted = ((MAKER,) if mode == SIMPLE else ()) + STARTS[actor.role]
    return next((path for path in wanted if path in open_to), ACCOUNT)


def is_here(section: Section, path: str, sections: tuple[Section, ...] = SECTIONS) -> bool:
    """Is the page at the path one of this section? `/pos/queue` is of the queue, not of `/pos`."""
    within = [one.path for one in sections if path == one.path or path.startswith(one.path + "/")]
    return bool(within) and section.path == max(within, key=len)


def has_section(path: str) -> bool:
    """Is there a section at the path?"""
    return any(one.path == path for one in SECTIONS)


def who_may(permission: Permission) -> str:
    """The roles that have a permission, in words."""
    roles = [_PLURAL[role] for role in Role if RANK[role] >= RANK[FROM[permission]]]
    return roles[0] if len(roles) == 1 else ", ".join(roles[:-1]) + f" and {roles[-1]}"
