"""A route of the API as data, and one call of it.

    Route("POST", "/api/v1/receipts", "Receive goods", plan=receive, body=ReceiptBody, answer=ReceiptDocument,
          permission=Permission.STOCK, status=201, codes=(Code.PRODUCT_NOT_FOUND, ...), example={...})

One table of these drives both the dispatch of requests and the OpenAPI document, so neither can forget the other. A
route is either a write, with a `plan` that makes a command of the call, or a read, with an `answer_with` that asks the
reports. Its query parameters are the fields of its filter, which is that of its list unless it names another one, and
those that many reads share (`query`); it refuses others.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, NamedTuple, get_origin

import msgspec

from holdfast.access import Actor, Permission
from holdfast.app import Holdfast
from holdfast.core.records.command import Command
from holdfast.core.records.rejection import Code, Rejected
from holdfast.core.records.text import uuid_text
from holdfast.db.queries.filters import EVERYTHING, Everything, Filter
from holdfast.reports import LIMIT_DEFAULT, Listing, ListOf
from holdfast.web.http.problems import UNAUTHORIZED, Problem, not_found
from holdfast.web.http.query_string import CURSOR, LIMIT, PAGED, STORE, Parameter, filter_of, parameters_of, values_of
from holdfast.web.http.request_body import Receive
from holdfast.web.http.response import Answer
from holdfast.web.http.secret_fields import secret_fields, tells_secret
from holdfast.web.http.serving import Serving
from holdfast.web.http.strict_json import BODY_MAX, Nothing, decoder_of
from holdfast.web.identity.auth import Auth
from holdfast.web.identity.security_log import Origin
from holdfast.web.identity.till_cookie import ShownTill

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode


class PlannedCommand(msgspec.Struct, frozen=True):
    """A command together with how its answer is rendered, where that depends on the call."""

    command: Command
    render: Callable[[Any], bytes]
    finish: Callable[[bytes], bytes] | None = None
    """Adds to the response what may not be kept under an idempotency key; not called for a replay."""

    means: str = ""
    """What the call came to beside its words (whose PIN it was, who `me` is): with another it is another request."""

    set_cookies: tuple[str, ...] = ()
    """Set-Cookie values that go with the answer when the command was accepted, but not with a replay."""

    set_again: bool = False
    """They go with a replay as well: they are those of this very call, not of the first one."""


class Call:
    """One request of a route: who asks (`actor`), and what, decoded and tested."""

    __slots__ = (
        "actor",
        "args",
        "auth",
        "body",
        "browser_session",
        "filter",
        "headers",
        "key",
        "origin",
        "query",
        "request_id",
        "seen",
        "shop",
        "store_id",
        "stores",
        "till",
    )
    auth: Auth
    """Who keeps sessions, PINs and turns at hashing."""

    origin: Origin
    """Where the request came from."""

    headers: Mapping[bytes, bytes]
    """The headers of the request."""

    till: ShownTill | None
    """The till that the browser's cookie shows, where the call came by it."""

    seen: frozenset[str] | None
    """The stores whose free units who asks may read of, whatever the call is narrowed to; None: of all."""

    browser_session: str
    """The SHA-256 of the token of the caller's browser session; empty for other callers."""

    def __init__(self, shop: Holdfast, actor: Actor, args: dict[str, str], request_id: str, key: str | None) -> None:
        self.shop = shop
        self.actor = actor
        self.args = args
        self.request_id = request_id
        self.key = key
        self.query: dict[str, Any] = {}
        self.filter: Any = EVERYTHING
        self.body: Any = None
        self.store_id: str | None = None
        self.stores: frozenset[str] | None = frozenset(actor.stores) if actor.stores else None

    def id(self, code: Code | str, what: str, name: str = "id") -> str:
        """The path's id as a UUID text; what is none names nothing that exists."""
        found = uuid_text(self.args[name])
        if found is None:
            raise not_found(code, what, self.args[name])
        return found

    def paging(self) -> dict[str, Any]:
        """`cursor` and `limit` as the reports take them."""
        return {"cursor": self.query.get("cursor"), "limit": self.query.get("limit", LIMIT_DEFAULT)}


class Pages:
    """What answers a read of a list: the part that the call asks for, of its stores, narrowed by the route's filter.

    Pages(Reports.sales)      -> GET /sales?status=open&limit=5 answers at most 5 open sales

    A list that is about all stores is refused, with the words `of_all_stores`, to whoever is limited to some.
    """

    __slots__ = ("listing", "of_all_stores")

    def __init__(self, listing: Listing[Any, Any], *, of_all_stores: str = "") -> None:
        self.listing = listing
        self.of_all_stores = of_all_stores

    def __call__(self, call: Call) -> Any:
        """The page."""
        if self.of_all_stores and call.actor.stores:
            raise Problem("FORBIDDEN", self.of_all_stores)
        read = ListOf(self.listing, call.shop.reports)
        return read(call.actor.org_id, call.filter, stores=call.stores, **call.paging())


class Sender(NamedTuple):
    """What a stream is allowed by: the headers that asked for it, and where they came from."""

    headers: dict[bytes, bytes]
    origin: Origin


Stream = Callable[[Serving, Call, Sender, Receive, Answer], Awaitable[None]]
"""Answers a call with what comes, until somebody stops."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route, for the dispatcher and for the documentation."""

    method: Method
    path: str
    summary: str
    """What it does, in one line of the documentation."""

    tag: str
    """The part of the documentation in which it stands."""

    permission: Permission | None
    """What a caller needs; None: nothing but to be known."""

    plan: Callable[[Call], Command | PlannedCommand] | None = None
    """Of a write: the command of the call."""

    answer_with: Callable[[Call], Any] | None = None
    """Of a read: the document of the call."""

    stream: Stream | None = None
    """Answers a caller who asks for a stream."""

    body: type[Any] = Nothing
    takes: str = ""
    """The media type of a body that is no JSON: the plan is given its bytes."""

    download: str = ""
    """The media type of a file that it answers, as a `Download`."""

    answer: Any = None
    """The type of what it answers, several in a tuple, or a list of one type for a page of those."""

    render: Callable[[Any], bytes] = encode
    """Makes the body of the answer. It runs in the writer, inside the transaction: the body is kept under the key.
    It reads nothing, and is quick."""

    status: int = 200
    codes: tuple[str, ...] = ()
    """Its own codes, besides those that every route has."""

    filter: type[Filter] | None = None
    query: tuple[Parameter, ...] = ()
    example: Any = None
    answer_example: Any = None
    body_max: int = BODY_MAX
    looks_up: bool | Callable[[Call], bool] = False
    """The plan asks the database, so it runs in a thread; a function says of which calls it does."""

    hide: Callable[[Any], Any] | None = None
    """Takes out of the answer of a read what only managers may see."""

    explain: Callable[[Call, Rejected], Rejected] | None = None
    """Adds to a refusal of the core what helps to go on, read without a lock."""

    after: Callable[[Call, Any], None] | None = None
    """Is given the answer of a command that was accepted, but not that of a replay."""

    of_all_stores: bool = False
    """It changes what all stores share: a caller of single stores may not."""

    till: bool = False
    """It needs the token of an open register session."""

    till_too: bool = False
    """Who has one needs no other permission than to read, and hears less."""

    ends_till: bool = False
    """The token of the register session is dead afterwards."""

    missing: Callable[[Call], None] | None = None
    """Raises the 404 of what the call names and does not exist. It is asked when the plan found that something has no
    meaning, because a 404 comes first."""

    audited: bool = False
    """The audit log says from where it was asked, as of all routes that need a manager."""

    about: str = ""
    """More about it, in the documentation."""

    @property
    def writes(self) -> bool:
        """Does it change something?"""
        return self.method != "GET"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its query parameters: what its filter has, then those that it shares with other reads."""
        return (*parameters_of(self.filter_type), *self.query)

    @property
    def filter_type(self) -> type[Filter]:
        """The Struct into which its query string is decoded."""
        own = self.answer_with.listing.filter_type if isinstance(self.answer_with, Pages) else Everything
        return self.filter or own

    @property
    def array(self) -> bool:
        """Does it answer a bare array? Then `answer_with` answers a Page (`holdfast.web.http.arrays`)."""
        return get_origin(self.answer) is list

    @property
    def name(self) -> str:
        """Its name in the OpenAPI document and in the metrics: `POST /api/v1/receipts` is `post_receipts`."""
        words = re.sub(r"[^a-z0-9]+", "_", self.path.lower().removeprefix("/api/v1")).strip("_")
        return f"{self.method.lower()}_{words}"


class Endpoint:
    """A route made ready: its decoder, and the parameters it knows by name."""

    __slots__ = ("decoder", "filter_type", "name", "needs_body", "parameters", "route", "secret")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.name = route.name
        self.decoder = decoder_of(route.body)
        self.filter_type = route.filter_type
        # Whatever a route does, `store_id` narrows it to one store, as the header X-Store does.
        self.parameters = {STORE.name: STORE} | {one.name: one for one in route.parameters}
        self.secret = bool(secret_fields(route.body)) or tells_secret(route.answer)
        self.needs_body = any(field.required for field in msgspec.structs.fields(route.body))

    def query(self, query_string: bytes) -> dict[str, Any]:
        """The query's parameters by name, converted; a Problem names what is wrong."""
        return values_of(self.parameters, query_string)

    def filter(self, values: Mapping[str, Any]) -> Filter:
        """The filter that the query's parameters are."""
        return EVERYTHING if self.filter_type is Everything else filter_of(self.filter_type, self.parameters, values)


def reference(text: str) -> str:
    """The id (in lower case) or SKU that names a product: no SKU looks like a UUID."""
    return uuid_text(text) or text if len(text) == 36 else text


def found(value: Any, code: Code | str, what: str, name: str) -> Any:
    """The value, or the 404 of its noun when there is none."""
    if value is None:
        raise not_found(code, what, name)
    return value


def require_rights(route: Route, actor: Actor) -> None:
    """Refuse a caller who may not use the route at all: before the body is read, so that none is held in memory."""
    if route.till and actor.session_id is None:
        raise Problem(
            UNAUTHORIZED,
            "This needs an open register session: Authorization: Register <token>.",
            headers={"WWW-Authenticate": 'Register realm="Holdfast"'},
        )
    if route.till_too and actor.session_id is not None and actor.has(Permission.READ):
        return
    if route.permission is not None and not actor.has(route.permission):
        raise Problem("FORBIDDEN", actor.lacks(route.permission))
    if route.of_all_stores and actor.stores:
        raise Problem("FORBIDDEN", "This is about all stores; you are assigned to some.")


__all__ = [
    "CURSOR",
    "LIMIT",
    "PAGED",
    "STORE",
    "Call",
    "Endpoint",
    "Pages",
    "Permission",
    "PlannedCommand",
    "Problem",
    "Route",
    "encode",
    "found",
    "reference",
    "require_rights",
    "uuid_text",
]
