"""Sorted lists: the orders that a list knows besides the newest first, and how a page goes on in each.

    order = Order(connection, "-available", _level.on_hand - _level.reserved, _level.id)
    order.after(cursor)                                    -> the condition that leaves what comes behind the cursor
    query.add_columns(order.value).order_by(*order.by)     -> the rows in that order, each with its place in it
    order.cursor(row)                                      -> the cursor behind the row

A minus in front turns an order round. Rows of equal value stand by id, so a page never repeats or skips one that did
not change meanwhile. Texts are compared by their first 60 characters, in small letters and sign by sign, in both
databases alike. A cursor says of which order it is: in another one it is a BadCursor.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from holdfast.db.queries.paging import BadCursor, decode_cursor, encode_cursor

TEXT_CHARACTERS = 60
"""By how many characters texts are sorted: a cursor holds them."""

VALUE = "sort_value"
"""What the place of a row in its order is called."""


class Order:
    """One order of a list: by a column, then by id."""

    def __init__(
        self, connection: sa.Connection, name: str, column: sa.ColumnElement[Any], row_id: sa.ColumnElement[Any]
    ) -> None:
        self.name = name
        self.descending = name.startswith("-")
        self.is_text = isinstance(column.type, sa.String)
        self._value = column
        if self.is_text:
            self._value = sa.func.lower(sa.func.substr(column, 1, TEXT_CHARACTERS))
            if connection.dialect.name != "sqlite":
                self._value = sa.collate(self._value, "C")
        self._id = row_id
        self.value = self._value.label(VALUE)

    @property
    def by(self) -> tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]:
        """What to order by."""
        if self.descending:
            return self._value.desc(), self._id.desc()
        return self._value.asc(), self._id.asc()

    def key(self, cursor: str) -> tuple[Any, str]:
        """The value and id behind which a page goes on."""
        name, value, row_id = decode_cursor(cursor, str, str if self.is_text else int, UUID)
        if name != self.name:
            raise BadCursor(f"{cursor[:40]!r} is a cursor of another order.")
        return value, row_id

    def after(self, cursor: str | None) -> list[sa.ColumnElement[bool]]:
        """The condition that leaves what comes behind the cursor."""
        if cursor is None:
            return []
        value, row_id = self.key(cursor)
        if self.descending:
            return [sa.or_(self._value < value, sa.and_(self._value == value, self._id < row_id))]
        return [sa.or_(self._value > value, sa.and_(self._value == value, self._id > row_id))]

    def cursor(self, value: Any, row_id: str) -> str:
        """The cursor behind a row with that value and id."""
        return encode_cursor(self.name, value if self.is_text else int(value), row_id)
