"""Loaded rows: the questions of one batch, its levels, and its documents and rows of sales and books.

    stock.require(HoldById(id))          -> the loader's answer; `Missing` when nobody has loaded it yet
    stock.level(product_id, location_id) -> the level, locked
    stock.record("transfer", id)         -> the document, locked

The lower part of the working set (`working_set`). Lots and holds stand on it. Nothing here changes stock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.organisation import Settings
from holdfast.core.records.product import Product
from holdfast.core.records.stock import Level, LevelKey
from holdfast.core.records.wants import LevelAt, Missing, RecordById, Want

T = TypeVar("T")


def _no_random_bits(count: int) -> int:
    """What only looks at stock makes no secrets."""
    raise LookupError(f"nobody handed in a source of {count} random bits")


class LoadedRows:
    """What one batch has loaded and written of everything but lots and holds. `now` is the database's clock (us),
    `new_id` hands out UUIDv7 texts, `random_bits` numbers of so many bits that nobody can guess."""

    def __init__(self, org_id: str, catalog: Catalog, now: int, new_id: Callable[[], str]) -> None:
        self.org_id = org_id
        self.catalog = catalog
        self.now = now
        self.new_id = new_id
        self.random_bits: Callable[[int], int] = _no_random_bits
        self.closed_through_at_load = catalog.settings.books_closed_through
        self.locked: set[LevelKey] = set()
        self.levels: dict[LevelKey, Level] = {}
        self.level_of_id: dict[str, Level] = {}
        self.records: dict[tuple[str, str], Any] = {}
        self.rows: dict[type[Any], dict[str, Any]] = {}
        self._of_sale: dict[tuple[type[Any], str], dict[str, None]] = {}
        self._of_field: dict[tuple[type[Any], str, str], dict[str, None]] = {}
        self._of_kind: dict[str, dict[str, None]] = {}
        self._of_order: dict[tuple[str, str], dict[str, None]] = {}
        self.costs: dict[str, int] = {}
        self.loaded: set[Want] = set()
        self.answers: dict[Want, list[str]] = {}
        # `fresh` and `new_ids` name what the database does not have yet, `born` products and locations among it.
        self.fresh: set[str] = set()
        self.new_ids: set[str] = set()
        self.born: set[str] = set()

    @property
    def settings(self) -> Settings:
        """The organisation's rules."""
        return self.catalog.settings

    def require(self, *wants: Want) -> list[str]:
        """The loader's answer to the first want: ids, or texts as the Want says; asks for all that are not loaded."""
        loaded = self.loaded
        for want in wants:
            if want not in loaded:
                raise Missing([one for one in wants if one not in loaded])
        return self.answers.get(wants[0], []) if wants else []

    def level(self, product_id: str, location_id: str) -> Level | None:
        """The level, locked; None when the product was never at the location."""
        key = (product_id, location_id)
        if key not in self.locked and not self._is_born(product_id, location_id):
            raise Missing((LevelAt(product_id, location_id),))
        return self.levels.get(key)

    def lock_levels(self, pairs: Iterable[LevelKey]) -> None:
        """Ask for all of these levels that are not locked yet, at once; a level need not exist."""
        locked = self.locked
        unknown = {LevelAt(*key) for key in pairs if key not in locked and not self._is_born(*key)}
        if unknown:
            raise Missing(unknown)

    def _is_born(self, product_id: str, location_id: str) -> bool:
        """Did this batch make the product or the location? Then nothing of them lies in the database."""
        return bool(self.born) and (product_id in self.born or location_id in self.born)

    def product_of(self, level: Level) -> Product:
        """The product of a level that was loaded."""
        product = self.catalog.product(level.product_id)
        assert product is not None, level
        return product

    def record(self, kind: str, key: str) -> Any:
        """A document by its id or its natural key, locked; None when there is none."""
        if (kind, key) not in self.records:
            self.require(RecordById(kind, key))
            return None
        return self.records[kind, key]

    def records_of(self, kind: str) -> list[Any]:
        """The documents of a kind that this batch has read or written, as they stand now."""
        found = (self.records.get((kind, key)) for key in self._of_kind.get(kind, ()))
        return [record for record in found if record is not None]

    def unread(self, ids: Iterable[str], *kinds: str) -> set[str]:
        """Those of the ids that are of no document of these kinds that this batch has read or written."""
        return {name for name in ids if not any((kind, name) in self.records for kind in kinds)}

    def row(self, kind: type[T], key: str) -> T | None:
        """A row of sales or books by its id, if it is loaded."""
        return self.rows.get(kind, {}).get(key)

    def row_named(self, key: str | None) -> Any:
        """The row of sales or books with that id, of whichever kind, if it is loaded."""
        if key is None:
            return None
        return next((rows[key] for rows in self.rows.values() if key in rows), None)

    def rows_of(self, kind: type[T]) -> list[T]:
        """Every row of a kind that is loaded."""
        return list(self.rows.get(kind, {}).values())

    def rows_of_sale(self, kind: type[T], sale_id: str) -> list[T]:
        """The rows of a kind that belong to a sale and are loaded."""
        rows = self.rows.get(kind, {})
        return [rows[name] for name in self._of_sale.get((kind, sale_id), ()) if name in rows]

    def rows_with(self, kind: type[T], field: str, value: str) -> list[T]:
        """The rows of a kind that have the value in a field of its `indexed` ones and are loaded."""
        rows = self.rows.get(kind, {})
        return [rows[name] for name in self._of_field.get((kind, field, value), ()) if name in rows]

    def sales_of_order(self, source: str, order_number: str) -> list[Any]:
        """The sales of an identity outside that this batch has loaded or made."""
        ids = self._of_order.get((source, order_number))
        if ids is None:
            return []
        return [row for rows in self.rows.values() for name in ids if (row := rows.get(name)) is not None]

    def know_record(self, kind: str, key: str, record: Any) -> None:
        """A document as it was loaded."""
        self.records.setdefault((kind, key), record)
        self._of_kind.setdefault(kind, {})[key] = None

    def know_row(self, row: Any) -> None:
        """A row of sales or books as it was loaded."""
        self.rows.setdefault(type(row), {}).setdefault(row.id, row)
        self._remember_row(row)

    def _remember_row(self, row: Any) -> None:
        for field in getattr(row, "indexed", ()):
            value = getattr(row, field)
            if value is not None:
                self._of_field.setdefault((type(row), field, value), {})[row.id] = None
        sale_id = getattr(row, "sale_id", None)
        if sale_id is not None:
            self._of_sale.setdefault((type(row), sale_id), {})[row.id] = None
        order_number = getattr(row, "order_number", None)
        if order_number is not None:
            self._of_order.setdefault((row.source, order_number), {})[row.id] = None
        external_id = getattr(row, "external_id", None)
        if external_id is not None:
            self._of_order.setdefault((row.source, external_id), {})[row.id] = None
