"""Closed-loop load: a fixed number of clients, each sending its next operation when the last is answered.

>>> with_worker = functools.partial(some_module.client, url)     # client(url, number) is a context manager
>>> process_load("textbook", with_worker, Layout(processes=4, threads=8), seconds=5).per_second

Three generators share one type of result: `threads_load` for opponents inside this process, `process_load`
for opponents reached through a driver written in Python, and `http_load` for servers. None of them paces
(open loop), none of them retries, and none hides an error: whatever a client raises ends the measurement.
"""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import threading
import time
import traceback
import urllib.parse
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import cast

import httptools
import uvloop

WARM_UP_SECONDS = 1.0
"""Before the counted window: connections are used, statements prepared, caches filled."""

START_DELAY_SECONDS = 0.1
"""Between agreeing on the window and its warm-up, so that every process has heard of it."""

ANSWER_SECONDS_MAX = 30.0
"""How long after the window the last answers may take before the measurement is called off."""

READY_SECONDS_MAX = 120.0
"""How long a load process may take to start and connect."""

Worker = Callable[[], bool]
"""Performs one operation; True when it was accepted, False when it was refused (a business no)."""

WorkerFactory = Callable[[int], AbstractContextManager[Worker]]
"""Client number to that client's worker; picklable (a module's function or a partial of one)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the clients of a load are spread: each of `processes` runs `threads` clients."""

    processes: int
    threads: int

    @property
    def clients(self) -> int:
        """The number of operations in flight."""
        return self.processes * self.threads

    def __str__(self) -> str:
        return f"{self.processes} x {self.threads}"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one load achieved in its counted window. Latencies are of accepted operations."""

    name: str
    seconds: float
    operations: int
    refused: int
    p50_ms: float
    p99_ms: float
    clients: str = ""
    """How the load was generated, for example "4 x 8" (processes x threads) or "pgbench -j 2"."""
    statuses: Mapping[int, int] = field(default_factory=dict)
    """Answers by HTTP status; empty where the load was not HTTP."""

    @property
    def per_second(self) -> float:
        """Accepted operations per second."""
        return self.operations / self.seconds


@dataclass(frozen=True, slots=True)
class Window:
    """The counted part of a run, on the machine's monotonic clock (one clock for all processes)."""

    begin: float
    end: float

    @classmethod
    def opening_now(cls, seconds: float, warm_up: float) -> Window:
        """A window that opens after the start delay and the warm-up."""
        begin = time.monotonic() + START_DELAY_SECONDS + warm_up
        return cls(begin, begin + seconds)


@dataclass(slots=True)
class Tally:
    """What some clients counted inside the window; tallies of several clients add up."""

    latencies: array[float] = field(default_factory=lambda: array("d"))
    refused: int = 0
    statuses: Counter[int] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Take over what another client counted."""
        self.latencies.extend(other.latencies)
        self.refused += other.refused
        self.statuses.update(other.statuses)

    def measurement(self, name: str, seconds: float, clients: str) -> Measurement:
        """The result; an empty window is an error, not a rate of zero."""
        if not self.latencies:
            raise RuntimeError(f"{name}: no operation was accepted in the window ({self.refused} refused)")
        return Measurement(
            name=name,
            seconds=seconds,
            operations=len(self.latencies),
            refused=self.refused,
            p50_ms=percentile(self.latencies, 50) * 1000,
            p99_ms=percentile(self.latencies, 99) * 1000,
            clients=clients,
            statuses=dict(self.statuses),
        )


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)  # ceiling
    return ordered[max(int(rank), 1) - 1]


def threads_load(
    worker_factory: WorkerFactory,
    concurrency: int,
    seconds: float,
    *,
    name: str = "threads",
    warm_up: float = WARM_UP_SECONDS,
) -> Measurement:
    """Load from threads of this process: for opponents that live inside it."""
    tally = _run_threads(worker_factory, range(concurrency), lambda: Window.opening_now(seconds, warm_up))
    return tally.measurement(name, seconds, str(Layout(1, concurrency)))


def process_load(
    name: str,
    worker_factory: WorkerFactory,
    layout: Layout,
    seconds: float,
    *,
    warm_up: float = WARM_UP_SECONDS,
) -> Measurement:
    """Load from `layout.processes` processes of `layout.threads` clients each.

    One process would put all clients behind one interpreter lock and slow the opponent; one process per
    client makes the machine switch processes for every answer. Each yardstick states the layout that was
    fastest for it; `python -m benchmarks.yardsticks --layouts` measures them again.
    """
    jobs = [
        functools.partial(_run_threads, worker_factory, range(first, first + layout.threads))
        for first in range(0, layout.clients, layout.threads)
    ]
    tally = _run_processes(jobs, seconds, warm_up)
    return tally.measurement(name, seconds, str(layout))


def http_load(
    url: str,
    make_body: Callable[[int], bytes],
    headers: Mapping[str, str],
    connections: int,
    seconds: float,
    *,
    name: str = "http",
    key_header: str | None = None,
    operations_per_request: int = 1,
    warm_up: float = WARM_UP_SECONDS,
) -> Measurement:
    """POST over keep-alive connections from a process of its own, so that no server shares its interpreter.

    `make_body` (picklable) gets a number that no other request has, not even one of an earlier run;
    `key_header` names a header that carries the same number, for example "Idempotency-Key".
    2xx is accepted, 409 and 422 are refused, anything else ends the measurement. For a request of many
    commands, `operations_per_request` multiplies operations and refusals; the latency stays the request's.
    """
    job = functools.partial(_run_connections, url, make_body, dict(headers), connections, key_header)
    tally = _run_processes([job], seconds, warm_up)
    wrong = {s: n for s, n in tally.statuses.items() if not (200 <= s < 300 or s in (409, 422))}
    if wrong:
        raise RuntimeError(f"{name}: unexpected answers by status: {wrong}")
    measured = tally.measurement(name, seconds, f"{connections} connections")
    return replace(
        measured,
        operations=measured.operations * operations_per_request,
        refused=measured.refused * operations_per_request,
    )


# One process of a load: says when it is ready, is told the window, answers with its tally.

_Agree = Callable[[], Window]
_Job = Callable[[_Agree], Tally]


def _run_processes(jobs: Sequence[_Job], seconds: float, warm_up: float) -> Tally:
    """Run each job in a process; all of them count in the same window."""
    context = multiprocessing.get_context("forkserver")  # a clean fork: no threads, no open connections
    context.set_forkserver_preload(["psycopg", "sqlalchemy.orm", "uvloop", "httptools"])
    pipes = [context.Pipe() for _ in jobs]
    processes = [
        context.Process(target=_process_main, args=(theirs, job), daemon=True)
        for (_, theirs), job in zip(pipes, jobs, strict=True)
    ]
    tally = Tally()
    try:
        for process, (_, theirs) in zip(processes, pipes, strict=True):
            process.start()
            theirs.close()  # so that a process which dies is seen as the end of its pipe
        for ours, _ in pipes:
            _receive(ours, READY_SECONDS_MAX)
        window = Window.opening_now(seconds, warm_up)
        for ours, _ in pipes:
            ours.send(window)
        for ours, _ in pipes:
            answer = _receive(ours, window.end - time.monotonic() + ANSWER_SECONDS_MAX + 5)
            assert isinstance(answer, Tally)
            tally.add(answer)
    finally:
        for process in processes:
            if process.pid is not None:
                process.join(timeout=1)
                process.kill()
                process.join()
        for ours, _ in pipes:
            ours.close()
    return tally


def _receive(connection: Connection, seconds: float) -> object:
    """The next message of a load process; its failure is raised here."""
    if not connection.poll(max(seconds, 0)):
        raise TimeoutError(f"a load process did not answer within {seconds:.0f} s")
    message = connection.recv()
    if isinstance(message, str):
        raise RuntimeError(f"a load process failed:\n{message}")
    return message


def _process_main(connection: Connection, job: _Job) -> None:
    """Body of a load process."""

    def agree() -> Window:
        connection.send(None)
        window = connection.recv()
        assert isinstance(window, Window)
        return window

    try:
        connection.send(job(agree))
    except BaseException:  # noqa: BLE001 - whatever it is, the parent raises it
        connection.send(traceback.format_exc())


# Threads


def _run_threads(worker_factory: WorkerFactory, numbers: range, agree: _Agree) -> Tally:
    """Run one client per number, each in a thread; they start together when all are connected."""
    ready = threading.Barrier(len(numbers) + 1)
    window: Future[Window] = Future()

    def client(number: int) -> Tally:
        try:
            with worker_factory(number) as worker:
                ready.wait(READY_SECONDS_MAX)
                return _run_client(worker, window.result(READY_SECONDS_MAX))
        except BaseException:
            ready.abort()
            raise

    tally = Tally()
    with ThreadPoolExecutor(len(numbers)) as threads:
        clients = [threads.submit(client, number) for number in numbers]
        try:
            ready.wait(READY_SECONDS_MAX)
            window.set_result(agree())
        except BaseException as failure:
            window.cancel()
            if not isinstance(failure, threading.BrokenBarrierError):
                raise
        failures = [error for each in clients if (error := each.exception()) is not None]
        failures.sort(key=lambda error: isinstance(error, threading.BrokenBarrierError))  # causes first
        if failures:
            raise failures[0]
        for each in clients:
            tally.add(each.result())
    return tally


def _run_client(worker: Worker, window: Window) -> Tally:
    """One client: operation after operation until the window closes, counting those answered inside it."""
    tally = Tally()
    clock = time.monotonic
    begin, end = window.begin, window.end
    started = clock()
    while started < end:
        accepted = worker()
        answered = clock()
        if begin <= answered < end:
            if accepted:
                tally.latencies.append(answered - started)
            else:
                tally.refused += 1
        started = answered
    return tally


# HTTP


class _Client(asyncio.Protocol):
    """One keep-alive connection: sends a request, waits for the whole answer, sends the next."""

    def __init__(self, requests: _Requests, window: Window, tally: Tally) -> None:
        self._requests = requests
        self._window = window
        self._tally = tally
        self._parser = httptools.HttpResponseParser(self)
        self._started = 0.0
        self._transport: asyncio.WriteTransport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin at once; what is answered before the window opens is the warm-up."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's own class
        self._send(self._transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a server that breaks HTTP ends the measurement."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as failure:
            self._finish(failure)

    def on_message_complete(self) -> None:
        """Called by the parser at the end of an answer."""
        answered = time.monotonic()
        window = self._window
        if window.begin <= answered < window.end:
            status = self._parser.get_status_code()
            self._tally.statuses[status] += 1
            if 200 <= status < 300:
                self._tally.latencies.append(answered - self._started)
            else:
                self._tally.refused += 1
        assert self._transport is not None
        if answered >= window.end:
            self._finish(None)
        elif not self._parser.should_keep_alive():
            self._finish(ConnectionError("the server does not keep connections alive"))
        else:
            self._send(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The server may not close first: that would lose an answer silently."""
        self._finish(exc or ConnectionError("the server closed a connection during the load"))

    def _send(self, transport: asyncio.WriteTransport) -> None:
        request = self._requests.build()
        self._started = time.monotonic()
        transport.write(request)

    def _finish(self, failure: Exception | None) -> None:
        if self.done.done():
            return
        if failure is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(failure)
        if self._transport is not None:
            self._transport.close()


class _Requests:
    """Builds request bytes around a head that is built once; numbers them over all connections."""

    def __init__(
        self, url: str, make_body: Callable[[int], bytes], headers: Mapping[str, str], key_header: str | None
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"POST {target} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json"]
        lines += [f"{key}: {value}" for key, value in headers.items()]
        self._head = "".join(f"{line}\r\n" for line in lines).encode("ascii")
        self._key = f"{key_header}: ".encode("ascii") if key_header else b""
        self._make_body = make_body
        self._number = time.time_ns() // 1000  # microseconds: later runs only have higher numbers

    def build(self) -> bytes:
        """The next request."""
        self._number += 1
        body = self._make_body(self._number)
        key = b"%b%d\r\n" % (self._key, self._number) if self._key else b""
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (self._head, key, len(body), body)


def _run_connections(
    url: str,
    make_body: Callable[[int], bytes],
    headers: Mapping[str, str],
    connections: int,
    key_header: str | None,
    agree: _Agree,
) -> Tally:
    """Run all connections of an HTTP load in one event loop."""
    requests = _Requests(url, make_body, headers, key_header)
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname, parts.port or 80
    if parts.scheme != "http" or host is None:
        raise ValueError(f"only http:// can be loaded, not {url}")

    async def run() -> Tally:
        loop = asyncio.get_running_loop()
        window = agree()  # blocks the loop, in which nothing runs yet
        tally = Tally()
        clients = []
        for _ in range(connections):
            _, client = await loop.create_connection(lambda: _Client(requests, window, tally), host, port)
            clients.append(client)
        seconds_left = window.end - time.monotonic() + ANSWER_SECONDS_MAX
        await asyncio.wait_for(asyncio.gather(*(client.done for client in clients)), seconds_left)
        return tally

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())
