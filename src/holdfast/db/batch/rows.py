"""Rows and the core's structs: the same fields under the same names, so neither knows how the other is written down.

    row_type(Level).select      -> "id, product_id, location_id, on_hand, ..."
    row_type(Level).read(row)   -> Level(...)
    row_type(Level).arrays([...]) -> {"id": "{...}", "on_hand": "{5,7}", ..., "checksum": "{...}"} for PostgreSQL

The tables of stock, sales and books carry a checksum of the row: CRC-32 of the struct's JSON. It is no signature; it
finds what was changed by accident or by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from holdfast.core.records.learned_type import learned
from holdfast.core.records.ledger import Entry
from holdfast.core.records.license_key import LicenseKey
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.stock import Level, Lot, LotStock, Reservation
from holdfast.core.sales.gift_cards import GiftCard, GiftCardEntry
from holdfast.core.sales.register import CashMovement, RegisterSession
from holdfast.core.sales.return_record import Return
from holdfast.core.sales.supplier_orders import SupplierOrder
from holdfast.core.stock.journal import JournalEntry, Posting
from holdfast.db import schema

STOCK_TABLES: dict[type[Any], sa.Table] = {
    Level: schema.level,
    Lot: schema.lot,
    LotStock: schema.lot_stock,
    Reservation: schema.reservation,
    Entry: schema.ledger,
}

SALE_TABLES: dict[type[Any], sa.Table] = {
    RegisterSession: schema.register_session,
    CashMovement: schema.cash_movement,
    Sale: schema.sale,
    SaleLine: schema.sale_line,
    LicenseKey: schema.license_key,
    Return: schema.sale_return,
    SupplierOrder: schema.supplier_order,
    GiftCard: schema.gift_card,
    GiftCardEntry: schema.gift_card_entry,
    JournalEntry: schema.journal_entry,
    Posting: schema.posting,
}
"""Rows of sales and books, in the order in which they are written."""

_encode = msgspec.json.Encoder().encode


def content(struct: Any) -> bytes:
    """The struct as checksums and chains read it: its JSON, fields in their order."""
    return _encode(struct)


def checksum(struct: Any) -> int:
    """The checksum that the row of a struct carries."""
    return crc32(_encode(struct))


Links = Callable[[Sequence[bytes]], Sequence[bytes]]
"""What the rows of some structs keep of a chain, made from the structs' JSON."""


class Columns(NamedTuple):
    """Parameters by column: the names in `constant` as one value, the others as array literals."""

    parameters: dict[str, Any]
    constant: frozenset[str]


class RowType:
    """How a struct of a table of stock, sales or books is read from a row and written to one."""

    def __init__(self, struct: type[Any], table: sa.Table) -> None:
        self.struct = struct
        self.table = table
        self.columns: tuple[str, ...] = struct.__struct_fields__
        self.select = ", ".join(self.columns)
        self._json_at = [i for i, name in enumerate(self.columns) if isinstance(table.c[name].type, sa.JSON)]
        fields = {field.name: field.type for field in msgspec.structs.fields(struct)}
        self._json_types = {i: fields[self.columns[i]] for i in self._json_at}
        self._decode = {i: msgspec.json.Decoder(learned(kind)).decode for i, kind in self._json_types.items()}
        self._bool_at = [i for i, name in enumerate(self.columns) if isinstance(table.c[name].type, sa.Boolean)]
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped
        self.written: tuple[str, ...] = (*self.columns, "checksum", *(("link",) if "link" in table.c else ()))
        self.types = {name: table.c[name].type.compile(dialect=dialect).partition("(")[0] for name in self.written}
        self.select_as: Callable[[str], str] = lambda alias: ", ".join(f"{alias}.{name}" for name in self.columns)

    def read(self, row: Sequence[Any]) -> Any:
        """The struct of a row whose columns are `select`, as the raw drivers return it."""
        if not self._json_at and not self._bool_at:
            return self.struct(*row)
        values = list(row)
        for index in self._json_at:
            text = values[index]
            if isinstance(text, str):
                values[index] = () if text == "[]" else self._decode[index](text)
            elif text is not None:  # the driver has taken the JSON apart already
                values[index] = msgspec.convert(text, learned(self._json_types[index]))
        for index in self._bool_at:
            values[index] = bool(values[index])
        return self.struct(*values)

    def arrays(self, structs: Sequence[Any], links: Links | None = None) -> dict[str, str]:
        """The rows as PostgreSQL array literals, one a column: a text parameter costs a fraction of a list."""
        return {name: _array_literal(values) for name, values in self._columns_of(structs, links)}

    def arrays_and_constants(
        self,
        structs: Sequence[Any],
        constant: Callable[[set[str]], frozenset[str]],
        links: Links | None = None,
    ) -> Columns:
        """The rows as arrays, but the columns that `constant` picks of those with one value only as that value.

        Most columns of the rows of a batch are the same in all of them; a server that need not take them apart
        inserts a quarter faster.
        """
        columns = list(self._columns_of(structs, links))
        same = constant({name for name, values in columns if values.count(values[0]) == len(values)})
        return Columns({name: values[0] if name in same else _array_literal(values) for name, values in columns}, same)

    def _columns_of(self, structs: Sequence[Any], links: Links | None) -> Iterator[tuple[str, Sequence[Any]]]:
        columns = zip(*map(msgspec.structs.astuple, structs), strict=True)
        for index, (name, values) in enumerate(zip(self.columns, columns, strict=True)):
            if index in self._json_at:
                values = tuple(map(_json_text, values))
            yield name, values
        contents = list(map(_encode, structs))
        yield "checksum", tuple(map(crc32, contents))
        if links is not None:
            yield "link", links(contents)

    def tuples(self, org_id: str, structs: Sequence[Any], links: Links | None = None) -> list[tuple[Any, ...]]:
        """The rows as tuples (org_id, columns ..., checksum), and with `links` the link behind."""
        if links is not None:
            contents = list(map(_encode, structs))
            beside = zip(map(msgspec.structs.astuple, structs), map(crc32, contents), links(contents), strict=True)
            return [(org_id, *own, check, link) for own, check, link in beside]
        rows = []
        for struct in structs:
            values = msgspec.structs.astuple(struct)
            if self._json_at:
                changed = list(values)
                for index in self._json_at:
                    changed[index] = _json_text(values[index])
                values = tuple(changed)
            rows.append((org_id, *values, crc32(_encode(struct))))
        return rows


def _array_literal(values: Sequence[Any]) -> str:
    """A PostgreSQL array literal of texts, bytes, numbers, booleans and Nones; whole columns at once where it goes."""
    nulls = values.count(None)
    kind = type(values[0])
    if nulls == len(values):
        return "{" + ",".join(["NULL"] * nulls) + "}"
    if kind is int and not nulls:
        return "{" + ",".join(map(str, values)) + "}"
    if kind is str and not nulls:
        joined = _NO_TEXT.join(values)
        if joined.count(_NO_TEXT) == len(values) - 1:
            quoted = joined.replace("\\", "\\\\").replace('"', '\\"').replace(_NO_TEXT, '","')
            return f'{{"{quoted}"}}'
    if kind is bytes and not nulls:
        return '{"\\\\x' + '","\\\\x'.join([value.hex() for value in values]) + '"}'
    return "{" + ",".join(map(_element, values)) + "}"


_NO_TEXT = "\0"
"""What no text in PostgreSQL contains."""


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        if "\\" in value or '"' in value:
            value = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{value}"'
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    return str(value)


def _json_text(value: Any) -> str | None:
    if value is None:
        return None
    return _encode(value).decode() if value else "[]"


_ROW_TYPES = {struct: RowType(struct, table) for struct, table in (STOCK_TABLES | SALE_TABLES).items()}


def row_type(struct: type[Any]) -> RowType:
    """The row type of a struct of STOCK_TABLES or SALE_TABLES."""
    return _ROW_TYPES[struct]


def read_row(struct: type[Any], row: Sequence[Any]) -> Any:
    """The struct of a row whose columns stand in the order of the struct's fields."""
    return row_type(struct).read(row)


def record_row(org_id: str, table: sa.Table, record: Any) -> dict[str, Any]:
    """A document's row: its struct's fields that are columns, nested ones as plain lists and dicts."""
    fields = msgspec.to_builtins(record)
    return {"org_id": org_id, **{name: fields[name] for name in fields if name in table.c}}


def record_of(struct: type[Any], row: dict[str, Any], table: sa.Table) -> Any:
    """A document's struct from its row as a mapping; JSON columns may be text still."""
    fields = dict(row)
    for column in table.c:
        if isinstance(column.type, sa.JSON) and isinstance(fields.get(column.name), str):
            fields[column.name] = json.loads(fields[column.name])
    org_id = fields.pop("org_id", None)
    if "id" not in fields and org_id is not None:
        fields["id"] = org_id
    return msgspec.convert(fields, learned(struct), strict=False)
