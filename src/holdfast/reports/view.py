"""One consistent view of an organisation, and how a query becomes a report.

    sales = Listing(sale_queries.listed, SaleFilter, EMPTY)   reports.sales(org_id, SaleFilter(status="open"), limit=5)
    sale = report(sale_queries.one, None)                     reports.sale(org_id, sale_id, stores=stores)

A report has the name, the arguments and the documentation of its query; nothing is written a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from holdfast.core.records.catalog import Catalog
from holdfast.db.engine import Database
from holdfast.db.queries.catalog import ReadCatalogs
from holdfast.db.queries.filters import Filter
from holdfast.db.queries.paging import LIMIT_DEFAULT, Part, Stores
from holdfast.db.queries.settling import instant

F = TypeVar("F", bound=Filter)
T = TypeVar("T")
P = ParamSpec("P")


class View:
    """What all reports share: a database, and what is known of its catalogs."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._catalogs = ReadCatalogs()

    def read(
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


def report(query: Callable[Concatenate[Any, Catalog, P], T], otherwise: T) -> Callable[Concatenate[View, str, P], T]:
    """The report that asks this query of an organisation; `otherwise` is its answer where there is none."""

    def read(view: View, org_id: str, /, *arguments: P.args, **options: P.kwargs) -> T:
        return view.read(org_id, otherwise, query, *arguments, **options)

    read.__name__, read.__doc__ = query.__name__, query.__doc__
    return read


class Listing(Generic[F, T]):
    """A report that is narrowed by a filter and shown in parts: of a class what the list is, of its object the list."""

    def __init__(self, query: Callable[[Any, Catalog, F, Part], T], filter_type: type[F], otherwise: T) -> None:
        self.query = query
        self.filter_type = filter_type
        self.otherwise = otherwise
        self.__doc__ = query.__doc__

    @overload
    def __get__(self, view: None, owner: type[Any]) -> Listing[F, T]: ...

    @overload
    def __get__(self, view: View, owner: type[Any]) -> ListOf[F, T]: ...

    def __get__(self, view: View | None, owner: type[Any]) -> Listing[F, T] | ListOf[F, T]:
        return self if view is None else ListOf(self, view)


class ListOf(Generic[F, T]):
    """A list of one database, to be called for an organisation."""

    __slots__ = ("listing", "view")

    def __init__(self, listing: Listing[F, T], view: View) -> None:
        self.listing = listing
        self.view = view

    def __call__(
        self,
        org_id: str,
        filters: F | None = None,
        *,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
        now: int | None = None,
        **fields: Any,
    ) -> T:
        """The part of the list that is asked for; a program may give the filter, or its fields by name."""
        assert filters is None or not fields, "the filter or its fields, not both"
        listing = self.listing
        narrowed = listing.filter_type(**fields) if filters is None else filters
        part = Part(stores=stores, cursor=cursor, limit=limit, now=instant(now))
        return self.view.read(org_id, listing.otherwise, listing.query, narrowed, part)
