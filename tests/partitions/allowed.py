"""The statements that may touch more than one partition, each by the function that sends it, with its reason."""

from __future__ import annotations

from typing import NamedTuple


class Allowed(NamedTuple):
    """What may be wide: every statement of `sender`, or, with `only_unnamed`, those that name no organisation."""

    sender: str
    reason: str
    only_unnamed: bool = False

    def allows(self, sender: str, *, named: bool) -> bool:
        """Is a wide statement of this sender allowed? `named` says whether it has a parameter `org`."""
        return sender == self.sender and not (self.only_unnamed and named)


_WHO = "the address is all that is known: who is who tells the organisation"
_BEFORE = "a key or token of before does not name its organisation; those that are made today do"
_SWEEP = "the sweeper looks for work of every organisation, and does it for each by itself"

ALLOWED = (
    Allowed("holdfast.db.credentials.key_of", _BEFORE, True),
    Allowed("holdfast.db.credentials.users_of", _WHO),
    Allowed("holdfast.db.credentials.browser_session_of", _BEFORE, True),
    Allowed("holdfast.db.credentials.till_of", _BEFORE, True),
    Allowed("holdfast.db.browser_sessions.pending", _BEFORE, True),
    Allowed("holdfast.db.attempts.forget_attempts", _SWEEP),
    Allowed(
        "holdfast.db.organisations.organisations", "the command line finds an organisation by its name, or lists them"
    ),
    Allowed("holdfast.db.imports.due", _SWEEP),
    Allowed("holdfast.db.queries.settling.due", _SWEEP),
    Allowed("holdfast.db.queries.stuck.levels_beside", _SWEEP),
    Allowed("holdfast.db.queries.stuck.levels_beside", _SWEEP),
    Allowed("holdfast.db.upkeep.day_ends._due", _SWEEP),
    Allowed("holdfast.db.upkeep.totals.forget_answers", _SWEEP),
    Allowed("holdfast.db.upkeep.totals.totals", "the metrics of a server are those of all its organisations together"),
    Allowed("holdfast.db.audit_stream.AuditStream._stream", "`check` without --org proves everybody's rows", True),
)
