"""The second factor: codes of an authenticator app (RFC 6238: SHA-1, 6 digits, 30 seconds), and recovery codes.

    secret = new_secret()
    link(secret, "ana@shop.example", "Arco Iris")      -> "otpauth://totp/..."
    used(factor, "123456", now)                        -> the factor after it, or None: wrong, or used before

A step is taken once, and one step earlier or later, because clocks differ. Recovery codes are kept as SHA-256: 138
random bits need no slower hash; each is good once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

import pyotp
import segno

from holdfast.db.browser_sessions import Factor

STEP_SECONDS = 30
CODES = 10
"""Recovery codes that are made together."""

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_CODE_PARTS = 4
_PART_CHARACTERS = 7
_APP_CODE = re.compile(r"[0-9]{6}")


def new_secret() -> str:
    """A secret of 160 bits, in base32."""
    return pyotp.random_base32(32)


def is_secret(text: str) -> bool:
    """Could `new_secret` have made it?"""
    return re.fullmatch(r"[A-Z2-7]{32}", text) is not None


def new_codes() -> list[str]:
    """Recovery codes, told once."""
    return [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_PART_CHARACTERS)) for _ in range(_CODE_PARTS))
        for _ in range(CODES)
    ]


def kept(codes: list[str]) -> tuple[str, ...]:
    """What is kept of recovery codes."""
    return tuple(hashlib.sha256(_bare(code).encode()).hexdigest() for code in codes)


def link(secret: str, email: str, organisation: str) -> str:
    """The address that an authenticator app reads from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=f"Holdfast {organisation}"[:60])


def picture(address: str) -> str:
    """The address as a QR code: an SVG as a data URI."""
    return str(segno.make(address, error="m").svg_data_uri(scale=5, border=3, light="#fff"))


def step_of(secret: str, code: str, now: int) -> int | None:
    """The step that the app's code is of, near `now` (microseconds since 1970)."""
    if not _APP_CODE.fullmatch(code):
        return None
    present = now // 1_000_000 // STEP_SECONDS
    app = pyotp.TOTP(secret)
    for step in (present, present - 1, present + 1):
        if hmac.compare_digest(app.generate_otp(step), code):
            return step
    return None


def used(factor: Factor, text: str, now: int) -> Factor | None:
    """The factor after the code of the app or a recovery code was used; None when it is wrong or was used before."""
    code = _bare(text)
    step = step_of(factor.secret, code, now)
    if step is not None:
        return factor._replace(last_step=step) if step > factor.last_step else None
    digest = hashlib.sha256(code.encode()).hexdigest()
    if digest not in factor.codes:
        return None
    return factor._replace(codes=tuple(one for one in factor.codes if one != digest))


def _bare(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalnum())[:40]
