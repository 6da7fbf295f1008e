"""The hold index: which of the holds that a batch has loaded or made belong to a level, target, sale line or order.

    index.of("level_id", level.id)        -> those holds, as they stand now
    index.of("sale_line_id", line.id)

It is built when somebody asks first, and kept up from then on: most batches never ask. It knows only what is loaded;
`Stock` merges it with what the database answered.
"""

from __future__ import annotations

from typing import Literal

from holdfast.core.records.stock import Reservation

Field = Literal["level_id", "reserved_for_id", "sale_line_id", "order_number"]
_FIELDS: tuple[Field, ...] = ("level_id", "reserved_for_id", "sale_line_id", "order_number")


class HoldIndex:
    """Holds by one of their fields. `holds` is the working set's own dictionary, by id."""

    def __init__(self, holds: dict[str, Reservation]) -> None:
        self._holds = holds
        self._ids: dict[tuple[Field, str], dict[str, None]] | None = None

    def add(self, hold: Reservation) -> None:
        """A hold was loaded, made or changed."""
        if self._ids is not None:
            self._put(self._ids, hold)

    def of(self, field: Field, value: str) -> list[Reservation]:
        """The holds whose field has the value now, in the order in which they became known."""
        ids = self._ids
        if ids is None:
            ids = self._ids = {}
            for hold in self._holds.values():
                self._put(ids, hold)
        found = (self._holds.get(name) for name in ids.get((field, value), ()))
        return [hold for hold in found if hold is not None and getattr(hold, field) == value]

    @staticmethod
    def _put(ids: dict[tuple[Field, str], dict[str, None]], hold: Reservation) -> None:
        for field in _FIELDS:
            value = getattr(hold, field)
            if value is not None:
                ids.setdefault((field, value), {})[hold.id] = None
