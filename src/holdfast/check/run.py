"""What the parts of the check share: how a mismatch is told, how rows are read and counted, how streams are merged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from holdfast.db.audit_rows import Snapshot
from holdfast.db.audit_shapes import Stored

PROGRESS_ROWS = 10_000
"""The progress callback hears of so many rows at a time."""

Key = tuple[str, ...]
T = TypeVar("T")


class Mismatch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that is not as it must be. `row` names the table and the key; quantities are smallest units."""

    invariant: str
    org_id: str
    sku: str | None = None
    location: str | None = None
    lot_id: str | None = None
    reservation_id: str | None = None
    expected: str
    found: str
    row: str


class Tally:
    """How far the check is and what it found; `values`: what all lots are worth (minor units), by organisation."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self.total, self.progress = total, progress
        self.checked = 0
        self.mismatches: list[Mismatch] = []
        self.values: dict[str, int] = {}

    def count(self) -> None:
        """One more row was looked at."""
        self.checked += 1
        if self.progress is not None and (self.checked % PROGRESS_ROWS == 0 or self.checked == self.total):
            self.progress(self.checked, self.total)


class Merged(Generic[T]):
    """A sorted stream that is asked for one key after another."""

    def __init__(self, stream: Iterator[T], key: Callable[[T], Key]) -> None:
        self._stream = stream
        self._key = key
        self._next = next(stream, None)

    def before(self, key: Key | None) -> Iterator[T]:
        """What comes before the key (None: everything that is left): nobody asked for it."""
        while self._next is not None and (key is None or self._key(self._next) < key):
            yield self._pop()

    def of(self, key: Key) -> Iterator[T]:
        """What has the key."""
        while self._next is not None and self._key(self._next) == key:
            yield self._pop()

    def _pop(self) -> T:
        assert self._next is not None
        item, self._next = self._next, next(self._stream, None)
        return item


class Run:
    """One part of a check."""

    def __init__(self, rows: Snapshot, org_id: str | None, tally: Tally) -> None:
        self._rows, self._org, self._tally = rows, org_id, tally

    def _tell(self, invariant: str, row: str, expected: object, found: object, **where: Any) -> None:
        self._tally.mismatches.append(
            Mismatch(invariant=invariant, row=row, expected=str(expected), found=str(found), **where)
        )

    def _same(self, invariant: str, row: str, expected: object, found: object, **where: Any) -> None:
        """A mismatch, unless the two are equal."""
        if expected != found:
            self._tell(invariant, row, expected, found, **where)

    def _stored(self, row: Stored, name: str, *, counted: bool = True, **where: Any) -> Any:
        """The struct of a row, its checksum compared; None when the row cannot be read."""
        if counted:
            self._tally.count()
            if not row.intact:
                found = "a row that cannot be read" if row.struct is None else "a row that was changed"
                self._tell("checksum", name, "the row as it was written", found, org_id=row.org_id, **where)
        return row.struct

    def _sound(self, row: Stored, name: str, **where: Any) -> Any:
        """The struct of a row that is as it was written, else None: what else is wrong with it is of no interest."""
        struct = self._stored(row, name, **where)
        return struct if row.intact else None
