"""How somebody wants the pages: light or dark, dense or not, and which store; kept for each person in each browser.

    look = look_of(cookies, mark, secure=False)         -> Look("dark", "compact", "0190-...")
    look_cookies(look, mark, secure=False)              -> the Set-Cookie values that keep it

It is a cookie of the person's own, so that two people at one browser each have theirs; another one, of nobody, has the
theme for who has not signed in. It holds no secret. What is no such word is what the system says.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from holdfast.core.records.text import uuid_text
from holdfast.web.identity.cookies import cookie, cookie_name

LOOK_COOKIE = "holdfast_look"
LOOK_SECONDS = 365 * 24 * 3600

SYSTEM = "system"
THEMES = (SYSTEM, "light", "dark")
DENSITIES = ("comfortable", "compact")


class Look(msgspec.Struct, frozen=True):
    """A theme, a density, and the id of the store that was chosen last (empty: all)."""

    theme: str = SYSTEM
    density: str = DENSITIES[0]
    store: str = ""


def look_of(cookies: Mapping[str, str], mark: str, *, secure: bool) -> Look:
    """The look of the caller with that mark, or of nobody (an empty mark)."""
    parts = cookies.get(cookie_name(_name(mark), secure=secure), "").split(".")
    theme, density, store = (*parts, "", "", "")[:3]
    return Look(
        theme if theme in THEMES else SYSTEM, density if density in DENSITIES else DENSITIES[0], uuid_text(store) or ""
    )


def look_cookies(look: Look, mark: str, *, secure: bool) -> list[str]:
    """The Set-Cookie values that keep a look for its person, and its theme for who has not signed in."""
    own = f"{look.theme}.{look.density}.{look.store}"
    kept = [(_name(mark), own), (LOOK_COOKIE, look.theme)]
    return [cookie(name, value, secure=secure, seconds=LOOK_SECONDS) for name, value in kept]


def _name(mark: str) -> str:
    return f"{LOOK_COOKIE}_{mark}" if mark else LOOK_COOKIE
