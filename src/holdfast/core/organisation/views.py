"""Saved views: what a person has chosen to see of a list again, under a name of theirs.

    SaveView(user_id, "/admin/inventory", "Low at the door", "low_stock=true&location=DOOR")   -> the view
    RemoveView(user_id, view_id)

A view is a page and its query string; a page has at most one of each name, and saving it again changes it. They are
one's own: nobody else reads or changes them, and the audit log says nothing of them.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.field import Text
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import Code, Refused, invalid_state, not_found
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace

VIEWS_MAX = 50
"""Most saved views of a person."""

QUERY_MAX = 2000
"""Most characters of a view's query string."""

PagePath = Annotated[str, Meta(pattern="^/[a-z0-9/_-]*$", min_length=1, max_length=100)]
"""The path of a page."""

QueryText = Annotated[str, Meta(pattern="^[!-~]*$", max_length=QUERY_MAX)]
"""A query string as it stands in an address, without the question mark."""


class SavedView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A page as somebody wants to see it again; times in microseconds since 1970."""

    id: str
    page: str
    name: str
    query: str
    created_at: int
    updated_at: int


class SavedViews(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All saved views of a person; `id` is the user's."""

    id: str
    views: tuple[SavedView, ...] = ()
    created_at: int = 0
    updated_at: int = 0


class SaveView(Command, frozen=True, gc=False):
    """Keep a view, or change the one of that page and name."""

    user_id: str
    page: PagePath
    name: Text
    query: QueryText = ""


class RemoveView(Command, frozen=True, gc=False):
    """Forget a view."""

    user_id: str
    view_id: str


def save_view(stock: Stock, command: SaveView) -> SavedView:
    """Decide a SaveView."""
    kept = _own(stock, command.user_id)
    known = next((one for one in kept.views if (one.page, one.name) == (command.page, command.name)), None)
    if known is not None:
        view = replace(known, query=command.query, updated_at=stock.now)
        views = tuple(view if one is known else one for one in kept.views)
    else:
        if len(kept.views) >= VIEWS_MAX:
            raise invalid_state(f"You have {VIEWS_MAX} saved views: remove one first.")
        view = SavedView(
            id=stock.new_id(),
            page=command.page,
            name=command.name,
            query=command.query,
            created_at=stock.now,
            updated_at=stock.now,
        )
        views = (*kept.views, view)
    stock.put_record("saved_views", kept.id, replace(kept, views=views, updated_at=stock.now))
    return view


def remove_view(stock: Stock, command: RemoveView) -> SavedView:
    """Decide a RemoveView."""
    kept = _own(stock, command.user_id)
    view = next((one for one in kept.views if one.id == command.view_id), None)
    if view is None:
        raise not_found(Code.NOT_FOUND, "View", command.view_id)
    left = tuple(one for one in kept.views if one is not view)
    stock.put_record("saved_views", kept.id, replace(kept, views=left, updated_at=stock.now))
    return view


def _own(stock: Stock, user_id: str) -> SavedViews:
    """The caller's views, locked with their user; somebody else's are refused."""
    if stock.caller.id != user_id or stock.record("app_user", user_id) is None:
        raise Refused(Code.FORBIDDEN, "This changes what is your own, and you are somebody else.")
    kept: SavedViews | None = stock.record("saved_views", user_id)
    return kept or SavedViews(id=user_id, created_at=stock.now)


DECISIONS = (
    Decision(SaveView, save_view, Permission.READ),
    Decision(RemoveView, remove_view, Permission.READ),
)
