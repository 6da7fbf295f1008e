"""`holdfast serve` and `holdfast demo`: a server process, or several.

An empty database is set up first and an outdated one refused. On SQLite there is one server process: more workers are a
misuse, and a second server on the same file is refused. A shutdown (SIGTERM, Ctrl-C) answers what was accepted.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.app import Holdfast, spare_collector
from holdfast.cli.single_server import AlreadyServed, serving_alone
from holdfast.cli.terminal import Misuse, Refusal, ready_database, say, tell
from holdfast.db.engine import Database
from holdfast.db.roles import owner_of
from holdfast.settings import Config, load, variable

if TYPE_CHECKING:
    from holdfast.demo import Shop

BACKLOG = 2048
"""Connections that may wait to be accepted."""

DESCRIPTORS = 65_536
"""Open files that the server asks for."""

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""What TLS 1.2 may use: forward secrecy and authenticated encryption alone, which are all that TLS 1.3 has."""

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept: longer than the idle time of the usual proxies (60 s)."""

Host = Annotated[str | None, typer.Option("--host", help="The address to listen on (default 127.0.0.1).")]
Port = Annotated[int | None, typer.Option("--port", help="The port to listen on, 0 for a free one (default 8000).")]
Workers = Annotated[
    int | None, typer.Option("--workers", help="Server processes; more than one needs PostgreSQL (default 1).")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("serve")(serve)
    app.command("demo")(demo)


def serve(host: Host = None, port: Port = None, workers: Workers = None) -> None:
    """Serve the shop over HTTP."""
    config = load(host=host, port=port, workers=workers)
    if config.workers > 1 and config.database_url.startswith("sqlite:"):
        raise Misuse("SQLite has one server process: --workers above 1 needs PostgreSQL (HOLDFAST_DATABASE_URL).")
    _test_certificate(config)
    with listening(config) as listener:
        run_server(config, listener)


def demo(
    port: Port = None,
    host: Host = None,
    directory: Annotated[
        Path | None, typer.Option("--directory", help="Keep the demo there instead of in a temporary directory.")
    ] = None,
    traffic: Annotated[bool, typer.Option("--traffic", help="Let customers come in right away.")] = False,
) -> None:
    """Serve a shop to look at: Arco Iris, two stores and a warehouse, with stock, orders and logins."""
    config = load(host=host, port=port, workers=1)
    _test_certificate(config)
    with ExitStack() as stack:
        listener = stack.enter_context(listening(config))
        place = directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-demo-")))
        place.mkdir(parents=True, exist_ok=True)
        changes = {"database_url": f"sqlite:///{place / 'arco-iris.db'}"}
        if config.allowed_hosts == "*" and _is_loopback(config.host):
            changes["allowed_hosts"] = "localhost,127.0.0.1,[::1]"  # no page of another name reads the demo
        config = config.model_copy(update=changes)
        made = _demo_shop(config, public=not _is_loopback(config.host))
        address = address_of(config, listener)
        run_server(config, listener, greeting=_greeting(made, address), demo=made, customers=traffic)


def _is_loopback(host: str) -> bool:
    """Does only this machine reach the address?"""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _demo_shop(config: Config, *, public: bool) -> Shop:
    """The demo's shop: made now, or, in a directory that was given, as it was left.

    Where others than this machine reach it, its passwords are made up: the well-known ones would let in anybody.
    """
    from holdfast.demo import made_up, make, remembered

    logins = made_up() if public else None

    with ready_database(config, begin=True):
        pass
    with Holdfast.open(config.database_url) as shop:
        known = remembered(shop, logins)
        if known is None:
            say("Setting up the shop Arco Iris ...")
        return known or make(shop, logins)


def _greeting(made: Shop, address: str) -> list[str]:
    logins = [f"  {email:<30} {password}" for email, password in made.logins.items()]
    return [
        "",
        f"Arco Iris is open: {address}",
        "",
        "Logins (all of them made up):",
        *logins,
        *[f"  {email:<30} PIN {pin} at a till" for email, pin in made.pins.items()],
        "",
        f"API key  {made.api_key}",
        f"  curl -H 'Authorization: Bearer {made.api_key}' {address}/api/v1/store/inventory",
        "",
        "Stop with Ctrl-C.",
    ]


# The server ----------------------------------------------------------------------------------------------------------


@contextmanager
def listening(config: Config) -> Iterator[socket.socket]:
    """A socket at the settings' host and port; a port that is taken is refused."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with listener:
        try:
            listener.bind((config.host, config.port))
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise Refusal(f"Cannot listen on {config.host} port {config.port}: {reason}.") from error
        listener.set_inheritable(True)
        yield listener


def address_of(config: Config, listener: socket.socket) -> str:
    """The address that a browser on this machine goes to."""
    host, scheme = config.host, "http" if config.tls_certificate is None else "https"
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"{scheme}://{shown}:{listener.getsockname()[1]}"


def run_server(
    config: Config,
    listener: socket.socket,
    *,
    greeting: list[str] | None = None,
    demo: Shop | None = None,
    customers: bool = False,
) -> None:
    """Serve on the socket until a signal says stop."""
    import uvicorn

    with ExitStack() as stack:
        if config.database_url.startswith("sqlite:///"):
            try:
                stack.enter_context(serving_alone(config.database_url.removeprefix("sqlite:///")))
            except AlreadyServed as error:
                raise Refusal(str(error)) from error
            except OSError as error:
                raise Refusal(f"{config.database_url}: {error.strerror}.") from error
        with ready_database(config, begin=True) as database:
            kind = "SQLite" if database.is_sqlite else "PostgreSQL"
            if (note := note_of_owner(database)) is not None:
                tell(note)
        if not config.secure and not _is_loopback(config.host):
            tell(
                f"Note: {config.host} is reached from other machines, and this is plain HTTP: what is sent can be read."
            )
        _hand_over(config)
        _raise_descriptors()
        server_config = uvicorn.Config(
            _factory(demo, customers=customers),
            factory=True,
            workers=config.workers,
            backlog=BACKLOG,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            ssl_certfile=config.tls_certificate,
            ssl_keyfile=config.tls_key,
            ssl_ciphers=CIPHERS,
            http="holdfast.web.http.protocol:BoundedProtocol",
            ws="none",
            forwarded_allow_ips=config.trusted_proxies,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=config.shutdown_seconds,
            timeout_worker_healthcheck=60,  # a worker on a busy machine needs its time to import
        )
        address = address_of(config, listener)
        for line in greeting or [f"Holdfast serves {address} ({kind}); stop with Ctrl-C."]:
            say(line)
        with _stopping_is_success():
            server = uvicorn.Server(server_config)
            if config.workers > 1:
                from uvicorn.supervisors import Multiprocess

                Multiprocess(server_config, sockets=[listener]).run()
            else:
                server.run(sockets=[listener])
                if not server.started:
                    raise Refusal("The server did not start.")


def note_of_owner(database: Database) -> str | None:
    """What to note at start when the server's role could rewrite the ledger."""
    role = owner_of(database)
    if role is None:
        return None
    return f"Note: the role {role} owns the tables, so it could rewrite the ledger; `holdfast migrate --help` has more."


def _factory(demo: Shop | None, *, customers: bool) -> Any:
    """What makes the application: by name, so that every worker process finds it; the demo's has its shop with it."""
    if demo is None:
        return "holdfast.cli.serving:make_application"
    return functools.partial(make_application, demo, customers=customers)


def make_application(made: Shop | None = None, *, customers: bool = False) -> Any:
    """The ASGI application of one server process, by the settings in its environment.

    With `made` it is the demo's: a button lets customers in, and with `customers` they come in right away.
    """
    from holdfast.cli.logs import configure_logs
    from holdfast.import_export.jobs import ImportWorker
    from holdfast.web.http.protocol import Bounds, bound, hosts_of, networks_of
    from holdfast.web.server import create_application

    config = load()
    configure_logs(config)
    bound(
        Bounds(
            connections=config.connections_max,
            per_address=config.address_connections_max,
            proxies=networks_of(config.trusted_proxies),
            hosts=hosts_of(config.allowed_hosts),
        )
    )
    shop = Holdfast.open(
        config.database_url,
        read_seconds=config.read_seconds,
        secret_key=config.secret_key,
        batch_max=config.batch_max,
        queue_max=config.queue_max,
        queue_age_seconds=config.queue_age_seconds,
    )
    spare_collector()
    shop.start_sweeping(config.sweep_seconds, idempotency_hours=config.idempotency_hours)
    shop.before_close(ImportWorker(shop).stop)
    application = create_application(shop, config, close_shop=True)
    if made is not None:
        from holdfast.demo import Traffic

        application.state.demo_traffic = traffic = Traffic(shop, made.actor)
        if customers:
            traffic.start()
    return application


def _test_certificate(config: Config) -> None:
    """Refuse a certificate without its key, or one that cannot be used, before anything is served."""
    if (config.tls_certificate is None) != (config.tls_key is None):
        raise Misuse("HOLDFAST_TLS_CERTIFICATE and HOLDFAST_TLS_KEY belong together.")
    if config.tls_certificate is not None:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(config.tls_certificate, config.tls_key)
        except OSError as error:  # what ssl raises is one
            raise Refusal(f"The certificate cannot be used: {error.strerror or error}.") from error


def _raise_descriptors() -> None:
    """Ask for as many open files as the system grants: every connection is one."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _hand_over(config: Config) -> None:
    """Put the settings into the environment, where every server process finds them."""
    for name, value in config.model_dump().items():
        if value is not None:
            os.environ[variable(name)] = str(value)


@contextmanager
def _stopping_is_success() -> Iterator[None]:
    """After it has shut down, the server raises the signal again that stopped it: that is no failure."""
    before = {name: signal.signal(name, lambda *_: None) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
