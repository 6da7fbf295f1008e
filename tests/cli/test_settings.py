"""Settings: named, bounded, and never silently wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli import run
from holdfast.settings import Config, WrongSettings, allowed, load, variable


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in Config.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    return tmp_path


def test_the_defaults_are_those_of_the_documentation() -> None:
    config = load()

    assert (config.database_url, config.host, config.port) == ("sqlite:///holdfast.db", "127.0.0.1", 8000)


def test_every_setting_says_what_it_is() -> None:
    for name, field in Config.model_fields.items():
        assert field.description, name
        assert not field.is_required(), name
        assert allowed(name), name


def test_options_beat_the_environment_and_that_beats_the_file(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / ".env").write_text("HOLDFAST_PORT=1\nHOLDFAST_HOST=a\nHOLDFAST_LOG_LEVEL=DEBUG\nOTHER=1\n")
    monkeypatch.setenv("HOLDFAST_PORT", "2")
    monkeypatch.setenv("HOLDFAST_HOST", "b")

    config = load(port=3, host=None)

    assert (config.port, config.host, config.log_level) == (3, "b", "debug")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HOLDFAST_PORT", "http", "whole number from 0 to 65535"),
        ("HOLDFAST_WORKERS", "0", "whole number from 1 to 64"),
        ("HOLDFAST_LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("HOLDFAST_SECURE_COOKIES", "maybe", "true or false"),
        ("HOLDFAST_SWEEP_SECONDS", "0", "above 0"),
        ("HOLDFAST_SWEEP_SECONDS", "nan", "above 0"),
        ("HOLDFAST_IDEMPOTENCY_HOURS", "1", "from 24"),
        ("HOLDFAST_DATABASE_URL", "mysql://u:secret@h/d", "sqlite:///file.db"),
        ("HOLDFAST_DATABSE_URL", "sqlite:///x.db", "did you mean HOLDFAST_DATABASE_URL"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)

    assert run(["org", "list"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"holdfast: {name} is ") and words in printed.err
    assert printed.err.count("\n") == 1 and "secret" not in printed.err


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_PORT", "x")
    monkeypatch.setenv("HOLDFAST_WORKERS", "y")

    with pytest.raises(WrongSettings) as caught:
        load()

    assert len(caught.value.problems) == 2


def test_a_misspelt_name_in_the_file_is_found(elsewhere: Path) -> None:
    (elsewhere / ".env").write_text("HOLDFAST_DATABASE_URI=sqlite:///x.db\n")

    with pytest.raises(WrongSettings, match="did you mean HOLDFAST_DATABASE_URL"):
        load()


@pytest.mark.parametrize("name", ["HOLDFAST_TEST_POSTGRES_URL", "HOLDFAST_SERVICE_PORT", "HOLDFAST_PORT_8000_TCP"])
def test_names_of_others_may_stand_beside_ours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")

    load()
