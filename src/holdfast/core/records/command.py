"""A command is declared once: what it is, who decides it, and who may give it.

    class Reserve(Command, frozen=True, gc=False): ...
    def reserve_for(stock, command) -> Reservation: ...
    DECISIONS = (Decision(Reserve, reserve_for, Permission.RESERVE), ...)

Each module of the core ends with its DECISIONS; `decide` and `holdfast.access` are made of them. A command carries
outer values (a price is "19.99", a quantity a plain number, an instant microseconds since 1970): they are converted in
the decision, under its lock. `UNSET` in a change means that a field stays as it is, None that it is taken away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from holdfast.core.records.permission import Permission


class Command(msgspec.Struct, frozen=True, gc=False):
    """Something that an actor asks for."""


class CommandGroup(Command, frozen=True, gc=False):
    """Several commands in one: all or nothing when `atomic`, else each on its own. Answers a list."""

    commands: tuple[Any, ...]
    atomic: bool = True


class Decision(NamedTuple):
    """A command, the function that decides it, and the permission that it needs.

    `changes_catalog` says that it writes a record that other decisions look up. `of_session` says that it means the
    caller's register session: the same command from another session is another command. `of_all_stores` says that it
    changes what all stores share: a caller who is limited to some stores may not.
    """

    command: type[Command]
    decide: Callable[[Any, Any], Any]
    permission: Permission
    changes_catalog: bool = False
    of_session: bool = False
    of_all_stores: bool = False


ALL_STORES = "This is about all stores; you are assigned to some."
"""The refusal for a caller who is limited to stores and would change what all stores share."""


def given(command: Any, *besides: str) -> dict[str, Any]:
    """The fields of a change that were given, None ones included; without those that only name the record."""
    return {
        name: value
        for name in command.__struct_fields__
        if name not in besides and (value := getattr(command, name)) is not msgspec.UNSET
    }
