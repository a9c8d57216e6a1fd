"""Postgres' own programs that talk to a server, pg_dump and pg_restore: the embedded wheel's, or those on the PATH.

A password goes by environment, never on a command line, which every user of the machine can read.
"""

import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from core.errors import ConfigurationError, TodokuError
from core.settings import inherited_environment
from deploy.postgres.software import WHEEL

_SAID = 400


class ProgramFailed(TodokuError):  # noqa: N818 - named by meaning, as all errors here
    """A program of Postgres' ended with an error; the text is the end of what it said."""

    code = "program-failed"
    title = "A program of Postgres' failed"


def find(name: str) -> Path:
    """Return where a program is; ConfigurationError if there is none."""
    spec = find_spec(WHEEL)
    for directory in (spec.submodule_search_locations or ()) if spec else ():
        program = Path(directory) / "pginstall" / "bin" / name
        if program.is_file():
            return program
    found = shutil.which(name)
    if found is None:
        raise ConfigurationError(f"There is no {name}: install Postgres' client programs, or todoku[embedded]")
    return Path(found)


def run(name: str, *arguments: str, dsn: str | None = None) -> None:
    """Run a program to its end, however long it takes, on the database of `dsn`; raise ProgramFailed."""
    with _started(name, arguments, dsn, stdout=subprocess.DEVNULL) as process:
        _, said = process.communicate()
    if process.returncode != 0:
        raise ProgramFailed(f"{name} ended with {process.returncode}: {_end_of(said)}")


def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a program whose standard output is the caller's to read."""
    return _started(name, arguments, None, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _started(
    name: str,
    arguments: tuple[str, ...],
    dsn: str | None,
    *,
    stdout: int | IO[bytes],
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    where, secret = apart(dsn) if dsn else (None, {})
    environment = {key: value for key, value in inherited_environment().items() if not key.startswith("TODOKU_")}
    return subprocess.Popen(  # noqa: S603 - a program of Postgres', no shell
        [str(find(name)), *([f"--dbname={where}"] if where else []), *arguments],
        env=environment | dict(secret),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
    )


def apart(dsn: str) -> tuple[str, Mapping[str, str]]:
    """Return a DSN without its password, and the environment that says it."""
    parts = urlsplit(dsn)
    user, _, rest = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    query = parse_qsl(parts.query)
    named = [value for key, value in query if key == "password"]
    bare = urlunsplit(
        parts._replace(
            netloc=f"{name}@{rest}" if name else rest,
            query=urlencode([(key, value) for key, value in query if key != "password"]),
        )
    )
    secret = unquote(password) or (named[0] if named else "")
    return bare, {"PGPASSWORD": secret} if secret else {}


def _end_of(said: bytes) -> str:
    return said.decode(errors="replace").strip()[-_SAID:]
