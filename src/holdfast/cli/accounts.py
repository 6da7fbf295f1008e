"""`holdfast org create`, `user add`, `user reset-password`: organisations and who may act in them; keys are in `keys`.

What is made up here (an API key, a password) is printed once and kept nowhere but as a hash. Passwords given here are
first ones: their users choose another when they sign in.
"""

from __future__ import annotations

import secrets
import sys
from getpass import getpass
from typing import Annotated

import typer

from holdfast.app import Holdfast
from holdfast.cli import keys
from holdfast.cli.choices import AsJson, Org, RoleOption, Stores, store_ids
from holdfast.cli.terminal import (
    Misuse,
    Refusal,
    accepted,
    group_of_commands,
    open_shop,
    ready_database,
    say,
    say_json,
    show,
    tell,
)
from holdfast.core.organisation.sign_in import NoteSecurity
from holdfast.core.organisation.users import ChangeUser
from holdfast.db.browser_sessions import drop_factor
from holdfast.db.credentials import UserRow, users_of
from holdfast.db.organisations import organisations
from holdfast.organisation import command_line, email_of, establish, new_user, password_hash

Email = Annotated[str, typer.Option("--email", help="What they sign in with.")]
Password = Annotated[
    str | None,
    typer.Option(
        "--password",
        help="Their password, for all who may list processes to see; without one it is made up and printed.",
    ),
]
PasswordInput = Annotated[
    bool, typer.Option("--password-stdin", help="Their password is the first line of standard input.")
]

org_commands = group_of_commands("Organisations.")
user_commands = group_of_commands("Users.")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(org_commands, name="org")
    keys.add_to(app)
    app.add_typer(user_commands, name="user")


@org_commands.command("create")
def create_org(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the organisation is called.")],
    owner: Annotated[str, typer.Option("--owner", metavar="EMAIL", help="The owner's email address.")],
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217 code of its money.")] = "USD",
    timezone: Annotated[
        str,
        typer.Option("--timezone", metavar="NAME", help="IANA time zone of it and its first store."),
    ] = "UTC",
    password: Password = None,
    password_stdin: PasswordInput = False,
    as_json: AsJson = False,
) -> None:
    """Make an organisation with a store, an owner and an API key."""
    password = _given(password, from_input=password_stdin)
    with ready_database(begin=True) as database:
        namesakes = organisations(database, name.strip())
        made = establish(
            database, name, owner, currency=currency, timezone=timezone, password=password, first_password=True
        )
    shown = {
        "org_id": made.org_id,
        "store_id": made.store_id,
        "store_code": made.store_code,
        "location": made.location,
        "api_key": made.api_key,
        "key_id": made.key_id,
        "user_id": made.user_id,
        "email": made.email,
    }
    if password is None:
        shown["password"] = made.password
    show(shown, as_json=as_json)
    if namesakes:
        tell(f"Note: another organisation is called {name.strip()!r} too, so --org needs the id.")


@org_commands.command("list")
def list_orgs(as_json: AsJson = False) -> None:
    """List the organisations."""
    with ready_database() as database:
        rows = organisations(database)
    if as_json:
        say_json([{"org_id": row.id, "name": row.name, "currency": row.currency} for row in rows])
        return
    for row in rows:
        say(f"{row.id}  {row.currency}  {row.name}")


@user_commands.command("add")
def add_user(
    org: Org,
    email: Email,
    role: RoleOption,
    store: Stores = None,
    password: Password = None,
    password_stdin: PasswordInput = False,
    as_json: AsJson = False,
) -> None:
    """Add somebody who may sign in."""
    password = _given(password, from_input=password_stdin)
    with open_shop(org) as (shop, organisation):
        stores = store_ids(shop, organisation.id, store)
        new = new_user(email, role, stores, password=password, first_password=True, organisation=organisation.name)
        record = accepted(shop.do(command_line(organisation.id), new.command).answer)
    shown = {"user_id": record.id, "email": record.email, "role": record.role, "stores": list(record.stores)}
    if password is None:
        shown["password"] = new.password
    show(shown, as_json=as_json)


@user_commands.command("reset-password")
def reset_password(org: Org, email: Email, as_json: AsJson = False) -> None:
    """Give somebody a first password: a line of standard input, or, when that is empty, one that is made up.

    All their sessions end. At the next sign-in they choose another password.
    """
    with open_shop(org) as (shop, organisation):
        user = _user(shop, organisation.id, email)
        chosen = _from_input("New password (empty: one is made up): ")
        password = chosen or secrets.token_urlsafe(16)
        made = password_hash(password, email=user.email, organisation=organisation.name)
        command = ChangeUser(user.id, password_hash=made, first_password=True)
        accepted(shop.do(command_line(organisation.id), command).answer)
    shown = {"user_id": user.id, "email": user.email} | ({} if chosen else {"password": password})
    show(shown, as_json=as_json)


@user_commands.command("reset-totp")
def reset_totp(org: Org, email: Email, as_json: AsJson = False) -> None:
    """Take away somebody's second step: who has lost phone and recovery codes signs in with the password alone."""
    with open_shop(org) as (shop, organisation):
        user = _user(shop, organisation.id, email)
        removed = drop_factor(shop.database, organisation.id, user.id)
        if removed:
            note = NoteSecurity("second_factor_off", "app_user", user.id)
            accepted(shop.do(command_line(organisation.id), note).answer)
    show({"user_id": user.id, "email": user.email, "removed": removed}, as_json=as_json)


def _user(shop: Holdfast, org_id: str, email: str) -> UserRow:
    """The organisation's user with that email address."""
    wanted = email_of(email)
    user = next((one for one in users_of(shop.database, wanted) if one.org_id == org_id), None)
    if user is None:
        raise Refusal(f"There is no user {wanted!r}.")
    return user


def _given(password: str | None, *, from_input: bool) -> str | None:
    """The password of the options; Misuse when there are two, or when standard input has none."""
    if not from_input:
        if password is not None:
            tell("Note: others on this machine can see what stands on a command line; --password-stdin hides it.")
        return password
    if password is not None:
        raise Misuse("Give --password or --password-stdin, not both.")
    read = _from_input("Password: ")
    if not read:
        raise Misuse("--password-stdin found no line on standard input.")
    return read


def _from_input(asked: str) -> str:
    """A secret from standard input: not shown on a terminal, the first line of a file or pipe."""
    if sys.stdin.isatty():
        return getpass(asked)
    return sys.stdin.readline().rstrip("\r\n")
