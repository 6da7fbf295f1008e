"""Saved views at the Python door: one's own, bounded, one of a name for each page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from holdfast.access import Actor
from holdfast.core.organisation.views import VIEWS_MAX, RemoveView, SavedView, SaveView
from holdfast.core.records.rejection import Rejected
from tests.shop import Shop, open_shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop."""
    with open_shop(f"sqlite:///{tmp_path / 'views.db'}") as shop:
        yield shop


def owner(shop: Shop) -> Actor:
    """The founder, as they act in a browser."""
    user = shop.holdfast.reports.users(shop.org_id).items[0]
    return msgspec.structs.replace(shop.owner, id=user["id"], name=f"user:{user['email']}")


def test_nobody_saves_for_somebody_else(shop: Shop) -> None:
    me = owner(shop)
    command = SaveView(me.id, "/admin/inventory", "Low", "low_stock=true")
    saved = shop.holdfast.do(me, command).answer
    assert type(saved) is SavedView

    for actor in (shop.manager, msgspec.structs.replace(me, id="01890000-0000-7000-8000-000000000000")):
        for asked in (command, RemoveView(me.id, saved.id)):
            refused = shop.holdfast.do(actor, asked).answer
            assert type(refused) is Rejected and refused.code == "FORBIDDEN"
    nobody = "01890000-0000-7000-8000-000000000000"
    missing = shop.holdfast.do(msgspec.structs.replace(me, id=nobody), SaveView(nobody, "/x", "y")).answer
    assert type(missing) is Rejected and missing.code == "FORBIDDEN"


def test_a_person_has_a_bounded_number(shop: Shop) -> None:
    me = owner(shop)
    for number in range(VIEWS_MAX):
        shop.holdfast.do(me, SaveView(me.id, "/admin/sales", f"View {number}"))

    refused = shop.holdfast.do(me, SaveView(me.id, "/admin/sales", "One more")).answer
    changed = shop.holdfast.do(me, SaveView(me.id, "/admin/sales", "View 3", "a=b")).answer

    assert type(refused) is Rejected and refused.code == "INVALID_STATE"
    assert changed.query == "a=b"
    assert shop.holdfast.do(me, RemoveView(me.id, changed.id)).answer == changed
    assert len(shop.holdfast.reports.saved_views(shop.org_id, me.id)) == VIEWS_MAX - 1
