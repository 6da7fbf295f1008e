"""The sections and start pages of each role, with pages that there are not yet."""

from __future__ import annotations

import pytest

from holdfast.access import Actor, Permission, Role
from holdfast.web.pages.sections import Section, is_here, sections_of, start_path, who_may

ALL = (
    Section("Sell", "/pos", Permission.SELL, bar=True, simple="Sell"),
    Section("Queue", "/pos/queue", Permission.SELL, bar=True),
    Section("Stock", "/stock", Permission.STOCK, bar=True),
    Section("Inventory", "/admin/inventory", Permission.MANAGE, simple="Stock list"),
    Section("", "/simple", Permission.READ, simple="Make"),
)


def actor(role: Role) -> Actor:
    """Somebody of that role."""
    return Actor("org", "user:ana", role)


@pytest.mark.parametrize(
    ("role", "names", "start"),
    [
        (Role.CASHIER, ["Sell", "Queue"], "/pos"),
        (Role.STAFF, ["Sell", "Queue", "Stock"], "/stock"),
        (Role.MANAGER, ["Sell", "Queue", "Stock", "Inventory"], "/admin/inventory"),
        (Role.OWNER, ["Sell", "Queue", "Stock", "Inventory"], "/admin/inventory"),
    ],
)
def test_each_role_has_its_sections_and_begins_where_it_works(role: Role, names: list[str], start: str) -> None:
    assert [one.name for one in sections_of(actor(role), "advanced", ALL)] == names
    assert start_path(actor(role), "advanced", ALL) == start


def test_who_makes_things_begins_with_three_buttons() -> None:
    owner = actor(Role.OWNER)

    assert start_path(owner, "simple", ALL) == "/simple"
    assert [one.name for one in sections_of(owner, "simple", ALL)] == ["Sell", "Stock list", "Make", "Queue", "Stock"]


def test_without_a_page_of_their_own_everybody_has_an_account() -> None:
    assert start_path(actor(Role.STAFF), "advanced", ALL[:2]) == "/pos"
    assert start_path(actor(Role.CASHIER), "simple", ALL[2:4]) == "/account"


def test_a_page_belongs_to_the_section_whose_path_is_longest() -> None:
    here = {
        path: [one.name for one in ALL if is_here(one, path, ALL)]
        for path in ("/pos", "/pos/queue", "/pos/queue/1", "/p")
    }

    assert here == {"/pos": ["Sell"], "/pos/queue": ["Queue"], "/pos/queue/1": ["Queue"], "/p": []}


def test_who_may_is_said_in_words() -> None:
    assert who_may(Permission.MANAGE) == "managers, admins and owners"
    assert who_may(Permission.CONFIGURE) == "admins and owners"
