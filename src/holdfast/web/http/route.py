"""A route of the API as data, and one call of it.

    Route("POST", "/api/v1/receipts", "Receive goods", plan=receive, body=ReceiptBody, answer=ReceiptDocument,
          permission=Permission.STOCK, status=201, codes=(Code.PRODUCT_NOT_FOUND, ...), example={...})

One table of these drives both the dispatch of requests and the OpenAPI document, so neither can forget the other. A
route is either a write, with a `plan` that makes a command of the call, or a read, with an `answer_with` that asks the
reports. It refuses query parameters that it does not name.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Literal, NamedTuple, get_origin
from urllib.parse import parse_qsl

import msgspec

from holdfast.access import Actor, Permission
from holdfast.app import Holdfast
from holdfast.core.records.command import Command
from holdfast.core.records.rejection import Code
from holdfast.core.records.text import FORMAT_WORDS, composed, text_fault, uuid_text
from holdfast.core.records.time import instant_of
from holdfast.reports import LIMIT_DEFAULT, LIMIT_MAX
from holdfast.web.http.problems import Problem, invalid, not_found
from holdfast.web.http.request_body import Receive
from holdfast.web.http.response import Answer
from holdfast.web.http.serving import Serving
from holdfast.web.http.strict_json import BODY_MAX, TEXT_MAX, Nothing, decoder_of, unprintable
from holdfast.web.identity.auth import Auth
from holdfast.web.identity.security_log import Origin

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
QueryKind = Literal["text", "integer", "number", "boolean", "instant", "code", "limit", "cursor"]

CURSOR_MAX = 500
"""Longest cursor, in characters."""

_INTEGER = re.compile(r"-?[0-9]{1,15}")
_NUMBER = re.compile(r"[0-9]{1,13}(\.[0-9]{1,4})?")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}

encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode


class Query(msgspec.Struct, frozen=True):
    """A query parameter. `choices` are all the values that a text may have."""

    name: str
    about: str
    kind: QueryKind = "text"
    required: bool = False
    choices: tuple[str, ...] = ()


LIMIT = Query("limit", f"How many items a page has, 1 to {LIMIT_MAX}; {LIMIT_DEFAULT} by default.", "limit")
CURSOR = Query("cursor", "Where to go on: the `next_cursor` of the page before.", "cursor")
PAGED = (LIMIT, CURSOR)
STORE = Query("store_id", "Only this store (id or code).")


class Planned(msgspec.Struct, frozen=True):
    """A command together with how its answer is rendered, where that depends on the call."""

    command: Command
    render: Callable[[Any], bytes]
    finish: Callable[[bytes], bytes] | None = None
    """Adds to the response what may not be kept under an idempotency key; not called for a replay."""

    means: str = ""
    """What the call came to beside its words (whose PIN it was, who `me` is): with another it is another request."""


class Call:
    """One request of a route: who asks (`actor`), and what, decoded and tested."""

    __slots__ = (
        "actor",
        "args",
        "auth",
        "body",
        "key",
        "origin",
        "query",
        "request_id",
        "session",
        "shop",
        "store_id",
        "stores",
    )
    auth: Auth
    """Who keeps sessions, PINs and turns at hashing."""

    origin: Origin
    """Where the request came from."""

    session: str
    """The SHA-256 of the token of the caller's browser session; empty for other callers."""

    def __init__(self, shop: Holdfast, actor: Actor, args: dict[str, str], request_id: str, key: str | None) -> None:
        self.shop = shop
        self.actor = actor
        self.args = args
        self.request_id = request_id
        self.key = key
        self.query: dict[str, Any] = {}
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


class Sender(NamedTuple):
    """What a stream is allowed by: the headers that asked for it, and where they came from."""

    headers: dict[bytes, bytes]
    origin: Origin


Stream = Callable[[Serving, Call, Sender, Receive, Answer], Awaitable[None]]
"""Answers a call with what comes, until somebody stops."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route. `codes` are its own codes, besides those that every route has.

    `answer` is the type of what it answers, several in a tuple, or a list of one type for a page of those. A plan that
    `looks_up` something in the database runs in a thread. `stream` follows what comes, for who asks for a stream;
    `hide` takes out of the answer what only managers may see; `after` is told of the answer of a command that was
    accepted. `of_all_stores` says that it changes what all stores share, which nobody may who is limited to some;
    `till` that it needs the token of an open register session, `ends_till` that the token is dead afterwards. `missing`
    raises the 404 of what the call names and does not exist; it is asked when the plan found that something has no
    meaning, because a 404 comes first. `audited` ones change what the audit log tells of, as all do that need to be a
    manager.
    """

    method: Method
    path: str
    summary: str
    tag: str
    permission: Permission | None
    plan: Callable[[Call], Command | Planned] | None = None
    answer_with: Callable[[Call], Any] | None = None
    stream: Stream | None = None
    body: type[Any] = Nothing
    answer: Any = None
    render: Callable[[Any], bytes] = encode
    status: int = 200
    codes: tuple[str, ...] = ()
    query: tuple[Query, ...] = ()
    example: Any = None
    answer_example: Any = None
    body_max: int = BODY_MAX
    looks_up: bool = False
    hide: Callable[[Any], Any] | None = None
    after: Callable[[Call, Any], None] | None = None
    of_all_stores: bool = False
    till: bool = False
    ends_till: bool = False
    missing: Callable[[Call], None] | None = None
    audited: bool = False
    about: str = ""

    @property
    def writes(self) -> bool:
        """Does it change something?"""
        return self.method != "GET"

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

    __slots__ = ("decoder", "name", "needs_body", "parameters", "route")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.name = route.name
        self.decoder = decoder_of(route.body)
        # Whatever a route does, `store_id` narrows it to one store, as the header X-Store does.
        self.parameters = {STORE.name: STORE} | {one.name: one for one in route.query}
        self.needs_body = any(field.required for field in msgspec.structs.fields(route.body))

    def query(self, query_string: bytes) -> dict[str, Any]:
        """The query's parameters by name, converted; a Problem names what is wrong."""
        values: dict[str, Any] = {}
        if query_string:
            for name, text in _pairs(query_string):
                parameter = self.parameters.get(name)
                if parameter is None:
                    shown = "" if unprintable(name) else name[:TEXT_MAX]
                    raise invalid(shown or "query", "is not a known parameter.")
                if name in values:
                    raise invalid(name, "is given twice.")
                values[name] = _converted(parameter, text)
        for parameter in self.parameters.values():
            if parameter.required and parameter.name not in values:
                raise invalid(parameter.name, "is required.")
        return values


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise invalid("query", "cannot be read: percent-encode UTF-8.") from None


def _converted(parameter: Query, text: str) -> Any:
    name = parameter.name
    if parameter.kind == "cursor":
        if not text or len(text) > CURSOR_MAX or not text.isascii() or unprintable(text):
            raise invalid(name, "is not a cursor of this list.")
        return text
    if not text or len(text) > TEXT_MAX or (unprintable(text) and parameter.kind != "code"):
        raise invalid(name, f"must have 1 to {TEXT_MAX} characters, none of them control characters.")
    if parameter.kind != "code" and text_fault(name, text) is not None:
        raise invalid(name, FORMAT_WORDS)
    text = composed(text)
    if parameter.choices and text not in parameter.choices:
        raise invalid(name, f"must be one of {', '.join(parameter.choices)}.")
    match parameter.kind:
        case "limit":
            if not _INTEGER.fullmatch(text) or not 1 <= int(text) <= LIMIT_MAX:
                raise invalid(name, f"must be a whole number from 1 to {LIMIT_MAX}.")
            return int(text)
        case "integer":
            if not _INTEGER.fullmatch(text):
                raise invalid(name, "must be a whole number.")
            return int(text)
        case "number":
            if not _NUMBER.fullmatch(text):
                raise invalid(name, "must be a number of at most 4 places, 0 or more.")
            return int(text) if "." not in text else Decimal(text)
        case "boolean":
            if text not in _BOOLEANS:
                raise invalid(name, "must be true or false.")
            return _BOOLEANS[text]
        case "instant":
            at = instant_of(text.replace(" ", "+"))
            if at is None:
                raise invalid(name, "must be an ISO 8601 instant with its offset, as 2030-01-31T12:00:00Z.")
            return at
    return text


def reference(text: str) -> str:
    """The id (in lower case) or SKU that names a product: no SKU looks like a UUID."""
    return uuid_text(text) or text if len(text) == 36 else text


def found(value: Any, code: Code | str, what: str, name: str) -> Any:
    """The value, or the 404 of its noun when there is none."""
    if value is None:
        raise not_found(code, what, name)
    return value


__all__ = [
    "CURSOR",
    "LIMIT",
    "PAGED",
    "STORE",
    "Call",
    "Endpoint",
    "Permission",
    "Planned",
    "Problem",
    "Query",
    "Route",
    "encode",
    "found",
    "reference",
    "uuid_text",
]
