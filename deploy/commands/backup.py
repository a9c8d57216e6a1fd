"""`todoku backup`: both databases into one set of files, the members' keys into another."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from core.errors import ConfigurationError
from core.settings import load


def backup(
    directory: Annotated[Path, typer.Argument(help="Where the set of the databases is to be made.")],
    keys_dir: Annotated[
        Path, typer.Option("--keys-dir", help="Where the set of the keys is to be made: a place apart.")
    ],
    keep_keys: Annotated[
        float | None,
        typer.Option(
            "--keep-keys",
            min=0,
            help="Remove sets of keys that are older than so many days; by it erasures become final.",
        ),
    ] = None,
) -> None:
    """Back up both databases, and apart from them the members' keys; everything may go on running."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    one, other = directory.resolve(), keys_dir.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise ConfigurationError("The keys belong apart from what they open: name another place by --keys-dir")
    for line in asyncio.run(_backup(directory, keys_dir, keep_keys)):
        show(line)


async def _backup(directory: Path, keys_dir: Path, keep_keys: float | None) -> list[str]:
    import shutil  # noqa: PLC0415 - as above

    from core.clock import SystemClock  # noqa: PLC0415
    from deploy import databases  # noqa: PLC0415
    from deploy.backup import sets  # noqa: PLC0415
    from deploy.backup.making import back_up  # noqa: PLC0415
    from deploy.commands.output import note  # noqa: PLC0415

    settings, now = load(), SystemClock().now()
    main, members = (databases.dsn(settings, name) for name in ("main_owner", "members_owner"))
    made = await back_up(main, members, directory, keys_dir, now=now, say=note)
    lines = [f"databases: {made.databases}", f"keys: {made.keys}"]
    for old in sets.expired(keys_dir, "keys", now, keep_keys) if keep_keys is not None else ():
        shutil.rmtree(old)
        lines.append(f"removed: {old}")
    return lines
