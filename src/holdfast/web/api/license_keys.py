"""License keys over HTTP: a pool for each digital product.

    POST /api/v1/products/GAME-1/license-keys {"keys": ["AAAA-BBBB", "CCCC-DDDD"]}     -> 2 added
    GET  /api/v1/products/GAME-1/license-keys              -> how many, and their last characters

No answer here has a key: it is in the sale that has it, for who may see that.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from holdfast.access import Permission
from holdfast.core.organisation.key_pool import AddedKeysDocument, AddLicenseKeys
from holdfast.core.records.license_key import KEYS_MAX, KeyStatus
from holdfast.core.records.rejection import Code
from holdfast.encryption import NoSecretKey, encrypted_key
from holdfast.web.http.problems import Problem, invalid
from holdfast.web.http.route import CURSOR, LIMIT, Call, PlannedCommand, Route, encode, found, reference
from holdfast.web.http.secret_fields import SECRET
from holdfast.web.http.strict_json import Text

Keys = Annotated[list[Text], Meta(min_length=1, max_length=KEYS_MAX, extra=SECRET)]


class LicenseKeysBody(msgspec.Struct, forbid_unknown_fields=True):
    """Keys for the pool; those that the product has had before are passed over."""

    keys: Keys


class PooledKey(msgspec.Struct):
    """A key by its last characters, and who has it."""

    id: str
    hint: str
    status: KeyStatus
    sale_id: str | None
    line_id: str | None
    created_at: str
    updated_at: str


class KeyPool(msgspec.Struct):
    """How many keys there are in each status, how many sales wait for, and for managers which they are."""

    product_id: str
    sku: str
    free: int
    sold: int
    blocked: int
    owed: int
    items: list[PooledKey]
    next_cursor: str | None


def plan_add_keys(call: Call) -> PlannedCommand:
    """Add keys to the pool of a product."""
    body: LicenseKeysBody = call.body
    for index, key in enumerate(body.keys):
        if key != key.strip():
            raise invalid(f"keys.{index}", "has white space around it.")
    try:
        keys = tuple(encrypted_key(call.shop.cipher, call.actor.org_id, key) for key in body.keys)
    except NoSecretKey as error:
        raise Problem("INVALID_STATE", str(error)) from error
    means = sha256(" ".join(key.digests[0] for key in keys).encode()).hexdigest()
    return PlannedCommand(AddLicenseKeys(reference(call.args["id"]), keys), encode, means=means)


def read_keys(call: Call) -> Any:
    """The pool of a product."""
    name = call.args["id"]
    pool = call.shop.reports.license_keys(call.actor.org_id, reference(name), **call.paging())
    return found(pool, Code.PRODUCT_NOT_FOUND, "Product", name)


def without_keys(document: dict[str, Any]) -> dict[str, Any]:
    """The counts alone."""
    return {**document, "items": [], "next_cursor": None}


_PATH = "/api/v1/products/{id}/license-keys"

ROUTES = (
    Route(
        method="POST",
        path=_PATH,
        summary="Add license keys of a digital product",
        about="Each unit that is sold takes one of them, and no two buyers get the same. Sales that wait for keys are "
        "served first, the oldest one at the beginning. A key that the product has had before, in whatever status, is "
        "passed over and counted in `known`. They are encrypted in the database.",
        tag="License keys",
        permission=Permission.MANAGE,
        plan=plan_add_keys,
        body=LicenseKeysBody,
        answer=AddedKeysDocument,
        status=201,
        codes=(Code.PRODUCT_NOT_FOUND, Code.INVALID_STATE),
        example={"keys": ["7GQX-11PA-K7QX", "9BMD-42LC-X0TT"]},
        looks_up=True,
    ),
    Route(
        method="GET",
        path=_PATH,
        summary="Read the pool of a product's license keys",
        about="Counts by status, and how many keys are owed to sales. Managers see each key's last characters and the "
        "sale that has it; for others `items` is empty.",
        tag="License keys",
        permission=Permission.READ,
        answer_with=read_keys,
        hide=without_keys,
        answer=KeyPool,
        codes=(Code.PRODUCT_NOT_FOUND,),
        query=(CURSOR, LIMIT),
    ),
)
