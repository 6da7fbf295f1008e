"""What a job hears of its file's rows, and keeps.

    rows = JobRows(database, job, ask)
    rows.begin()                                    -> reads what was kept before a crash
    import_products(..., rows=rows, progress=rows.progress)
    rows.finish()                                   -> writes the rest

Each command of an import goes with a key; what it came to is kept under the key in the command's own transaction. What
a crash has swallowed is found there again: a row that is known is passed over (`is_done`), so none is taken twice.
A dry run happens to a copy: it is begun anew after a crash, and its rows name nothing that is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec

from holdfast.core.fingerprint import OWN_KEY
from holdfast.db.engine import Database
from holdfast.db.imports import COUNTS, Job, forget_rows, keep_rows, rows_of, said_of
from holdfast.import_export.rows import Describe, FileRow, KeptRows, Rows, decode_kept
from holdfast.import_export.rows import rows_of as several

FLUSH_ROWS = 500
"""So many rows are written together."""

FLUSH_SECONDS = 1.0
"""After so long, fewer."""

DETAIL_CHARACTERS_MAX = 2_000
"""Most characters that are kept of what is said about a row."""

_encode = msgspec.json.Encoder().encode


class LeaseLost(Exception):
    """Another worker has the job."""


class JobRows(Rows):
    """The listener of a job. `ask` is called between two pieces: it raises what ends the work.

    Its pieces are small: others of the organisation wait for the batch that a piece is.
    """

    piece = 100

    def __init__(self, database: Database, job: Job, ask: Callable[[], None]) -> None:
        self._database = database
        self._job = job
        self._ask = ask
        self._position = 0
        self._counts = dict.fromkeys(COUNTS, 0)
        self._done: set[tuple[int, str]] = set()
        self._waiting: list[dict[str, Any]] = []
        self._written = time.monotonic()

    def begin(self) -> None:
        """Read what is known of the rows, from an earlier worker."""
        job = self._job
        if not forget_rows(self._database, job, all_of_them=job.dry_run):
            raise LeaseLost
        if job.dry_run:
            return
        for part in rows_of(self._database, job.org_id, job.id):
            for row in part:
                self._position = row["position"] + 1
                self._done.add((row["line"], row["subject"]))
                self._count(row["state"], row["last_line"] - row["line"] + 1, row["waiting"], row["unmapped"])
        self._recover()
        self._flush()

    def finish(self) -> None:
        """Write what is not written yet, and what another worker has done meanwhile."""
        if not self._job.dry_run:
            self._recover()
        self._flush()

    def progress(self, _lines: int) -> None:
        """Hear that a piece is done."""
        if len(self._waiting) >= FLUSH_ROWS or time.monotonic() - self._written >= FLUSH_SECONDS:
            self._flush()
        self._ask()

    def _recover(self) -> None:
        for said in said_of(self._database, self._job):
            self.tell(*decode_kept(said).rows)

    # Rows ------------------------------------------------------------------------------------------------------------

    def is_done(self, line: int, subject: str) -> bool:
        """Was this row taken before by the same import, which was interrupted?"""
        return (line, subject) in self._done

    def key(self, line: int, subject: str) -> dict[str, str]:
        """The key, and what it stands for, of the command that takes the row."""
        said = sha256(f"{line}\0{subject}".encode()).hexdigest()
        return {"key": f"{OWN_KEY}import:{self._job.id}:{said}", "fingerprint": said}

    def render(self, describe: Describe) -> Callable[[Any], bytes] | None:
        """What is kept of the answer to a command: what became of its rows."""
        if self._job.dry_run:
            return None
        return lambda answer: _encode(KeptRows(self._job.id, several(describe(answer))))

    def tell(self, *rows: FileRow) -> None:
        """Hear what became of rows; of one that is known nothing is heard again."""
        for row in rows:
            if row.state not in ("note", "refused"):
                if (row.line, row.subject) in self._done:
                    continue
                self._done.add((row.line, row.subject))
            self._count(row.state, max(row.last_line - row.line, 0) + 1, row.waiting, row.unmapped)
            self._waiting.append(self._fields(row))
            self._position += 1

    def _count(self, state: str, lines: int, waiting: int, unmapped: int) -> None:
        if state == "note":
            return
        self._counts[state] += 1
        self._counts["done"] = min(self._counts["done"] + lines, self._job.lines)
        self._counts["waiting"] += waiting
        self._counts["unmapped"] += unmapped

    def _fields(self, row: FileRow) -> dict[str, Any]:
        real = not self._job.dry_run
        return {
            "position": self._position,
            "line": row.line,
            "last_line": max(row.last_line, row.line),
            "state": row.state,
            "subject": row.subject,
            "field": row.field,
            "detail": None if row.detail is None else row.detail[:DETAIL_CHARACTERS_MAX],
            "made": msgspec.to_builtins(row.made) if real else [],
            "changes": msgspec.to_builtins(row.changes),
            "undo": msgspec.to_builtins(row.undo) if real else {},
            "waiting": row.waiting,
            "unmapped": row.unmapped,
        }

    def _flush(self) -> None:
        if not keep_rows(self._database, self._job, self._counts, self._waiting):
            raise LeaseLost
        self._waiting = []
        self._written = time.monotonic()
