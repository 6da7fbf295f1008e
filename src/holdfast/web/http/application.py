"""The ASGI application: one request in, one answer out, as lean as it can be.

    application = Application(shop, routes, public, session_seconds=43_200)      # web/server.py makes it

The order in which a request is judged is the order of the errors: unknown address or method, too large, who asks, may
they, is it JSON of the right shape, what does the core say. Whatever goes wrong inside is a 500 with the request id and
nothing else; the log has the rest. It refuses to know any route: they are data (web/api), or pages mounted beside.
"""

from __future__ import annotations

import asyncio
import re
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import msgspec
import uuid_utils
from starlette.routing import Match

from holdfast.access import Actor, Permission
from holdfast.app import Holdfast
from holdfast.core.records.command import Command
from holdfast.core.records.rejection import Rejected
from holdfast.core.records.text import composed
from holdfast.executor import Reply
from holdfast.web.http import arrays, problems
from holdfast.web.http.callers import REQUESTS_MAX, Callers
from holdfast.web.http.idempotency import also, fingerprint_of, idempotency_key, said_to_ended_session
from holdfast.web.http.metrics import measure
from holdfast.web.http.problems import Problem, invalid, problem_of_error
from holdfast.web.http.public import Public, PublicAnswer
from holdfast.web.http.request_body import (
    ClientGone,
    Receive,
    Scope,
    Send,
    TooLarge,
    count_body,
    drain,
    length_of,
    read_body,
)
from holdfast.web.http.request_log import LEVEL, REFUSED_PAGE, RequestLog, trace_of
from holdfast.web.http.response import JSON_TYPE, Answer, Headers
from holdfast.web.http.route import Call, Endpoint, PlannedCommand, Route, Sender, encode, require_rights
from holdfast.web.http.strict_json import ASIDE_BYTES, decode, unprintable
from holdfast.web.identity.auth import IDLE_SECONDS, Auth, Identity, Lookups
from holdfast.web.identity.security_log import origin_in

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

READERS = 16
"""Threads for reads: as many as the database has connections for them."""

AUDITED = frozenset({Permission.MANAGE, Permission.CONFIGURE})
"""Permissions of the routes that change records: the audit log says from where."""

BODY_THREADS = 2
"""Threads that take large bodies apart: no read of anybody stands behind them."""

ENDING_BODY_MAX = 4096
"""Most bytes of the body that ended a register session, when it is sent again."""

PUBLIC_THREADS = 2
"""Threads for what needs no key (readiness, metrics): no read of a caller stands before them."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_JSON = re.compile(rb"application/(?:[a-z0-9.!#$&^_-]+\+)?json(?:\s*;\s*charset=\"?utf-?8\"?)?\s*", re.IGNORECASE)
_SLASH = "\udc2f"
"""Stands for a slash inside a segment while a path is taken apart: no decoded path has a lone surrogate."""

_PARAMETER = re.compile(r"\{(\w+)\}")
_MACHINES = ("/api/", "/shopify/", "/webhooks/")
"""Where an unknown address is a problem document, not a page."""

_PROBLEM_TYPE = problems.MEDIA_TYPE.encode()


class Application:
    """The ASGI application over one Holdfast."""

    def __init__(
        self,
        shop: Holdfast,
        routes: Iterable[Route],
        public: Mapping[str, Mapping[str, Public]],
        *,
        session_seconds: int,
        idle_seconds: int = IDLE_SECONDS,
        refusal_level: int = LEVEL,
        requests_max: int = REQUESTS_MAX,
        secure: bool = False,
        close_shop: bool = False,
    ) -> None:
        self.shop = shop
        self.log = RequestLog(refusal_level)
        self.auth = Auth(shop, session_seconds, idle_seconds)
        self.pages: ASGIApp | None = None
        self.state = SimpleNamespace()
        """What the starter of the application gives to its pages (the demo's customers)."""
        self.stopping = asyncio.Event()
        self.callers = Callers(requests_max)
        self._public = public
        self._secure = secure
        self._close_shop = close_shop
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="holdfast-read")
        self._body_threads = ThreadPoolExecutor(BODY_THREADS, thread_name_prefix="holdfast-body")
        self._public_threads = ThreadPoolExecutor(PUBLIC_THREADS, thread_name_prefix="holdfast-public")
        self._stores = Lookups(lambda name: shop.reports.store(name[0], name[1]))
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
        self._templates.append((pattern, {route.method: endpoint}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the ASGI server."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._hear_signals()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self.stopping.set()
                await asyncio.get_running_loop().run_in_executor(None, self.auth.close)
                if self._close_shop:
                    await asyncio.get_running_loop().run_in_executor(None, self.shop.close)
                self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _hear_signals(self) -> None:
        """End the streams as soon as the server is told to stop: it would wait for them before it says so here."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if not callable(before):
                continue

            def stop(received: int, frame: Any, before: Callable[[int, Any], Any] = before) -> None:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(self.stopping.set)
                before(received, frame)

            signal.signal(number, stop)

    def close(self) -> None:
        """End the streams and the threads; the shop stays open."""
        self.stopping.set()
        self.auth.close()
        for threads in (self._threads, self._body_threads, self._public_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    # One request ---------------------------------------------------------------------------------------------------

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id")
        request_id = given.decode() if given and _REQUEST_ID.fullmatch(given) else str(uuid_utils.uuid7())
        if self._secure:
            scope["scheme"] = "https"  # a proxy that ends TLS and is not believed, or does not say it
        answer = Answer(scope, send, request_id)
        answer.origin = origin_in(scope, headers, request_id)
        name = "other"
        try:
            endpoint, args = self._find(_address(scope), scope["method"], answer)
            if endpoint is not None:
                name = endpoint.name
                if isinstance(endpoint, Endpoint):
                    await self._answer_route(endpoint, args, headers, scope, receive, answer)
                else:
                    public = await self._answer_anybody(endpoint)
                    if public.status >= 400:
                        self.log.tell(scope["method"], answer, public.status)
                    await answer.send(public.status, public.body, public.media_type, public.headers)
            elif self.pages is not None:
                name = "page"
                await self._answer_page(self.pages, scope, headers, receive, answer)
            else:
                raise nothing_here()
        except ClientGone:
            answer.status = 499
        except Exception as error:  # noqa: BLE001 - the last resort: every failure becomes an answer, and a log line
            await self._refuse(error, scope["method"], answer, receive)
        measure(name, answer.status, time.perf_counter() - began)

    async def _answer_anybody(self, public: Public) -> PublicAnswer:
        """The answer to anybody: in threads of its own, so that no read keeps it waiting."""
        if not public.blocks:
            return public.answer(self)
        return await asyncio.get_running_loop().run_in_executor(self._public_threads, public.answer, self)

    async def _answer_page(
        self, pages: Any, scope: Scope, headers: dict[bytes, bytes], receive: Receive, answer: Answer
    ) -> None:
        """Let the pages answer; what they refuse is logged here, for they do not know the request."""
        page = next((route for route in pages.routes if route.matches(scope)[0] is not Match.NONE), None)
        if page is not None:
            answer.route = page.path
        elif b"text/html" not in headers.get(b"accept", b""):
            raise nothing_here()
        scope["request_id"] = answer.request_id
        await pages(scope, receive, answer.pass_on)
        if answer.status >= 400:
            code, trace = scope.get(REFUSED_PAGE, ("", ""))
            self.log.tell(scope["method"], answer, answer.status, code, exception=trace)

    def _find(self, path: str, method: str, answer: Answer) -> tuple[Endpoint | Public | None, dict[str, str]]:
        """The endpoint of an address and the parameters in its path; None when no route has the address."""
        methods: Mapping[str, Endpoint | Public] | None = self._exact.get(path) or self._public.get(path)
        args: dict[str, str] = {}
        path = path.replace("\0", "\ufffd")  # PostgreSQL has no texts with NUL: nothing can be called like that
        if methods is not None:
            answer.route = path
        else:
            for pattern, candidates in self._templates:
                match = pattern.fullmatch(path)
                if match is not None:
                    methods = candidates
                    answer.route = next(iter(candidates.values())).route.path
                    args = {name: composed(value.replace(_SLASH, "/")) for name, value in match.groupdict().items()}
                    break
            else:
                if path.startswith(_MACHINES):
                    raise nothing_here()
                return None, args
        endpoint = methods.get("GET" if method == "HEAD" else method)
        if endpoint is None:
            allowed = ", ".join(sorted({*methods, "HEAD"} if "GET" in methods else methods))
            raise Problem(problems.METHOD_NOT_ALLOWED, f"This address takes {allowed}.", headers={"Allow": allowed})
        return endpoint, args

    async def _answer_route(
        self,
        endpoint: Endpoint,
        args: dict[str, str],
        headers: dict[bytes, bytes],
        scope: Scope,
        receive: Receive,
        answer: Answer,
    ) -> None:
        route = endpoint.route
        length = length_of(headers, route.body_max)
        in_parts = length is None and b"transfer-encoding" in headers
        try:
            identity = await self.auth.identify(headers, scope["method"], origin=answer.origin)
        except Problem:
            repeated = route.ends_till and b"idempotency-key" in headers
            ended = await self.auth.at_ended_till(headers, answer.origin) if repeated else None
            if ended is not None:
                if await self._say_again(ended, endpoint, headers, scope, receive, answer):
                    return
            elif in_parts:
                await count_body(receive, route.body_max)
            raise
        answer.actor = identity.actor
        answer.decrypted = self.shop.cipher.reader(identity.actor.org_id)
        try:
            require_rights(route, identity.actor)
        except Problem:
            if in_parts:
                await count_body(receive, route.body_max)
            raise
        with self.callers.one_more(identity.actor) as request:
            raw = await read_body(receive, route.body_max, request.grow) if length or in_parts else b""
            await self._answer_caller(endpoint, args, headers, scope, receive, raw, identity, answer)

    async def _answer_caller(
        self,
        endpoint: Endpoint,
        args: dict[str, str],
        headers: dict[bytes, bytes],
        scope: Scope,
        receive: Receive,
        raw: bytes,
        identity: Identity,
        answer: Answer,
    ) -> None:
        """Serve a request of somebody who may make it, whose body is read."""
        route, actor = endpoint.route, identity.actor
        key = idempotency_key(headers) if route.writes else None
        if route.writes and (route.audited or route.permission in AUDITED):
            actor = msgspec.structs.replace(actor, address=answer.origin.address, request_id=answer.request_id)
        call = Call(self.shop, actor, args, answer.request_id, key)
        call.auth, call.origin, call.session = self.auth, answer.origin, identity.session
        call.query = endpoint.query(scope["query_string"])
        call.filter = endpoint.filter(call.query)
        unknown = None
        if b"x-store" in headers or "store_id" in call.query:
            unknown = await self._narrow(call, headers)
        if unknown is not None and not route.writes:
            raise unknown
        if route.stream is not None and b"text/event-stream" in headers.get(b"accept", b""):
            await route.stream(self, call, Sender(headers, answer.origin), receive, answer)
            return
        if not route.writes:
            await self._answer_read(route, call, scope, answer)
            return
        _test_type(headers, raw, endpoint)
        aside = len(raw) > ASIDE_BYTES
        asked = route, _address(scope), call.actor, raw
        said = ""
        if aside:
            async with self.callers.decoding(call.actor):
                call.body = await self._decode(decode, endpoint.decoder, raw)
                if key is not None and unknown is None:
                    said = await self._decode(fingerprint_of, *asked)
        else:
            call.body = decode(endpoint.decoder, raw)
        if unknown is not None:
            raise unknown
        if key is not None and not aside:
            said = fingerprint_of(*asked)
        reply = await self._ask(call, route, said)
        if type(reply.answer) is Rejected:
            raise problems.problem_of(reply.answer)
        assert reply.body is not None
        if route.after is not None and not reply.replayed:
            route.after(call, reply.answer)
        extra: Headers = [(b"idempotent-replayed", b"true")] if reply.replayed else []
        await answer.send(reply.status, b"" if reply.status == 204 else reply.body, extra=extra)

    async def _answer_read(self, route: Route, call: Call, scope: Scope, answer: Answer) -> None:
        """Answer a read, without what is for managers where somebody else asks."""
        assert route.answer_with is not None
        async with self.callers.reading(call.actor):
            document = await self.read(route.answer_with, call)
        link: Headers = []
        if route.array:
            document, link = arrays.said(document, scope["path"], scope["query_string"])
        if route.hide is not None and not call.actor.has(Permission.MANAGE):
            document = route.hide(msgspec.to_builtins(document))
        await answer.send(200, encode(document), extra=link)

    async def _say_again(
        self,
        actor: Actor,
        endpoint: Endpoint,
        headers: dict[bytes, bytes],
        scope: Scope,
        receive: Receive,
        answer: Answer,
    ) -> bool:
        """Answer again what ended the caller's own register session (`idempotency`); False when it was not this.

        Whoever has a token that is dead may do nothing else, and no more at once than others: the body is a small one.
        """
        key = idempotency_key(headers)
        with self.callers.one_more(actor) as request:
            try:
                raw = await read_body(receive, ENDING_BODY_MAX, request.grow)
                decode(endpoint.decoder, raw)
            except Problem:  # nothing was answered to it: its sender is nobody
                return False
            asked = (actor, key, scope["method"], _address(scope), raw)
            async with self.callers.reading(actor):
                kept = await self.read(said_to_ended_session, self.shop.database, *asked)
        if kept is None:
            return False
        await answer.send(kept.status, kept.body, extra=[(b"idempotent-replayed", b"true")])
        return True

    async def _ask(self, call: Call, route: Route, said: str) -> Reply:
        """Make the call's command, give it, and wait for the reply."""
        finish = None
        assert route.plan is not None
        render = route.render
        try:
            planned: Command | PlannedCommand = (
                route.plan(call) if not route.looks_up else await self.read(route.plan, call)
            )
        except Problem as problem:
            if problem.status == 400 and problem.code != "INVALID_REQUEST" and route.missing is not None:
                await self.read(route.missing, call)
            # What the call names may be gone, or in another state, because this very call was answered before.
            if call.key is None or problem.status not in (404, 409):
                raise
            reply = await self.shop.ask_again(call.actor, call.key, said)
            if not reply.replayed:
                raise
            return reply
        if isinstance(planned, PlannedCommand):
            command, render, finish = planned.command, planned.render, planned.finish
            said = also(said, planned.means)
        else:
            command = planned
        reply = await self.shop.ask(
            call.actor, command, key=call.key, fingerprint=said, render=render, status=route.status
        )
        if finish is not None and reply.body is not None and not reply.replayed:
            return msgspec.structs.replace(reply, body=finish(reply.body))
        return reply

    async def _narrow(self, call: Call, headers: dict[bytes, bytes]) -> Problem | None:
        """Act only in the store that X-Store or `store_id` names; the 404 to raise after the body's shape, or None."""
        names = [call.query.get("store_id"), headers.get(b"x-store")]
        ids = []
        for name in names:
            if name is None:
                continue
            text = name if isinstance(name, str) else name.decode("latin-1")
            if not text or len(text) > 200 or unprintable(text):
                raise invalid("X-Store", "is not the id or code of a store.")
            store = await self._stores.get((call.actor.org_id, text))
            if store is None:
                return Problem("STORE_NOT_FOUND", f"Store {text!r} does not exist.")
            ids.append(store["id"])
        if len(set(ids)) > 1 or (call.stores is not None and not call.stores.issuperset(ids)):
            raise Problem("FORBIDDEN", "You may not act in that store.")
        call.store_id = ids[0]
        call.stores = frozenset(ids[:1])
        call.actor = msgspec.structs.replace(call.actor, stores=(ids[0],))
        return None

    async def _decode(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Take a large body apart in a thread that is there for that."""
        return await asyncio.get_running_loop().run_in_executor(self._body_threads, function, *arguments)

    async def read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run what would keep the loop waiting in a thread: what asks the database, above all."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    # When the answer is no -----------------------------------------------------------------------------------------

    async def _refuse(self, error: Exception, method: str, answer: Answer, receive: Receive) -> None:
        problem = problem_of_error(error)
        if problem is None:
            reference = f"Something went wrong on our side. Reference: {answer.request_id}"
            problem = Problem(problems.INTERNAL_ERROR, reference)
            self.log.tell(method, answer, problem.status, problem.code, exception=trace_of(error))
        else:
            self.log.tell(method, answer, problem.status, problem.code, reason=str(error))
            if answer.actor is not None and problem.status in (401, 403):
                self.auth.log.refused(answer.actor, problem.code, answer.origin)
        if answer.started:
            return
        document = problems.problem_document(problem.code, problem.detail, answer.request_id, problem.numbers)
        extra = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
        if problem.status == 413:
            extra.append((b"connection", b"close"))
        unread = isinstance(error, TooLarge)
        await answer.send(problem.status, encode(document), _PROBLEM_TYPE, extra, more=unread)
        if unread:
            await drain(receive)
            await answer.end()


def nothing_here() -> Problem:
    """The address is unknown."""
    return Problem("NOT_FOUND", "There is nothing at this address.")


def _test_type(headers: dict[bytes, bytes], raw: bytes, endpoint: Endpoint) -> None:
    """A body must say that it is JSON."""
    if not raw:
        if endpoint.needs_body:
            raise invalid("", "A JSON body is needed.")
        return
    media_type = headers.get(b"content-type", b"")
    if media_type != JSON_TYPE and not _JSON.fullmatch(media_type):
        raise Problem(problems.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json in UTF-8.")


def _address(scope: Scope) -> str:
    """The decoded path, in which only the slashes between segments are slashes: SKU A/B is /products/A%2FB."""
    raw: bytes = scope.get("raw_path") or b""
    path: str = scope["path"]
    if b"%" not in raw or b"%2f" not in raw.lower():
        return path
    return "/".join(unquote(segment).replace("/", _SLASH) for segment in raw.decode("ascii").split("/"))
