"""Encryption of license keys: they lie in the database as tokens that nobody reads without a secret key.

    cipher = Cipher("sqlite:///shop.db", None)
    token = cipher.encrypt(org_id, "AAAA-BBBB")            -> "hfk1.pX3..."
    cipher.decrypt(org_id, token)                          -> "AAAA-BBBB"; None where it is none of ours, or was changed
    cipher.decrypted(org_id, b'{"key": "hfk1.pX3..."}')    -> b'{"key": "AAAA-BBBB"}'

AES-256-GCM with a nonce of its own for each token (NIST SP 800-38D); the organisation is authenticated with it, so that
a token of one tells another nothing. The secret keys are those of HOLDFAST_SECRET_KEY, the first of which encrypts and
all of which decrypt. Without the setting a SQLite database has a file beside it, which is made for the first token, for
its owner alone (`shop.db.secret`). It refuses to encrypt without a key (NoSecretKey), and a key that is too short.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
import threading
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from holdfast.core.records.license_key import HINT_LETTERS, EncryptedKey

MARK = b"hfk1."
"""What a token begins with."""

KEY_LETTERS_MIN = 32
"""Fewest characters of a secret key."""

SUFFIX = ".secret"
"""What the key file beside a SQLite database is called, behind the name of that."""

_NONCE_BYTES = 12
_TOKEN = re.compile(rb'"hfk1\.([A-Za-z0-9_-]{38,})"')


class NoSecretKey(RuntimeError):
    """Nothing can be encrypted: this database has no file beside it, and HOLDFAST_SECRET_KEY is not set."""

    def __init__(self) -> None:
        super().__init__("Set HOLDFAST_SECRET_KEY, the same for every process: license keys are encrypted with it.")


class _SecretKey:
    """What is made of one secret key: to encrypt with, and to tell keys apart by."""

    def __init__(self, text: str) -> None:
        self._aead = AESGCM(_derived(text, b"holdfast license key"))
        self._digests = _derived(text, b"holdfast license key digest")

    def encrypt(self, org_id: str, text: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, text.encode(), org_id.encode())

    def decrypt(self, org_id: str, token: bytes) -> str | None:
        try:
            return self._aead.decrypt(token[:_NONCE_BYTES], token[_NONCE_BYTES:], org_id.encode()).decode()
        except (InvalidTag, ValueError):
            return None

    def digest(self, org_id: str, text: str) -> str:
        return hmac.new(self._digests, f"{org_id} {text}".encode(), sha256).hexdigest()


def _derived(text: str, purpose: bytes) -> bytes:
    """A key of 32 bytes for a purpose."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(text.encode())


class Cipher:
    """Encrypts and decrypts for one database."""

    def __init__(self, database_url: str, secret_key: str | None) -> None:
        """`secret_key` is the setting: keys with commas between, the first of which encrypts."""
        self._given = [_SecretKey(text) for text in parts_of(secret_key)]
        self._file = _file_beside(database_url)
        self._from_file: _SecretKey | None = None
        self._lock = threading.Lock()

    def encrypt(self, org_id: str, text: str) -> str:
        """The text as a token."""
        token = self._keys(make=True)[0].encrypt(org_id, text)
        return MARK.decode() + base64.urlsafe_b64encode(token).decode().rstrip("=")

    def decrypt(self, org_id: str, token: str) -> str | None:
        """The text of a token; None when no key of ours made it for this organisation."""
        if not token.startswith(MARK.decode()):
            return None
        body = token[len(MARK) :]
        try:
            raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        except ValueError:
            return None
        return next((text for key in self._keys() if (text := key.decrypt(org_id, raw)) is not None), None)

    def digests(self, org_id: str, text: str) -> tuple[str, ...]:
        """Keyed hashes of a text, one for each secret key: equal texts have equal ones, and nobody can try them out."""
        return tuple(key.digest(org_id, text) for key in self._keys(make=True))

    def decrypted(self, org_id: str, document: bytes) -> bytes:
        """A JSON document with the texts of its tokens; what cannot be read stays a token."""
        if MARK not in document:
            return document

        def text_of(match: re.Match[bytes]) -> bytes:
            text = self.decrypt(org_id, match.group(0)[1:-1].decode())
            return match.group(0) if text is None else msgspec.json.encode(text)

        return _TOKEN.sub(text_of, document)

    def reader(self, org_id: str) -> Callable[[bytes], bytes]:
        """What `decrypted` does, for one organisation."""
        return partial(self.decrypted, org_id)

    def _keys(self, *, make: bool = False) -> list[_SecretKey]:
        """The keys of the setting, then that of the file beside the database, which is made where none is given."""
        if self._from_file is None and self._file is not None:
            with self._lock:
                if make and not self._given and not self._file.exists():
                    _make(self._file)
                if self._file.exists():
                    self._from_file = _SecretKey(self._file.read_text(encoding="ascii").strip())
        keys = self._given if self._from_file is None else [*self._given, self._from_file]
        if make and not keys:
            raise NoSecretKey
        return keys


def encrypted_key(cipher: Cipher, org_id: str, key: str) -> EncryptedKey:
    """A license key as it may come into the core."""
    hint = key[-min(HINT_LETTERS, len(key) // 2) :] if len(key) > 1 else ""
    return EncryptedKey(cipher.digests(org_id, key), cipher.encrypt(org_id, key), hint)


def parts_of(secret_key: str | None) -> list[str]:
    """The keys of the setting; ValueError when one is too short to be no word."""
    keys = [part.strip() for part in (secret_key or "").split(",") if part.strip()]
    if any(len(key) < KEY_LETTERS_MIN for key in keys):
        raise ValueError(f"each key has at least {KEY_LETTERS_MIN} characters: `openssl rand -base64 32` makes one")
    return keys


def _file_beside(database_url: str) -> Path | None:
    """The key file of a SQLite database; None for others, which several machines may use."""
    if not database_url.startswith("sqlite:///"):
        return None
    return Path(database_url.removeprefix("sqlite:///") + SUFFIX)


def _make(path: Path) -> None:
    """Make a key file that only its owner may read; whoever makes it first has made it."""
    beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            return
    finally:
        beside.unlink()
