"""The dispatcher: a request to a route, from who asks to the answer.

    await dispatcher.answer_route(endpoint, args, headers, scope, receive, answer)

Who asks comes before what they send: the body is read when the caller is known and may make the request. It refuses to
know any route: they are data (`route.Route`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import msgspec

from holdfast.access import Actor, Permission
from holdfast.app import Holdfast
from holdfast.core.records.command import Command
from holdfast.core.records.rejection import Rejected
from holdfast.executor import Reply
from holdfast.web.http import arrays, problems
from holdfast.web.http.callers import Callers
from holdfast.web.http.idempotency import fingerprint_of, idempotency_key, said_to_ended_session, with_meaning
from holdfast.web.http.problems import Problem, invalid
from holdfast.web.http.request_body import (
    Receive,
    Scope,
    count_body,
    length_of,
    read_body,
)
from holdfast.web.http.response import JSON_TYPE, Answer, Download, Headers
from holdfast.web.http.route import Call, Endpoint, PlannedCommand, Route, Sender, encode, require_rights
from holdfast.web.http.route_table import address_of
from holdfast.web.http.strict_json import ASIDE_BYTES, decode, unprintable
from holdfast.web.identity.auth import Auth, Identity, Lookups
from holdfast.web.identity.caller_mark import caller_header
from holdfast.web.identity.till_cookie import no_till_cookie, shown_till

READERS = 16
"""Threads for reads: as many as the database has connections for them."""

AUDITED = frozenset({Permission.MANAGE, Permission.CONFIGURE})
"""Permissions of the routes that change records: the audit log says from where."""

BODY_THREADS = 2
"""Threads that take large bodies apart: no read of anybody stands behind them."""

ENDING_BODY_MAX = 4096
"""Most bytes of the body that ended a register session, when it is sent again."""

_JSON = re.compile(rb"application/(?:[a-z0-9.!#$&^_-]+\+)?json(?:\s*;\s*charset=\"?utf-?8\"?)?\s*", re.IGNORECASE)


class Dispatcher:
    """Answers requests to routes over one Holdfast."""

    def __init__(self, shop: Holdfast, auth: Auth, callers: Callers) -> None:
        self.shop = shop
        self.auth = auth
        self.callers = callers
        self.state = SimpleNamespace()
        """What the starter of the application gives to its pages (the demo's customers)."""
        self.stopping = asyncio.Event()
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="holdfast-read")
        self._body_threads = ThreadPoolExecutor(BODY_THREADS, thread_name_prefix="holdfast-body")
        self._stores = Lookups(lambda name: shop.reports.store(name[0], name[1]))

    def close(self) -> None:
        """End the streams and the threads; the shop stays open."""
        self.stopping.set()
        self.auth.close()
        for threads in (self._threads, self._body_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    async def answer_route(
        self,
        endpoint: Endpoint,
        args: dict[str, str],
        headers: dict[bytes, bytes],
        scope: Scope,
        receive: Receive,
        answer: Answer,
    ) -> None:
        """Find out who asks and whether they may; then read the body and serve them."""
        route = endpoint.route
        if endpoint.secret:
            answer.gzip = None
        length = length_of(headers, route.body_max)
        in_parts = length is None and b"transfer-encoding" in headers
        try:
            identity = await self.auth.identify(headers, scope["method"], origin=answer.origin, till=route.till)
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
        call.auth, call.origin, call.browser_session = self.auth, answer.origin, identity.session
        call.headers, call.till, call.seen = headers, identity.till, actor.seen
        call.query = endpoint.query(scope["query_string"])
        call.filter = endpoint.filter(call.query)
        no_such_store = None
        if b"x-store" in headers or "store_id" in call.query:
            no_such_store = await self._narrow(call, headers)
        if no_such_store is not None and not route.writes:
            raise no_such_store
        if route.stream is not None and b"text/event-stream" in headers.get(b"accept", b""):
            await route.stream(self, call, Sender(headers, answer.origin), receive, answer)
            return
        if not route.writes:
            await self._answer_read(route, call, scope, answer)
            return
        _test_type(headers, raw, endpoint)
        aside = len(raw) > ASIDE_BYTES
        request = route, _meant(route, scope, call), call.actor, raw
        fingerprint = ""
        if route.takes:
            call.body = raw
            if key is not None:
                fingerprint = await self._decode(fingerprint_of, *request)
        elif aside:
            async with self.callers.decoding(call.actor):
                call.body = await self._decode(decode, endpoint.decoder, raw)
                if key is not None and no_such_store is None:
                    fingerprint = await self._decode(fingerprint_of, *request)
        else:
            call.body = decode(endpoint.decoder, raw)
        if no_such_store is not None:
            raise no_such_store
        if key is not None and not fingerprint:
            fingerprint = fingerprint_of(*request)
        reply, cookies = await self._ask(call, route, fingerprint)
        if type(reply.answer) is Rejected:
            raise problems.problem_of(await self._explained(route, call, reply.answer))
        assert reply.body is not None
        if route.after is not None and not reply.replayed:
            route.after(call, reply.answer)
        extra: Headers = [(b"idempotent-replayed", b"true")] if reply.replayed else []
        if route.ends_till and identity.till is not None:
            cookies = (no_till_cookie(secure=answer.origin.secure),)
        elif not cookies and identity.renewed:
            cookies = (identity.renewed,)
        extra += [(b"set-cookie", cookie.encode("latin-1")) for cookie in cookies]
        await answer.send(reply.status, b"" if reply.status == 204 else reply.body, extra=extra)

    async def _answer_read(self, route: Route, call: Call, scope: Scope, answer: Answer) -> None:
        """Answer a read, without what is for managers where somebody else asks."""
        assert route.answer_with is not None
        document = await self._read_for(call, route.answer_with)
        if isinstance(document, Download):
            await self._send_download(route, call, document, answer)
            return
        link: Headers = []
        if route.array:
            document, link = arrays.said(document, scope["path"], scope["query_string"])
        if route.hide is not None and not call.actor.has(Permission.MANAGE):
            document = route.hide(msgspec.to_builtins(document))
        if route.stream is not None:
            link = [*link, caller_header(call.actor)]
        await answer.send(200, encode(document), extra=link)

    async def _send_download(self, route: Route, call: Call, document: Download, answer: Answer) -> None:
        """Send a file, each part read when the one before it is sent."""

        def more(_: Call) -> bytes | None:
            return next(document.parts, None)

        part: bytes | None = await self._read_for(call, more)
        await answer.begin_download(document.name, route.download)
        while part is not None:
            await answer.part(part)
            part = await self._read_for(call, more)
        await answer.end()

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
            request_again = (actor, key, scope["method"], address_of(scope), raw)
            async with self.callers.reading(actor):
                kept = await self.read(said_to_ended_session, self.shop.database, *request_again)
        if kept is None:
            return False
        extra: Headers = [(b"idempotent-replayed", b"true")]
        by_cookie = not headers.get(b"authorization", b"").partition(b" ")[2].strip()
        if by_cookie and shown_till(headers, secure=answer.origin.secure) is not None:
            extra.append((b"set-cookie", no_till_cookie(secure=answer.origin.secure).encode()))
        await answer.send(kept.status, kept.body, extra=extra)
        return True

    async def _ask(self, call: Call, route: Route, fingerprint: str) -> tuple[Reply, tuple[str, ...]]:
        """Make the call's command, give it, and wait for the reply; with it the cookies that go with it."""
        finish = None
        assert route.plan is not None
        render = route.render
        try:
            planned: Command | PlannedCommand = (
                await self._read_for(call, route.plan) if _looks_up(route, call) else route.plan(call)
            )
        except Problem as problem:
            if problem.status == 400 and problem.code != "INVALID_REQUEST" and route.missing is not None:
                await self._read_for(call, route.missing)
            # What the call names may be gone, or in another state, because this very call was answered before.
            if call.key is None or problem.status not in (404, 409):
                raise
            reply = await self.shop.ask_again(call.actor, call.key, fingerprint)
            if not reply.replayed:
                raise
            return reply, ()
        if isinstance(planned, PlannedCommand):
            command, render, finish = planned.command, planned.render, planned.finish
            fingerprint = with_meaning(fingerprint, planned.means)
        else:
            command = planned
        reply = await self.shop.ask(
            call.actor, command, key=call.key, fingerprint=fingerprint, render=render, status=route.status
        )
        cookies: tuple[str, ...] = ()
        if isinstance(planned, PlannedCommand) and reply.body is not None:
            cookies = planned.set_cookies if planned.set_again or not reply.replayed else ()
        if finish is not None and reply.body is not None and not reply.replayed:
            reply = msgspec.structs.replace(reply, body=finish(reply.body))
        return reply, cookies

    async def _explained(self, route: Route, call: Call, rejected: Rejected) -> Rejected:
        """The refusal with what helps to go on."""
        if route.explain is None:
            return rejected
        async with self.callers.reading(call.actor):
            explained: Rejected = await self.read(route.explain, call, rejected)
        return explained

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

    async def _read_for(self, call: Call, function: Callable[[Call], Any]) -> Any:
        """What a call asks of the database, when it is the caller's turn."""
        async with self.callers.reading(call.actor):
            return await self.read(function, call)

    async def read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run what would keep the loop waiting in a thread: what asks the database, above all."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


def _looks_up(route: Route, call: Call) -> bool:
    """Does the plan of this call ask the database?"""
    return route.looks_up(call) if callable(route.looks_up) else route.looks_up


def _meant(route: Route, scope: Scope, call: Call) -> str:
    """The path that the request means; of a file that is sent, what is to be done with it belongs to it."""
    path = address_of(scope)
    return f"{path} {sorted(call.query.items())}" if route.takes else path


def _test_type(headers: dict[bytes, bytes], raw: bytes, endpoint: Endpoint) -> None:
    """A body must say that it is JSON, or what else the route takes."""
    takes = endpoint.route.takes
    if takes:
        if not raw:
            raise invalid("", "The body must be a file: it is empty.")
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != takes.encode():
            raise Problem(problems.UNSUPPORTED_MEDIA_TYPE, f"The body must be a file, sent as {takes}.")
        return
    if not raw:
        if endpoint.needs_body:
            raise invalid("", "A JSON body is needed.")
        return
    media_type = headers.get(b"content-type", b"")
    if media_type != JSON_TYPE and not _JSON.fullmatch(media_type):
        raise Problem(problems.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json in UTF-8.")
