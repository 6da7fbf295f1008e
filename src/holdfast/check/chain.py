"""The check of the chains: each level's ledger from its first entry to its head, and beside heads of an earlier day.

Entries without a link come first and are compared with the seal of their level, if it has one; then run follows run.
A run that does not fit is told once, by its last entry, and the next is measured by the link that stands there: so each
place that was rewritten is named, and only the first of what a rewritten link spoils.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from holdfast.check.run import Key, Merged, Run, Tally
from holdfast.core.records.ledger import Entry
from holdfast.core.records.stock import Level
from holdfast.db.audit_rows import Snapshot
from holdfast.db.audit_shapes import Head, Seal, Stored
from holdfast.db.batch.chain import WITHIN, begin, link_of
from holdfast.db.batch.rows import content

EXPORTED = "ledger is as it was exported"


class _Known:
    """What is known of a level beforehand: the seals of its older entries, by count, and its heads, by entry."""

    def __init__(self, seals: list[Seal], heads: list[Head]) -> None:
        self.seals = {one.entries: one.digest.hex() for one in seals}
        self.heads = {one.entries: one.head for one in heads if one.head is not None}
        self.exported = {one.older: one.sealed for one in heads if one.older is not None}
        self.entries = max((one.entries for one in heads), default=0)


class ChainCheck(Run):
    """Follows the ledger of one level after the other, in the order of the levels."""

    def __init__(self, rows: Snapshot, org_id: str | None, tally: Tally, heads: Iterable[Head]) -> None:
        super().__init__(rows, org_id, tally)
        own = (head for head in heads if org_id is None or head.org_id == org_id)
        self._seals = Merged(rows.seals(org_id), lambda seal: (seal.org_id, seal.level_id))
        self._heads = Merged(own, lambda head: (head.org_id, head.level_id))

    def before(self, key: Key | None) -> None:
        """Seals and exported heads of levels that are not there."""
        for seal in self._seals.before(key):
            self._tell("ledger_seal.level", f"ledger_seal {seal.level_id}", seal.level_id, None, org_id=seal.org_id)
        for head in self._heads.before(key):
            where = {"org_id": head.org_id, "sku": head.sku, "location": head.location}
            expected = f"{head.entries} entries that were there when the heads were exported"
            self._tell(EXPORTED, f"level {head.level_id}", expected, "no level", **where)

    def of(self, row: Stored, level: Level, entries: Iterable[Stored]) -> Iterator[Stored]:
        """The level's entries, unchanged, while their chain is followed."""
        key = (row.org_id, str(row.raw[1]))
        known = _Known(list(self._seals.of(key)), list(self._heads.of(key)))
        chain = _Chain(self, row, key, known)
        for entry in entries:
            chain.follow(entry)
            yield entry
        chain.end(level)

    def differs(self, invariant: str, name: str, expected: object, found: object, level: Stored) -> None:
        """A mismatch at a level, unless the two are equal."""
        sku, location = level.beside[:2]
        self._same(invariant, name, expected, found, org_id=level.org_id, sku=sku, location=location)


class _Chain:
    """The ledger of one level as it is followed."""

    def __init__(self, check: ChainCheck, row: Stored, key: Key, known: _Known) -> None:
        self._check, self._row, self._known = check, row, known
        self._level_id = key[1]
        self._link: bytes = begin(*key)
        self._digest: bytes = self._link
        self._head: bytes | None = None
        self._run: list[bytes] = []
        self._first = 0
        self._older = self._entries = 0

    def follow(self, row: Stored) -> None:
        """Go on by one entry."""
        entry: Entry | None = row.struct
        link = _as_bytes(row.beside[0])
        self._entries += 1
        told = b"" if entry is None else content(entry)
        if link is None and self._head is None and not self._run:
            self._older += 1
            self._digest = link_of(self._digest, (told,))
            self._is_exported(self._older, self._digest)
            return
        if not self._run:
            self._first = self._entries
        self._run.append(told)
        if link == WITHIN:
            return
        name = f"ledger {row.raw[1]}"
        made = link_of(self._link, self._run)
        self._tell_run(name, made, link)
        if link is not None:
            self._head = self._link = link
        self._run = []
        if (head := self._known.heads.pop(self._entries, None)) is not None:
            self._differs(EXPORTED, name, head, "no link" if link is None else link.hex())

    def end(self, level: Level) -> None:
        """After the last entry: is the level's head its link, and was nothing cut off?"""
        name = f"level {self._level_id}"
        if self._run:
            ended = f"entry {self._entries} ends a run"
            self._differs("ledger.link", name, ended, f"entries {self._first} to {self._entries} without a link")
        self._differs("level.head is its last link", name, _shown(self._head), _shown(_as_bytes(level.head)))
        for count, digest in self._known.seals.items():
            found = self._digest.hex() if count == self._older else f"{self._older} entries without a link"
            self._differs("ledger.seal", name, digest, found)
        if self._known.entries > self._entries:
            self._differs(EXPORTED, name, f"{self._known.entries} entries", f"{self._entries} entries")
            return
        for count, head in self._known.heads.items():
            self._differs(EXPORTED, name, f"link {head} after entry {count}", "no link there")
        for count, sealed in self._known.exported.items():
            found = f"{self._older} entries without a link"
            self._differs(EXPORTED, name, f"{count} entries without a link that come to {sealed}", found)

    def _tell_run(self, name: str, made: bytes, found: bytes | None) -> None:
        if made == found:
            return
        which = f"entry {self._first}" if self._first == self._entries else f"entries {self._first} to {self._entries}"
        self._differs("ledger.link", name, f"link {made.hex()} of {which}", f"link {_shown(found)}")

    def _is_exported(self, count: int, digest: bytes) -> None:
        if (sealed := self._known.exported.pop(count, None)) is not None:
            self._differs(EXPORTED, f"level {self._level_id}", sealed, digest.hex())

    def _differs(self, invariant: str, name: str, expected: object, found: object) -> None:
        self._check.differs(invariant, name, expected, found, self._row)


def _as_bytes(link: Any) -> bytes | None:
    """A link as it is stored; SQLite keeps whatever it is given."""
    return link if link is None or isinstance(link, bytes) else str(link).encode()


def _shown(link: bytes | None) -> str:
    return "none" if link is None else link.hex()
