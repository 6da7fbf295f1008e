"""The ASGI application: one request in, one answer out, as lean as it can be.

    application = Application(shop, routes, public, session_seconds=43_200)      # web/server.py makes it

The order in which a request is judged is the order of the errors: unknown address or method, too large, who asks, may
they, are too many of their requests under way, are key, query and store sound, is it JSON of the right shape, what does
the core say. Whatever goes wrong inside is a 500 with the request id and
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
from typing import Any

import uuid_utils
from starlette.routing import Match

from holdfast.app import Holdfast
from holdfast.web.http import problems
from holdfast.web.http.callers import REQUESTS_MAX, Callers
from holdfast.web.http.compression import takes_gzip
from holdfast.web.http.dispatcher import Dispatcher
from holdfast.web.http.metrics import measure
from holdfast.web.http.problems import Problem, problem_of_error
from holdfast.web.http.public import Public, PublicAnswer
from holdfast.web.http.request_body import (
    ClientGone,
    Receive,
    Scope,
    Send,
    TooLarge,
    drain,
)
from holdfast.web.http.request_log import LEVEL, REFUSED_PAGE, RequestLog, trace_of
from holdfast.web.http.response import Answer
from holdfast.web.http.route import Endpoint, Route, encode
from holdfast.web.http.route_table import RouteTable, address_of, nothing_here
from holdfast.web.identity.auth import IDLE_SECONDS, Auth
from holdfast.web.identity.security_log import origin_in

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

PUBLIC_THREADS = 2
"""Threads for what needs no key (readiness, metrics): no read of a caller stands before them."""

_SECRET_PAGES = ("/sign-in", "/sign-out", "/account")
"""Pages that show or take secrets: they are never compressed."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_PROBLEM_TYPE = problems.MEDIA_TYPE.encode()


class Application(Dispatcher):
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
        super().__init__(shop, Auth(shop, session_seconds, idle_seconds), Callers(requests_max))
        self.log = RequestLog(refusal_level)
        self.pages: ASGIApp | None = None
        self._routes = RouteTable(routes, public)
        self._secure = secure
        self._close_shop = close_shop
        self._public_threads = ThreadPoolExecutor(PUBLIC_THREADS, thread_name_prefix="holdfast-public")

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
        super().close()
        self._public_threads.shutdown(wait=False, cancel_futures=True)

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
        answer.gzip = takes_gzip(headers)
        name = "other"
        try:
            found = self._routes.find(address_of(scope))
            if found is not None:
                answer.route = found.path
                endpoint = found.endpoint(scope["method"])
                name = endpoint.name
                if isinstance(endpoint, Endpoint):
                    await self.answer_route(endpoint, found.args, headers, scope, receive, answer)
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
        if scope["path"].startswith(_SECRET_PAGES):
            answer.gzip = None
        await pages(scope, receive, answer.pass_page)
        if answer.status >= 400:
            code, trace = scope.get(REFUSED_PAGE, ("", ""))
            self.log.tell(scope["method"], answer, answer.status, code, exception=trace)

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
