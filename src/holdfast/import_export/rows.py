"""What became of the rows of a file, told while it is imported to whoever listens.

    rows.tell(FileRow(7, "refused", field="price", detail="price '12,x' is no amount ..."))
    shop.submit(actor, command, **rows.key(7, "MUG-1"), render=rows.render(lambda made: FileRow(7, "added", ...)))

`Rows` listens to nothing: the command line. A job's listener (`jobs`) keeps what it hears, and gives each command a key
under which what it came to is kept in the command's own transaction: what a crash swallows is found again there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from holdfast.core.records.learned_type import learned
from holdfast.executor import Reply

RowState = Literal["added", "changed", "unchanged", "refused", "note"]


class Made(msgspec.Struct, frozen=True, gc=False):
    """Something that a row made or changed: a product, receipt, entry, count, sale, return."""

    kind: str
    id: str


class FileRow(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A row of the file, or several that belong together (`line` to `last_line`), and what became of it.

    `subject` is what it is about, `field` the column that is wrong. `changes` are old and new by field; `undo` says how
    it is taken back (`take_back`), empty where it is not. `waiting` and `unmapped` are how many lines of an order wait
    for stock, and for somebody to say which product they are.
    """

    line: int
    state: RowState
    subject: str = ""
    last_line: int = 0
    field: str | None = None
    detail: str | None = None
    made: tuple[Made, ...] = ()
    changes: dict[str, tuple[Any, Any]] = {}
    undo: dict[str, Any] = {}
    waiting: int = 0
    unmapped: int = 0


class KeptRows(msgspec.Struct, frozen=True, gc=False):
    """What is kept under the key of a command: of which import it was, and what became of its rows."""

    import_id: str = msgspec.field(name="import")
    rows: tuple[FileRow, ...] = ()


decode_kept = msgspec.json.Decoder(learned(KeptRows)).decode

Describe = Callable[[Any], FileRow | tuple[FileRow, ...]]
"""What became of the rows of a command, by its answer."""


class Rows:
    """A listener that keeps nothing. `piece` is how many lines are on their way at once: enough for full batches."""

    piece = 500

    def is_done(self, line: int, subject: str) -> bool:
        """Was this row taken before by the same import, which was interrupted?"""
        return False

    def key(self, line: int, subject: str) -> dict[str, str]:
        """The key, and what it stands for, of the command that takes the row: one row may be about several subjects."""
        return {}

    def render(self, describe: Describe) -> Callable[[Any], bytes] | None:
        """What is kept of the answer to a command that takes rows; None: nothing."""
        return None

    def tell(self, *rows: FileRow) -> None:
        """Hear what became of rows."""

    def answered(self, reply: Reply, describe: Describe) -> None:
        """Hear of the rows of a command that was accepted; a reply that was kept says it itself."""
        if reply.answer is not None:
            self.tell(*rows_of(describe(reply.answer)))
        elif reply.body is not None and reply.body.startswith(b'{"import"'):
            self.tell(*decode_kept(reply.body).rows)


def rows_of(described: FileRow | tuple[FileRow, ...]) -> tuple[FileRow, ...]:
    """One row or several, as several."""
    return described if isinstance(described, tuple) else (described,)
