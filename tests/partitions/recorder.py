"""Explain each statement that the product sends to PostgreSQL once, where every table lies in partitions.

    recorder = Recorder(url)        # of an empty database that tests.partitions.schema has partitioned
    with recorder.listening():
        ...                         # whatever the product does, on any database of this process
        recorder.assert_routed("tests/db/test_reports.py::test_levels")

A statement that touches more than one partition is wide: a distributed PostgreSQL would have to ask every machine, and
refuses some of them. `assert_routed` raises with each wide statement that `tests.partitions.allowed` does not name. The
plan is made with the parameters that were sent, as for a statement that is not prepared: what a generic plan prunes
only while it runs ("Subplans Removed") is pruned in it from the beginning, and no setting of a session plays a part.

A statement that changes or removes rows of an append-only table fails as well. What tests send themselves is not looked
at, nor what migrations send, which run once and for everybody.
"""

from __future__ import annotations

import functools
import re
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import psycopg

import holdfast
from holdfast.db.schema import APPEND_ONLY
from tests.partitions.allowed import ALLOWED, Allowed

PRODUCT = str(Path(holdfast.__file__).parent)
TESTS = str(Path(__file__).parent.parent)
MIGRATIONS = (f"{PRODUCT}/db/migrate", f"{PRODUCT}/db/migrations/", f"{PRODUCT}/db/roles")
"""Files of the product that change the tables, of everybody at once."""

_EXPLAINED = re.compile(r"\s*\(?\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
_NOT_EXPLAINED = re.compile(r"\s*(?:(?:BEGIN|COMMIT|ROLLBACK|SET|RESET|SHOW|ANALYZE)\b|;$)", re.IGNORECASE)
_LIST = re.compile(r"\((?:%\(\w+\)s(?:::\w+)?,? ?)+\)")
"""What SQLAlchemy makes of a list of values: as many parameters as there are values."""

_NUMBER = re.compile(r"\b[0-9]{10,}\b")
"""An instant within a statement."""

_MANY_ORGANISATIONS = re.compile(r"\borg_id\b\W*(?:,[\w\s.]+\)\s*)?(?:IN\b|=\s*ANY\b)", re.IGNORECASE)
"""A list of organisations is wide, also where a test has one organisation in it."""


_TABLES = "|".join(APPEND_ONLY)
_REWRITES = re.compile(
    rf"\b(?:UPDATE|DELETE\s+FROM)\s+(?:{_TABLES})\b|\bINSERT\s+INTO\s+(?:{_TABLES})\b.*\bDO\s+UPDATE\b",
    re.IGNORECASE | re.DOTALL,
)
_MAY_REWRITE = re.compile(
    "|".join(rf"UPDATE {table} SET (?:{'|'.join(names)})\s*=" for table, names in APPEND_ONLY.items() if names)
)
"""What of append-only tables may be changed after all."""


class NotRouted(AssertionError):
    """A statement of the product touches more than one partition, cannot be explained, or rewrites what was written;
    the message has both."""


class SentStatement(NamedTuple):
    """A statement with the parameters of the first time, and the function of the product that sent it."""

    sql: str
    parameters: Any
    sender: str


class Recorder:
    """Remembers the statements of this process and explains them on the database behind `url`."""

    def __init__(self, url: str, allowed: Sequence[Allowed] = ALLOWED) -> None:
        self._connection = psycopg.connect(url, autocommit=True, prepare_threshold=None)
        self._allowed = allowed
        self._partition_of: dict[str, int] = dict(
            self._connection.execute(
                "SELECT c.relname, substring(c.relname FROM '[0-9]+$')::integer FROM pg_class c WHERE c.relispartition "
                "AND c.relkind = 'r'"
            ).fetchall()
        )
        assert self._partition_of, "the database has no partitions"
        self._lock = threading.Lock()
        self._seen: set[tuple[str, bool]] = set()
        self._waiting: list[SentStatement] = []
        self.explained = 0
        self.wide: dict[Allowed, list[SentStatement]] = {}
        """The wide statements that are allowed, by what allows them."""

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear every statement of this process while it lasts."""
        changed = [
            (kind, name) for kind in (psycopg.Cursor, psycopg.ServerCursor) for name in ("execute", "executemany")
        ]
        real = [getattr(kind, name) for kind, name in changed]
        for (kind, name), function in zip(changed, real, strict=True):
            setattr(kind, name, _overheard(function, self, many=name == "executemany"))
        try:
            yield
        finally:
            for (kind, name), function in zip(changed, real, strict=True):
                setattr(kind, name, function)

    def note(self, query: Any, parameters: Any, caller: FrameType | None) -> None:
        """Remember a statement until the next `assert_routed`, if the product sends it and it is new."""
        if not isinstance(query, str):
            return
        named = isinstance(parameters, Mapping) and "org" in parameters
        kind = (_plain(query), named)
        if kind in self._seen:
            return
        sender = _sender(caller)
        if sender is None:
            return
        with self._lock:
            self._seen.add(kind)
            self._waiting.append(SentStatement(query, parameters, sender))

    def assert_routed(self, test: str) -> None:
        """Explain what is new since the last time; raise NotRouted with every statement that is wide."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        faults = [fault for sent in waiting if (fault := self._fault(sent)) is not None]
        if faults:
            raise NotRouted("\n\n".join([f"Sent while {test} ran:", *faults]))

    def forget(self) -> None:
        """Leave what was sent since the last `assert_routed` unexplained."""
        with self._lock:
            self._waiting.clear()

    def _fault(self, sent: SentStatement) -> str | None:
        """What is wrong with a statement, in words."""
        if _NOT_EXPLAINED.match(sent.sql):
            return None
        if not _EXPLAINED.match(sent.sql):
            return f"{sent.sender} sends a statement of a kind that this module does not know:\n{sent.sql}"
        if _REWRITES.search(_MAY_REWRITE.sub("", sent.sql)):
            return f"{sent.sender} rewrites a table that is append-only:\n{sent.sql}"
        try:
            partitions = self._partitions(sent)
        except psycopg.Error as error:
            return f"{sent.sender} sends a statement that cannot be explained ({error}):\n{sent.sql}"
        self.explained += 1
        many = _MANY_ORGANISATIONS.search(sent.sql) is not None
        if len(partitions) <= 1 and not many:
            return None
        reason = next((entry for entry in self._allowed if entry.allows(sent.sender, named=_named(sent))), None)
        if reason is not None:
            self.wide.setdefault(reason, []).append(sent)
            return None
        touched = "names a list of organisations" if many else f"touches the partitions {sorted(partitions)}"
        return f"{sent.sender} sends a statement that {touched}:\n{sent.sql}"

    def _partitions(self, sent: SentStatement) -> set[int]:
        """The numbers of the partitions in the plan; partitions of different tables with one number lie together."""
        explained = self._connection.execute("EXPLAIN (FORMAT JSON) " + sent.sql, sent.parameters).fetchone()
        assert explained is not None
        names = set(_relations(explained[0]))
        return {self._partition_of[name] for name in names if name in self._partition_of}


@functools.lru_cache(maxsize=10_000)
def _plain(query: str) -> str:
    """The statement without what differs between two of the same kind: the lengths of lists, and instants."""
    return _NUMBER.sub("0", _LIST.sub("(...)", query))


def _named(sent: SentStatement) -> bool:
    """Does the statement have a parameter `org`?"""
    return isinstance(sent.parameters, Mapping) and "org" in sent.parameters


def _relations(plan: Any) -> Iterator[str]:
    """The tables that a plan reads or changes, as often as it does."""
    if isinstance(plan, dict):
        if "Relation Name" in plan:
            yield plan["Relation Name"]
        for part in plan.values():
            yield from _relations(part)
    elif isinstance(plan, list):
        for part in plan:
            yield from _relations(part)


def _overheard(function: Any, recorder: Recorder, *, many: bool) -> Any:
    def execute(cursor: Any, query: Any, params: Any = None, *more: Any, **options: Any) -> Any:
        if many:
            params = list(params)
            recorder.note(query, params[0] if params else None, sys._getframe(1))
        else:
            recorder.note(query, params, sys._getframe(1))
        return function(cursor, query, params, *more, **options)

    return execute


def _sender(frame: FrameType | None) -> str | None:
    """The nearest function of the product on the way here; None when tests or migrations are nearer."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(TESTS) or file.startswith(MIGRATIONS):
            return None
        if file.startswith(PRODUCT):
            return f"{frame.f_globals['__name__']}.{frame.f_code.co_qualname}"
        frame = frame.f_back
    return None
