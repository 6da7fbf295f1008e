"""Every setting of a Holdfast process, once: its name, default, unit and what it does.

    HOLDFAST_PORT=9000 holdfast serve      (or a line `HOLDFAST_PORT=9000` in a file .env)

The environment beats `.env`, and an option on the command line beats both. A setting that cannot be is refused at
start with what is allowed (`WrongSettings`), and so is a name that is almost one of ours: a misspelt address of the
database must not quietly mean the default. An organisation's settings (currency, cash rounding ...) are not here: they
are data.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args, get_origin

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from holdfast.encryption import parts_of

PREFIX = "HOLDFAST_"
ENV_FILE = ".env"

_NOT_OURS = re.compile(r"TEST_.*|.*_?SERVICE_(HOST|PORT.*)|PORT_\d+_.*")
"""Names that may stand beside ours: those of our tests, and those that Kubernetes makes for a service `holdfast`."""

_SIMILAR = 0.74
"""How alike (0 to 1) an unknown name must be to one of ours to count as a misspelling of it."""


class WrongSettings(ValueError):
    """Some settings cannot be; `problems` has one plain line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _secret_key(text: str | None) -> str | None:
    parts_of(text)
    return text


def _database_url(url: str) -> str:
    if not url.startswith(("sqlite:///", "postgresql://", "postgres://")) or url == "sqlite:///":
        raise ValueError("use sqlite:///file.db, sqlite:////absolute/file.db or postgresql://user@host/name")
    return url


_AnyCase = BeforeValidator(lambda text: text.lower() if isinstance(text, str) else text)


class Config(BaseSettings):
    """The settings of a process; each is the environment variable of its name in capitals after `HOLDFAST_`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    database_url: Annotated[str, AfterValidator(_database_url)] = Field(
        "sqlite:///holdfast.db",
        description="The database: sqlite:///relative.db, sqlite:////absolute.db or postgresql://user@host/name.",
    )
    secret_key: Annotated[str | None, AfterValidator(_secret_key)] = Field(
        None,
        repr=False,
        description="What license keys are encrypted with, at least 32 characters; of several, with commas between, "
        "the first encrypts and all decrypt. Without it SQLite has a key file beside the database.",
    )
    host: str = Field("127.0.0.1", min_length=1, description="The address to listen on; 0.0.0.0 is every address.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=64, description="Server processes; more than one needs PostgreSQL.")
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _AnyCase] = Field(
        "info", description="The least that is logged."
    )
    refusal_log_level: Annotated[Literal["debug", "info", "warning", "error"], _AnyCase] = Field(
        "info", description="The level at which a refused request (4xx) is logged; failures are warnings and errors."
    )
    log_format: Annotated[Literal["auto", "text", "json"], _AnyCase] = Field(
        "auto", description="How it is logged: text for people, json for machines; auto is text on a terminal."
    )
    batch_max: int = Field(512, ge=1, le=10_000, description="Most commands of one transaction.")
    queue_max: int = Field(
        20_000, ge=1, le=1_000_000, description="Most commands that wait before new ones are turned away (503)."
    )
    queue_age_seconds: float = Field(
        10.0, gt=0, le=600, description="Seconds after which a command that still waits is turned away (503)."
    )
    sweep_seconds: float = Field(
        5.0, gt=0, le=3600, description="Seconds between two looks for expired holds and lots that nobody asks about."
    )
    idempotency_hours: float = Field(
        48.0, ge=24, le=8760, description="Hours for which the answer to an Idempotency-Key is kept."
    )
    session_hours: float = Field(12.0, gt=0, le=8760, description="Hours after which a browser must sign in again.")
    session_idle_hours: float = Field(
        2.0, gt=0, le=8760, description="Hours without use after which a browser must sign in again."
    )
    secure_cookies: bool = Field(
        False, description="Send session cookies over HTTPS only; set it wherever browsers reach Holdfast by HTTPS."
    )
    tls_certificate: str | None = Field(
        None, min_length=1, description="A file with the certificate chain (PEM): the server speaks HTTPS by itself."
    )
    tls_key: str | None = Field(None, min_length=1, description="The file with the certificate's private key (PEM).")
    allowed_hosts: str = Field(
        "*",
        min_length=1,
        description="Names, separated by commas, by which browsers may call the server (Host); * is any name.",
    )
    trusted_proxies: str = Field(
        "127.0.0.1",
        description="Addresses, separated by commas, whose X-Forwarded-* headers are believed; * is everybody.",
    )
    connections_max: int = Field(
        1000, ge=10, le=1_000_000, description="Most open connections of a process; the idlest is closed for another."
    )
    address_connections_max: int = Field(
        200, ge=1, le=1_000_000, description="Most open connections of one address that is no trusted proxy."
    )
    caller_requests_max: int = Field(
        100,
        ge=1,
        le=100_000,
        description="Most requests of one key, user or till that are answered at once (429); an organisation has four "
        "times as many.",
    )
    read_seconds: float = Field(
        30.0, gt=0, le=3600, description="Longest that a read may take before it is given up (503)."
    )
    shutdown_seconds: int = Field(
        20, ge=1, le=600, description="Seconds that a shutdown waits for requests that are being answered."
    )

    @property
    def secure(self) -> bool:
        """Do browsers reach the server by HTTPS alone?"""
        return self.secure_cookies or self.tls_certificate is not None


def load(**options: Any) -> Config:
    """The settings from options (those that are not None), environment and `.env`; raises WrongSettings."""
    given = {name: value for name, value in options.items() if value is not None}
    problems: list[str] = []
    try:
        problems += _misspelt({**os.environ, **dotenv_values(ENV_FILE)})
        config = Config(**given)
    except ValidationError as error:
        problems += [_plain(problem, given) for problem in error.errors()]
    except UnicodeDecodeError as error:
        raise WrongSettings([f"{ENV_FILE} is not UTF-8 text"]) from error
    if problems:
        raise WrongSettings(problems)
    return config


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def allowed(name: str) -> str:
    """What a setting may be, in words."""
    field = Config.model_fields[name]
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(map(str, get_args(field.annotation)))
    if field.annotation is bool:
        return "true or false"
    kind = {"int": "a whole number", "float": "a number"}.get(getattr(field.annotation, "__name__", ""), "text")
    bounds: dict[str, Any] = {}
    for constraint in field.metadata:
        for bound in ("ge", "gt", "le"):
            if hasattr(constraint, bound):
                bounds[bound] = getattr(constraint, bound)
    if "gt" in bounds:
        return f"{kind} above {bounds['gt']}, at most {bounds['le']}"
    return f"{kind} from {bounds['ge']} to {bounds['le']}" if "ge" in bounds else kind


def _plain(problem: Any, given: dict[str, Any]) -> str:
    name = str(problem["loc"][0])
    source = f"--{name.replace('_', '-')}" if name in given else variable(name)
    if problem["type"] == "value_error":
        return f"{source} is wrong: {problem['msg'].removeprefix('Value error, ')}"
    return f"{source} is {str(problem['input'])[:100]!r}, but it must be {allowed(name)}"


def _misspelt(names: Iterable[str]) -> Iterable[str]:
    known = [name.upper() for name in Config.model_fields]
    for name in names:
        rest = name.upper().removeprefix(PREFIX)
        if not name.upper().startswith(PREFIX) or rest in known or _NOT_OURS.fullmatch(rest):
            continue
        close = get_close_matches(rest, known, n=1, cutoff=_SIMILAR)
        if close:
            yield f"{name} is no setting; did you mean {PREFIX}{close[0]}?"
