"""License keys are encrypted with the keys of the setting, or with a file that only its owner reads."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from holdfast.encryption import Cipher, NoSecretKey, encrypted_key, parts_of
from holdfast.settings import WrongSettings, load

OLD, NEW = "o" * 32, "n" * 32
POSTGRES = "postgresql://user@host/name"


def test_what_was_encrypted_is_read_again_by_its_organisation_alone() -> None:
    cipher = Cipher(POSTGRES, OLD)
    token = cipher.encrypt("org-1", "AAAA-BBBB")

    assert "AAAA" not in token and token != cipher.encrypt("org-1", "AAAA-BBBB")
    assert cipher.decrypt("org-1", token) == "AAAA-BBBB"
    assert cipher.decrypt("org-2", token) is None
    assert cipher.decrypt("org-1", token[:-9] + ("A" if token[-9] != "A" else "B") + token[-8:]) is None
    for other in ("AAAA-BBBB", "hfk1.", "hfk1.x", "hfk1.\u00e9"):
        assert cipher.decrypt("org-1", other) is None


def test_a_new_key_encrypts_and_the_old_one_still_decrypts() -> None:
    old, both, new = Cipher(POSTGRES, OLD), Cipher(POSTGRES, f"{NEW}, {OLD}"), Cipher(POSTGRES, NEW)
    before, after = old.encrypt("org", "KEY"), both.encrypt("org", "KEY")

    assert both.decrypt("org", before) == both.decrypt("org", after) == "KEY"
    assert (old.decrypt("org", after), new.decrypt("org", before)) == (None, None)
    assert old.digests("org", "KEY")[0] in both.digests("org", "KEY")
    assert both.digests("org", "KEY") != both.digests("org-2", "KEY")


def test_tokens_in_a_document_are_read_and_nothing_else_is() -> None:
    cipher = Cipher(POSTGRES, OLD)
    token = cipher.encrypt("org", 'K"1')
    strange = Cipher(POSTGRES, NEW).encrypt("org", "KEY")
    document = f'{{"a": "{token}", "b": "hfk1.none", "c": "{strange}", "d": "x {token}"}}'.encode()

    read = cipher.reader("org")(document)

    assert read == f'{{"a": "K\\"1", "b": "hfk1.none", "c": "{strange}", "d": "x {token}"}}'.encode()


def test_a_sqlite_database_has_a_key_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    """It is made for the first key, once, whoever comes first."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    assert Cipher(url, None).decrypt("org", "hfk1.x") is None
    assert list(tmp_path.iterdir()) == []
    ciphers = [Cipher(url, None) for _ in range(8)]
    gate, tokens = threading.Barrier(8), []

    def work(cipher: Cipher) -> None:
        gate.wait(30)
        tokens.append(cipher.encrypt("org", "KEY"))

    threads = [threading.Thread(target=work, args=(cipher,)) for cipher in ciphers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    [file] = tmp_path.iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("shop.db.secret", 0o600)
    assert {Cipher(url, NEW).decrypt("org", token) for token in tokens} == {"KEY"}
    assert Cipher(f"sqlite:///{tmp_path / 'other.db'}", None).decrypt("org", tokens[0]) is None


def test_without_a_key_nothing_is_encrypted() -> None:
    with pytest.raises(NoSecretKey):
        Cipher(POSTGRES, None).encrypt("org", "KEY")


def test_a_key_that_is_too_short_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_SECRET_KEY", f"{NEW},short")

    with pytest.raises(WrongSettings, match="HOLDFAST_SECRET_KEY is wrong") as told:
        load()
    assert "short" not in str(told.value).replace("short to", "") and NEW not in str(told.value)
    assert parts_of(None) == []


@pytest.mark.parametrize(("key", "hint"), [("7GQX-11PA-K7QX", "K7QX"), ("ABCDE", "DE"), ("AB", "B"), ("A", "")])
def test_a_hint_is_never_more_than_half_of_a_key(key: str, hint: str) -> None:
    assert encrypted_key(Cipher(POSTGRES, OLD), "org", key).hint == hint
