"""The OpenAPI 3.1 document, made from the route table: what is dispatched is what is documented.

    GET /openapi.json      -> {"openapi": "3.1.0", "paths": {"/api/v1/receipts": {"post": {...}}}, ...}

Schemas come from the same Structs that decode the bodies and encode the answers. Every error that a route can answer
is in it, by status, with the codes in its description.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from holdfast import __version__
from holdfast.reports import LIMIT_MAX
from holdfast.web.api import ROUTES
from holdfast.web.http.problems import EXPLAINED, MEDIA_TYPE, STATUS
from holdfast.web.http.query_string import CURSOR_MAX, STORE, Parameter
from holdfast.web.http.route import Route
from holdfast.web.http.strict_json import BODY_MAX, PRINTABLE, TEXT_MAX, Nothing, Quantity
from holdfast.web.identity.cookies import SESSION_COOKIE

Json = dict[str, Any]

COMMON = ("UNAUTHORIZED", "FORBIDDEN", "STORE_NOT_FOUND", "RATE_LIMITED", "INTERNAL_ERROR", "UNAVAILABLE")
"""Codes that every route can answer."""

WRITE = ("INVALID_REQUEST", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "IDEMPOTENCY_KEY_REUSED")
"""Codes that every write can answer."""

INTRODUCTION = """\
Holdfast keeps the one true count of a retailer's stock and holds units for the people they are promised to.

Quantities are plain JSON numbers, exact to the product's precision; money is a decimal string; times are ISO 8601 in
UTC. A `product_id` may be the id or the SKU, a location is its code in any case. Texts have 1 to 200 characters.
Unknown fields and duplicate keys are refused.

Every POST, PUT, PATCH and DELETE takes an `Idempotency-Key`: the same key and request again gets the same answer, with
`Idempotent-Replayed: true`, and changes nothing. Errors are problem documents (RFC 9457) with a `code`, plain words and
the numbers that matter.
"""

_TEXT = {"type": "string", "minLength": 1, "maxLength": TEXT_MAX, "pattern": PRINTABLE}
_HEADERS: Json = {
    "X-Request-Id": {"description": "The id of the request; it is in the log.", "schema": {"type": "string"}}
}
_REPLAYED: Json = {
    "Idempotent-Replayed": {
        "description": "`true` when this answer was given before, to the same Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}


@lru_cache(maxsize=1)
def openapi_document() -> Json:
    """The document."""
    schemas, refs = _schemas()
    paths: dict[str, Json] = defaultdict(dict)
    for route in ROUTES:
        paths[route.path][route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Holdfast", "version": __version__, "description": INTRODUCTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(route.tag for route in ROUTES)],
        "paths": {**paths, **_public_paths()},
        "components": {
            "schemas": {**schemas, "Problem": _problem_schema()},
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key: `hf_...`"},
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
                "register": {"type": "http", "scheme": "register", "description": "The token of a register session."},
            },
        },
        "security": [{"apiKey": []}, {"session": []}, {"register": []}],
    }


@lru_cache(maxsize=1)
def openapi_bytes() -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(openapi_document())


# Schemas -------------------------------------------------------------------------------------------------------------


def _schemas() -> tuple[Json, dict[Any, Json]]:
    """The named schemas, and for each type of the table what refers to it."""
    types: dict[str, Any] = {}
    for route in ROUTES:
        for one in (route.body, route.answer):
            for kind in one if isinstance(one, list | tuple) else [one]:
                if kind is not None and kind is not Nothing:
                    types[repr(kind)] = kind
    found, schemas = msgspec.json.schema_components(
        types.values(), schema_hook=_schema_of, ref_template="#/components/schemas/{name}"
    )
    refs = dict(zip(types, found, strict=True))
    for struct in _below(msgspec.Struct):
        if hasattr(struct, "one_of") and struct.__name__ in schemas:
            schemas[struct.__name__]["anyOf"] = [{"required": list(names)} for names in struct.one_of]
    return {name: _tidied(schema) for name, schema in sorted(schemas.items())}, refs


def _below(struct: type[Any]) -> Iterator[type[Any]]:
    """All classes below one."""
    for kind in struct.__subclasses__():
        yield kind
        yield from _below(kind)


def _schema_of(kind: type[Any]) -> Json:
    if kind is Quantity:
        return {"type": "number"}
    raise TypeError(kind)


def _tidied(schema: Any) -> Any:
    """A number that an answer gives as int or float is one thing outside; what is not given has no default null."""
    if isinstance(schema, list):
        return [_tidied(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {key: _tidied(one) for key, one in schema.items() if not (key == "default" and one is None)}
    kinds = tidied.get("anyOf")
    if isinstance(kinds, list):
        numbers = [one for one in kinds if one in ({"type": "integer"}, {"type": "number"})]
        if len(numbers) == 2:
            rest = [one for one in kinds if one not in numbers]
            del tidied["anyOf"]
            return {**tidied, "anyOf": [{"type": "number"}, *rest]} if rest else {**tidied, "type": "number"}
    return tidied


def _problem_schema() -> Json:
    return {
        "title": "Problem",
        "description": "Why the answer is no (RFC 9457); further members are the numbers that matter.",
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string", "enum": list(STATUS)},
            "detail": {"type": "string", "description": "What is wrong, in plain words."},
            "request_id": {"type": "string"},
            "field": {"type": "string", "description": "The dotted path of the field that is wrong."},
            "available": {"type": ["number", "null"]},
            "requested": {"type": ["number", "null"]},
            "lines": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"index": {"type": "integer"}, "code": {"type": "string"}},
                    "required": ["index", "code"],
                },
            },
        },
        "required": ["type", "title", "status", "code", "detail", "request_id"],
    }


# Operations ----------------------------------------------------------------------------------------------------------


def _operation(route: Route, refs: dict[Any, Json]) -> Json:
    operation: Json = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": {str(route.status): _success(route, refs), **_failures(route)},
    }
    about = [route.about] if route.about else []
    if route.permission is not None:
        about.append(f"Needs the permission `{route.permission}`.")
    if route.till:
        about.append("Needs an open register session: `Authorization: Register <token>`.")
        operation["security"] = [{"register": []}]
    operation["description"] = " ".join(about)
    if route.takes:
        operation["requestBody"] = {"required": True, "content": {route.takes: {"schema": {"type": "string"}}}}
    if route.body is not Nothing:
        content: Json = {"schema": _tidied(refs[repr(route.body)])}
        if route.example is not None:
            content["example"] = route.example
        required = any(field.required for field in msgspec.structs.fields(route.body))
        operation["requestBody"] = {"required": required, "content": {"application/json": content}}
    return operation


def _parameters(route: Route) -> list[Json]:
    parameters: list[Json] = []
    for part in route.path.split("/"):
        if part.startswith("{"):
            parameters.append({"name": part[1:-1], "in": "path", "required": True, "schema": dict(_TEXT)})
    parameters += [_query(one) for one in route.parameters]
    if all(one.name != STORE.name for one in route.parameters):
        parameters.append(_query(STORE))
    parameters.append(
        {
            "name": "X-Store",
            "in": "header",
            "description": "Act in this store only (id or code).",
            "schema": {**_TEXT, "pattern": "^[!-~]+$"},
        }
    )
    if route.writes:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The same key and request again gets the same answer and changes nothing.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            }
        )
    return parameters


def _query(query: Parameter) -> Json:
    schema: Json
    match query.kind:
        case "limit":
            schema = {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}
        case "integer":
            schema = {"type": "integer"}
        case "number":
            schema = {"type": "number", "minimum": 0}
        case "boolean":
            schema = {"type": "boolean"}
        case "instant":
            schema = {"type": "string", "format": "date-time"}
        case "day":
            schema = {"type": "string", "format": "date"}
        case "cursor":
            schema = {"type": "string", "minLength": 1, "maxLength": CURSOR_MAX}
        case _:
            schema = {**_TEXT, "enum": list(query.choices)} if query.choices else dict(_TEXT)
    return {
        "name": query.name,
        "in": "query",
        "required": query.required,
        "description": query.about,
        "schema": schema,
    }


def _success(route: Route, refs: dict[Any, Json]) -> Json:
    headers = {**_HEADERS, **_REPLAYED} if route.writes else dict(_HEADERS)
    response: Json = {"description": "Done." if route.writes else "The answer.", "headers": headers}
    if route.array:
        headers["Link"] = {"schema": _TEXT, "description": 'Where the array goes on (`rel="next"`), if it does.'}
    if route.status == 204:
        return {**response, "description": "Done; there is nothing to tell."}
    if route.download:
        return {**response, "content": {route.download: {"schema": {"type": "string"}}}}
    answer = route.answer
    if isinstance(answer, list):
        schema: Json = {
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": refs[repr(answer[0])]},
                "next_cursor": {"type": ["string", "null"], "description": "Where the list goes on."},
            },
            "required": ["items", "next_cursor"],
        }
    elif isinstance(answer, tuple):
        schema = {"anyOf": [refs[repr(one)] for one in answer]}
    else:
        schema = _tidied(refs[repr(answer)])
    response["content"] = {"application/json": {"schema": schema}}
    if route.stream:
        response["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    return response


def _failures(route: Route) -> Json:
    """The error responses by status, each with its codes."""
    by_status: dict[int, list[str]] = defaultdict(list)
    codes = [*COMMON, *(WRITE if route.writes else ("INVALID_REQUEST",)), *map(str, route.codes)]
    for code in dict.fromkeys(codes):
        by_status[STATUS[code]].append(code)
    return {
        str(status): {
            "description": " ".join(f"`{code}`: {EXPLAINED[code]}" for code in codes),
            "headers": dict(_HEADERS),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, codes in sorted(by_status.items())
    }


def _public_paths() -> Json:
    """Health: for machines that watch."""

    def path(name: str, summary: str, media_type: str, *, may_fail: bool = False) -> Json:
        content = {media_type: {"schema": {"type": "object" if media_type == "application/json" else "string"}}}
        responses: Json = {"200": {"description": "Yes.", "content": content}}
        if may_fail:
            responses["503"] = {"description": "Not now.", "content": content}
        return {
            "get": {"operationId": name, "tags": ["Health"], "summary": summary, "security": [], "responses": responses}
        }

    return {
        "/healthz": path("healthz", "Does the process run?", "application/json"),
        "/readyz": path("readyz", "Can it serve: database, migrations?", "application/json", may_fail=True),
        "/metrics": path("metrics", "Metrics for Prometheus", "text/plain"),
    }


__all__ = ["BODY_MAX", "openapi_bytes", "openapi_document"]
