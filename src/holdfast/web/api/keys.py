"""API keys over HTTP: made, narrowed, rolled, revoked.

    POST /api/v1/api-keys {"name": "till 3", "role": "cashier", "stores": ["MAIN"]}       -> the key, this once
    POST /api/v1/api-keys {"role": "staff", "permissions": ["stock:read"], "addresses": ["203.0.113.0/24"]}
    POST /api/v1/api-keys/{id}/roll {"overlap_hours": 2}                                    -> a new secret, this once

Nobody makes or changes a key that may do more than they may: the core says so, under its lock. A key is never shown
again; its last four characters are.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.access import Permission, Role
from holdfast.core.organisation.changes import ApiKey
from holdfast.core.organisation.keys import OVERLAP_HOURS, Addresses, ChangeKey, Hours, Permissions, RemoveKey
from holdfast.core.organisation.users import Stores as StoreNames
from holdfast.core.records.command import Command, given
from holdfast.core.records.permission import RoleName
from holdfast.core.records.rejection import Code
from holdfast.db.queries.records import api_key_fields
from holdfast.organisation import new_key, rolled_key
from holdfast.web.api.organisation import seen, within
from holdfast.web.api.shapes import KeyDocument, NewKeyDocument
from holdfast.web.http.problems import Problem
from holdfast.web.http.route import PAGED, Call, PlannedCommand, Route, encode
from holdfast.web.http.strict_json import Instant, Text, instant


class KeyBody(msgspec.Struct, forbid_unknown_fields=True):
    """An API key; no stores mean all of them, no permissions all that the role has, no addresses any."""

    role: RoleName
    name: Text | None = None
    stores: StoreNames | None = None
    permissions: Permissions | None = None
    addresses: Addresses | None = None
    expires_at: Instant | None = None


class KeyChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of an API key."""

    name: Text | UnsetType = UNSET
    role: RoleName | UnsetType = UNSET
    stores: StoreNames | UnsetType = UNSET
    permissions: Permissions | UnsetType | None = UNSET
    addresses: Addresses | UnsetType | None = UNSET
    expires_at: Instant | UnsetType | None = UNSET


class RollBody(msgspec.Struct, forbid_unknown_fields=True):
    """For how many hours the old secret works beside the new one."""

    overlap_hours: Hours = OVERLAP_HOURS


def _render(key: ApiKey) -> bytes:
    return encode(api_key_fields(key))


def _told_once(command: Command, api_key: str) -> PlannedCommand:
    """The command whose answer tells the key. What is kept for an Idempotency-Key does not hold it."""

    def render(key: ApiKey) -> bytes:
        return encode({**api_key_fields(key), "api_key": None})

    def finish(kept: bytes) -> bytes:
        return encode({**msgspec.json.decode(kept), "api_key": api_key})

    return PlannedCommand(command, render, finish)


def plan_add(call: Call) -> PlannedCommand:
    """Make an API key."""
    body: KeyBody = call.body
    new = new_key(
        call.actor.org_id,
        Role(body.role),
        body.stores or (),
        name=body.name or body.role,
        permissions=body.permissions,
        addresses=body.addresses,
        expires_at=_expiry(body.expires_at),
    )
    return _told_once(new.command, new.api_key)


def plan_change(call: Call) -> PlannedCommand:
    """Change an API key."""
    fields = given(call.body)
    if "expires_at" in fields:
        fields["expires_at"] = _expiry(fields["expires_at"])
    return PlannedCommand(ChangeKey(_id(call), **fields), _render)


def plan_roll(call: Call) -> PlannedCommand:
    """Give an API key a new secret."""
    rolled = rolled_key(call.actor.org_id, _id(call), overlap_hours=call.body.overlap_hours)
    return _told_once(rolled.command, rolled.api_key)


def plan_remove(call: Call) -> Command:
    """Revoke an API key: it is dead everywhere within a second."""
    return RemoveKey(_id(call))


def list_keys(call: Call) -> Any:
    """Active API keys."""
    return call.shop.reports.api_keys(call.actor.org_id, within=within(call), **call.paging())


def read_key(call: Call) -> Any:
    """An API key."""
    key_id = _id(call)
    key = call.shop.reports.api_key(call.actor.org_id, key_id)
    if key is None or not key["active"]:
        raise Problem("NOT_FOUND", f"API key {key_id!r} does not exist.")
    return seen(call, key, "API key")


def _expiry(text: str | None) -> int | None:
    return None if text is None else instant("expires_at", text, Code.INVALID_EXPIRY)


def _id(call: Call) -> str:
    return call.id(Code.NOT_FOUND, "API key")


_KEYS = "/api/v1/api-keys"
_KEY = f"{_KEYS}/{{id}}"
_SHARED: dict[str, Any] = {"tag": "API keys", "permission": Permission.CONFIGURE}
_TOLD_ONCE = (
    "`api_key` is told this once and kept only as a hash: a replay (`Idempotent-Replayed: true`) answers the same with "
    "`api_key` null. "
)

ROUTES = (
    Route(
        method="POST",
        path=_KEYS,
        summary="Make an API key",
        about=f"{_TOLD_ONCE}Whoever lost the first answer removes the key and makes another. `permissions` narrow what "
        "the role may, `addresses` (CIDR) from where; a request from elsewhere is 403. From `expires_at` on it is 401.",
        plan=plan_add,
        body=KeyBody,
        answer=NewKeyDocument,
        status=201,
        codes=(Code.STORE_NOT_FOUND, Code.INVALID_EXPIRY),
        example={"name": "till 3", "role": "cashier", "stores": ["MAIN"]},
        **_SHARED,
    ),
    Route(
        method="GET",
        path=_KEYS,
        summary="List API keys",
        about="Who is limited to stores sees those limited to some of the same stores, and their own key. "
        "`last_used_at` is at most some minutes behind.",
        answer_with=list_keys,
        answer=[KeyDocument],
        query=PAGED,
        **_SHARED,
    ),
    Route(
        method="GET",
        path=_KEY,
        summary="Read an API key",
        answer_with=read_key,
        answer=KeyDocument,
        codes=(Code.NOT_FOUND,),
        **_SHARED,
    ),
    Route(
        method="PATCH",
        path=_KEY,
        summary="Change an API key",
        about="It is so everywhere within a second.",
        plan=plan_change,
        body=KeyChange,
        answer=KeyDocument,
        codes=(Code.NOT_FOUND, Code.STORE_NOT_FOUND, Code.INVALID_EXPIRY, Code.INVALID_STATE),
        example={"permissions": ["stock:read", "sales:create"], "expires_at": "2031-01-31T12:00:00Z"},
        **_SHARED,
    ),
    Route(
        method="POST",
        path=f"{_KEY}/roll",
        summary="Give an API key a new secret",
        about=f"{_TOLD_ONCE}The old secret works for `overlap_hours` more (24 where nothing is said; 0: it is dead "
        "within a second), and is shown as `previous`. A key has two secrets at most: whatever it had before is dead.",
        plan=plan_roll,
        body=RollBody,
        answer=NewKeyDocument,
        codes=(Code.NOT_FOUND, Code.INVALID_STATE),
        example={"overlap_hours": 2},
        **_SHARED,
    ),
    Route(
        method="DELETE",
        path=_KEY,
        summary="Remove an API key",
        plan=plan_remove,
        status=204,
        codes=(Code.NOT_FOUND, Code.INVALID_STATE),
        **_SHARED,
    ),
)
