"""A set of backup files: a directory with a manifest that says what is in it, whole or not there at all.

It is written under another name and renamed when everything is on disk. Directories are 0700, files 0600.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import orjson

from core.errors import ConfigurationError, Tampered

Kind = Literal["databases", "keys"]

MANIFEST = "manifest.json"
FORMAT = 1
_PREFIXES: Mapping[Kind, str] = {"databases": "todoku-", "keys": "todoku-keys-"}
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a set."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a set says of itself. `versions`: of Todoku, of the servers, the newest migration of each database."""

    kind: Kind
    made_at: datetime
    versions: Mapping[str, str]
    files: Mapping[str, Entry]


def read(directory: Path) -> Manifest:
    """Return a set's manifest; ConfigurationError if it is none, or of a form that is not ours."""
    try:
        found = orjson.loads((directory / MANIFEST).read_bytes())
        if found["format"] != FORMAT or found["kind"] not in _PREFIXES:
            raise ConfigurationError(f"{directory} is a backup of another form than this version makes")
        files = {str(name): Entry(int(one["bytes"]), str(one["sha256"])) for name, one in found["files"].items()}
        return Manifest(found["kind"], datetime.fromisoformat(found["made_at"]), dict(found["versions"]), files)
    except OSError as error:
        raise ConfigurationError(f"{directory} is not a backup ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigurationError(f"The manifest in {directory} can't be read") from None


def check(directory: Path, kind: Kind) -> Manifest:
    """Return the manifest of a set that is as it was made; raise Tampered naming the file that is not."""
    manifest = read(directory)
    if manifest.kind != kind:
        raise ConfigurationError(f"{directory} holds {manifest.kind}, not {kind}")
    for name, entry in manifest.files.items():
        path = directory / name
        if Path(name).name != name or not path.is_file():
            raise Tampered(f"{name} is missing from {directory}")
        if path.stat().st_size != entry.bytes or digest(path) != entry.sha256:
            raise Tampered(f"{path} is not what the manifest says: it was altered, or not copied whole")
    return manifest


@contextmanager
def made(parent: Path, kind: Kind, made_at: datetime, versions: Mapping[str, str]) -> Iterator[tuple[Path, Path]]:
    """Give (directory to write files into, directory that it becomes at the end); nothing is left of one that failed.

    ConfigurationError if a set of this second is there already, or the place can't be written to.
    """
    final = parent / (_PREFIXES[kind] + made_at.astimezone(UTC).strftime(_STAMP))
    draft = parent / f".{final.name}.{os.getpid()}"
    if final.exists():
        raise ConfigurationError(f"{final} is there already")
    try:
        draft.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise ConfigurationError(f"Can't write to {parent}: {error.strerror}") from None
    try:
        yield draft, final
        _seal(draft, Manifest(kind, made_at, versions, {}))
        draft.rename(final)
        _sync(parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def expired(parent: Path, kind: Kind, now: datetime, days: float) -> list[Path]:
    """Return the sets of a kind that were made more than `days` before `now`, oldest first."""
    found = []
    for path in sorted(parent.glob(f"{_PREFIXES[kind]}*/{MANIFEST}")):
        manifest = read(path.parent)
        if manifest.kind == kind and now - manifest.made_at > timedelta(days=days):
            found.append(path.parent)
    return found


def digest(path: Path) -> str:
    """Return a file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seal(draft: Path, manifest: Manifest) -> None:
    files = {}
    for path in sorted(draft.iterdir()):
        path.chmod(0o600)
        _sync(path)
        files[path.name] = {"bytes": path.stat().st_size, "sha256": digest(path)}
    content = {
        "format": FORMAT,
        "kind": manifest.kind,
        "made_at": manifest.made_at.isoformat(),
        "versions": dict(manifest.versions),
        "files": files,
    }
    path = draft / MANIFEST
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
    path.chmod(0o600)
    _sync(path)
    _sync(draft)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
