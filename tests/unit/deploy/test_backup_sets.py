from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from core.errors import ConfigurationError, Tampered
from deploy.backup import sets
from deploy.postgres import client

NOW = datetime(2026, 11, 26, 20, 30, tzinfo=UTC)


def a_set(parent: Path, kind: sets.Kind = "keys", made_at: datetime = NOW) -> Path:
    with sets.made(parent, kind, made_at, {"todoku": "1"}) as (draft, final):
        (draft / "keys.dump").write_bytes(b"content")
    return final


def test_a_set_is_named_by_its_time_and_says_what_is_in_it(tmp_path: Path) -> None:
    made = a_set(tmp_path)
    assert made.name == "todoku-keys-20261126T203000Z"
    assert a_set(tmp_path, "databases").name == "todoku-20261126T203000Z"
    manifest = sets.check(made, "keys")
    assert (manifest.made_at, manifest.versions, manifest.files["keys.dump"].bytes) == (NOW, {"todoku": "1"}, 7)


def test_nobody_else_may_read_a_set(tmp_path: Path) -> None:
    made = a_set(tmp_path)
    assert made.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.iterdir()} == {0o600}


def test_of_a_set_that_fails_on_the_way_nothing_is_left(tmp_path: Path) -> None:
    with suppress(ZeroDivisionError), sets.made(tmp_path, "keys", NOW, {}) as (draft, _):
        (draft / "keys.dump").write_bytes(b"half" * (1 // 0))
    assert list(tmp_path.iterdir()) == []


def test_a_set_never_replaces_another(tmp_path: Path) -> None:
    made = a_set(tmp_path)
    with pytest.raises(ConfigurationError, match="already"):
        a_set(tmp_path)
    sets.check(made, "keys")


SPOILT: dict[str, tuple[Callable[[Path], object], type[Exception]]] = {
    "altered": (lambda made: (made / "keys.dump").write_bytes(b"contenT"), Tampered),
    "cut short": (lambda made: (made / "keys.dump").write_bytes(b"cont"), Tampered),
    "missing": (lambda made: (made / "keys.dump").unlink(), Tampered),
    "without its manifest": (lambda made: (made / "manifest.json").unlink(), ConfigurationError),
    "with half a manifest": (lambda made: (made / "manifest.json").write_bytes(b'{"format": 1,'), ConfigurationError),
    "of a later form": (
        lambda made: (made / "manifest.json").write_bytes(orjson.dumps({"format": 2, "kind": "keys"})),
        ConfigurationError,
    ),
    "that names a file elsewhere": (
        lambda made: (made / "manifest.json").write_bytes(
            (made / "manifest.json").read_bytes().replace(b"keys.dump", b"../../etc/passwd")
        ),
        Tampered,
    ),
}


@pytest.mark.parametrize(("spoil", "error"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_set_is_refused(tmp_path: Path, spoil: Callable[[Path], object], error: type[Exception]) -> None:
    made = a_set(tmp_path)
    spoil(made)
    with pytest.raises(error):
        sets.check(made, "keys")


def test_keys_are_not_taken_for_databases(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="keys"):
        sets.check(a_set(tmp_path), "databases")


def test_sets_older_than_asked_expire_and_those_of_the_other_kind_do_not(tmp_path: Path) -> None:
    old = [a_set(tmp_path, made_at=NOW - timedelta(days=days)) for days in (40, 31)]
    a_set(tmp_path, made_at=NOW - timedelta(days=29))
    a_set(tmp_path, "databases", made_at=NOW - timedelta(days=40))
    assert sets.expired(tmp_path, "keys", NOW, 30) == old
    assert sets.expired(tmp_path, "keys", NOW, 400) == []


@pytest.mark.parametrize(
    ("dsn", "bare", "password"),
    [
        ("postgresql://u:p%40ss@h:5/d?sslmode=disable", "postgresql://u@h:5/d?sslmode=disable", "p@ss"),
        ("postgresql://u@h/d?password=hush&sslmode=require", "postgresql://u@h/d?sslmode=require", "hush"),
        ("postgresql://h/d", "postgresql://h/d", None),
    ],
)
def test_no_password_stands_on_a_command_line(dsn: str, bare: str, password: str | None) -> None:
    assert client.apart(dsn) == (bare, {} if password is None else {"PGPASSWORD": password})
