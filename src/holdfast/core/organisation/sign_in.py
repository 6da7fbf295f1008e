"""What people change of their own way in, and what the audit log keeps of signing in.

    ChangeOwnPassword(user_id, "$argon2id$...")          -> the user; their sessions end
    ChangeOwnPin(user_id, NewPin(...))                   -> the user
    RefreshPin(user_id, "<old hash>", NewPin(...))       -> the same PIN, kept in the present way
    NoteSecurity("sign_in_failed", "app_user", "<id>")   -> a line of the audit log, and the event of a lock

Everybody may change what is their own and nothing else: the caller's name must be that of the user. What the audit
log keeps never holds a secret. Whether a password or code was right is decided where it was entered.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from holdfast.core.organisation.changes import Audit, User, existing, put
from holdfast.core.organisation.pin import NewPin, PinHash, refuse_taken_pin
from holdfast.core.organisation.users import PasswordHash
from holdfast.core.records.command import Command, Decision
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import Code, Refused
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace

SecurityAction = Literal[
    "sign_in",
    "sign_in_failed",
    "sign_in_locked",
    "sign_out",
    "sessions_ended",
    "second_factor_on",
    "second_factor_off",
    "recovery_code_used",
    "pin_wrong",
    "pin_locked",
    "cashier_changed",
    "refused",
]
"""What is noted beside the changes of records."""

Short = Annotated[str, Meta(max_length=200)]


class ChangeOwnPassword(Command, frozen=True, gc=False):
    """Choose one's own password; all sessions begun until now end."""

    user_id: str
    password_hash: PasswordHash


class ChangeOwnPin(Command, frozen=True, gc=False):
    """Choose one's own PIN, or have none."""

    user_id: str
    pin: NewPin | None = None


class RefreshPin(Command, frozen=True, gc=False):
    """Keep a PIN that was just entered in the present way, if it still is what it was."""

    user_id: str
    before: PinHash
    pin: NewPin


class NoteSecurity(Command, frozen=True, gc=False):
    """Write a line into the audit log; `count` says for how many it stands, `new_device` that a browser is new."""

    action: SecurityAction
    kind: Short
    record_id: Short
    detail: Short = ""
    count: Annotated[int, Meta(ge=1, le=10**9)] = 1
    new_device: bool = False


def change_own_password(stock: Stock, command: ChangeOwnPassword) -> User:
    """Decide a ChangeOwnPassword."""
    user = _own(stock, command.user_id)
    changed = replace(
        user,
        password_hash=command.password_hash,
        first_password=False,
        sessions_from=stock.now,
        updated_at=stock.now,
    )
    put(stock, "app_user", changed)
    return changed


def change_own_pin(stock: Stock, command: ChangeOwnPin) -> User:
    """Decide a ChangeOwnPin."""
    user = _own(stock, command.user_id)
    pin = command.pin
    if pin is not None:
        refuse_taken_pin(stock, pin, user.id)
    changed = replace(
        user,
        pin_hash=None if pin is None else pin.hash,
        pin_index=None if pin is None else pin.index,
        updated_at=stock.now,
    )
    put(stock, "app_user", changed)
    return changed


def refresh_pin(stock: Stock, command: RefreshPin) -> bool:
    """Decide a RefreshPin: it says nothing new, so the audit log says nothing of it."""
    user: User = existing(stock, "app_user", command.user_id)
    if user.pin_hash != command.before:
        return False
    stock.put_record("app_user", user.id, replace(user, pin_hash=command.pin.hash, pin_index=command.pin.index))
    return True


def note_security(stock: Stock, command: NoteSecurity) -> bool:
    """Decide a NoteSecurity."""
    changes: dict[str, Any] = {}
    if command.detail:
        changes["detail"] = command.detail
    if command.count > 1:
        changes["count"] = command.count
    if command.new_device:
        changes["new_device"] = True
    audit = Audit(
        id=stock.new_id(),
        actor=stock.caller.actor,
        action=command.action,
        kind=command.kind,
        record_id=command.record_id,
        changes=changes,
        created_at=stock.now,
        address=stock.caller.address,
        request_id=stock.caller.request_id,
    )
    stock.put_record("audit", audit.id, audit)
    data = {"kind": command.kind, "id": command.record_id}
    if command.action == "sign_in_locked":
        stock.tell("SignInLocked", None, data)
    elif command.action == "pin_locked":
        stock.tell("PinLocked", None, data)
    elif command.new_device:
        stock.tell("SignedInFromNewDevice", None, data)
    return True


def _own(stock: Stock, user_id: str) -> User:
    user: User = existing(stock, "app_user", user_id)
    if stock.caller.actor != f"user:{user.email}"[:200]:
        raise Refused(Code.FORBIDDEN, "This changes what is your own, and you are somebody else.")
    return user


DECISIONS = (
    Decision(ChangeOwnPassword, change_own_password, Permission.READ, changes_catalog=True),
    Decision(ChangeOwnPin, change_own_pin, Permission.READ, changes_catalog=True),
    Decision(RefreshPin, refresh_pin, Permission.CONFIGURE),
    Decision(NoteSecurity, note_security, Permission.READ),
)
