"""The table of routes: which endpoint has an address, and what its path says.

found = RouteTable(routes, public).find("/api/v1/products/MUG-1")
found.path, found.args      -> "/api/v1/products/{product_id}", {"product_id": "MUG-1"}
found.endpoint("GET")       -> the endpoint; another method is a 405
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from holdfast.core.records.text import composed
from holdfast.web.http import problems
from holdfast.web.http.problems import Problem
from holdfast.web.http.public import Public
from holdfast.web.http.request_body import Scope
from holdfast.web.http.route import Endpoint, Route

_SLASH = "\udc2f"
"""Stands for a slash inside a segment while a path is taken apart: no decoded path has a lone surrogate."""

_PARAMETER = re.compile(r"\{(\w+)\}")
_MACHINES = ("/api/", "/shopify/", "/webhooks/")
"""Where an unknown address is a problem document, not a page."""


class Found(NamedTuple):
    """The endpoints of an address by method, the parameters in its path, and the path of their route."""

    methods: Mapping[str, Endpoint | Public]
    args: dict[str, str]
    path: str

    def endpoint(self, method: str) -> Endpoint | Public:
        """The endpoint of a method; 405 with those that the address takes."""
        endpoint = self.methods.get("GET" if method == "HEAD" else method)
        if endpoint is None:
            allowed = ", ".join(sorted({*self.methods, "HEAD"} if "GET" in self.methods else self.methods))
            raise Problem(problems.METHOD_NOT_ALLOWED, f"This address takes {allowed}.", headers={"Allow": allowed})
        return endpoint


class RouteTable:
    """The endpoints by address: routes of the API, and what anybody may ask."""

    def __init__(self, routes: Iterable[Route], public: Mapping[str, Mapping[str, Public]]) -> None:
        self._public = public
        self._exact: dict[str, dict[str, Endpoint]] = {}
        self._templates: list[tuple[re.Pattern[str], dict[str, Endpoint]]] = []
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        endpoint = Endpoint(route)
        if "{" not in route.path:
            self._exact.setdefault(route.path, {})[route.method] = endpoint
            return
        pattern = re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", route.path))
        for known, methods in self._templates:
            if known.pattern == pattern.pattern:
                methods[route.method] = endpoint
                return
            shapes = {re.sub(r"\?P<\w+>", "", one.pattern) for one in (known, pattern)}
            assert len(shapes) == 2, f"{route.path} names its parameters in another way than a route of that address"
        self._templates.append((pattern, {route.method: endpoint}))

    def find(self, path: str) -> Found | None:
        """What stands at an address; None for what may be a page, 404 where only machines look."""
        methods: Mapping[str, Endpoint | Public] | None = self._exact.get(path) or self._public.get(path)
        path = path.replace("\0", "\ufffd")  # PostgreSQL has no texts with NUL: nothing can be called like that
        if methods is not None:
            return Found(methods, {}, path)
        for pattern, candidates in self._templates:
            match = pattern.fullmatch(path)
            if match is not None:
                args = {name: composed(value.replace(_SLASH, "/")) for name, value in match.groupdict().items()}
                return Found(candidates, args, next(iter(candidates.values())).route.path)
        if path.startswith(_MACHINES):
            raise nothing_here()
        return None


def nothing_here() -> Problem:
    """The address is unknown."""
    return Problem("NOT_FOUND", "There is nothing at this address.")


def address_of(scope: Scope) -> str:
    """The decoded path, in which only the slashes between segments are slashes: SKU A/B is /products/A%2FB."""
    raw: bytes = scope.get("raw_path") or b""
    path: str = scope["path"]
    if b"%" not in raw or b"%2f" not in raw.lower():
        return path
    return "/".join(unquote(segment).replace("/", _SLASH) for segment in raw.decode("ascii").split("/"))
