"""One consistent view of an organisation, from which every report is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from holdfast.core.records.catalog import Catalog
from holdfast.db.engine import Database
from holdfast.db.queries.catalog import Catalogs

Stores = frozenset[str] | None
"""The stores that an answer is limited to; None: all."""

LIMIT_DEFAULT = 50
"""Items of a page when nobody says."""

T = TypeVar("T")
P = ParamSpec("P")


class View:
    """What all reports share: a database, and what is known of its catalogs."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._catalogs = Catalogs()

    def _read(
        self,
        org_id: str,
        otherwise: T,
        query: Callable[Concatenate[Any, Catalog, P], T],
        *arguments: P.args,
        **options: P.kwargs,
    ) -> T:
        """A query's answer from one consistent view, or `otherwise` when there is no such organisation."""
        with self.database.reading() as connection:
            catalog = self._catalogs.of(connection, org_id)
            return otherwise if catalog is None else query(connection, catalog, *arguments, **options)


def instant(now: int | None) -> int:
    """The instant that decides what is dead: the given one (microseconds since 1970), or the clock's."""
    return time.time_ns() // 1000 if now is None else now
