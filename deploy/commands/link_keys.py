"""`todoku link-keys`: the keys that sign links, exchanged while old links go on working. The file alone is changed."""

import os
from typing import Annotated

import typer

from core.settings import load

link_keys = typer.Typer(no_args_is_help=True, help="The keys that sign links: exchange them; old links go on working.")

_RESTART = "Give the file to every tracker, worker and pages process, and start each anew"


@link_keys.command("list")
def list_() -> None:
    """Show the versions: the primary mints, all open."""
    from deploy import keys  # noqa: PLC0415 - the command line starts without it
    from deploy.commands.output import show_table  # noqa: PLC0415

    found = keys.load_link_keys(load().link_key_path)
    rows = [(str(version), "primary" if version == found.primary else "open") for version in sorted(found.keys)]
    show_table(("version", "state"), rows)


@link_keys.command("add")
def add() -> None:
    """Make a new version, which opens links and signs none yet."""
    from core.tokens import KEY_BYTES  # noqa: PLC0415 - as above
    from deploy import keys  # noqa: PLC0415
    from deploy.commands.output import show  # noqa: PLC0415

    path = load().link_key_path
    made = keys.load_link_keys(path).added(os.urandom(KEY_BYTES))
    keys.save(path, made)
    show(f"Version {max(made.keys)} was added. {_RESTART}; then promote it.")


@link_keys.command("promote")
def promote() -> None:
    """Have the newest version sign all links from now on."""
    from deploy import keys  # noqa: PLC0415 - as above
    from deploy.commands.output import show  # noqa: PLC0415

    path = load().link_key_path
    made = keys.load_link_keys(path).promoted()
    keys.save(path, made)
    show(f"Version {made.primary} is primary. {_RESTART}.")


@link_keys.command("retire")
def retire(
    version: Annotated[int, typer.Argument(help="The version whose links shall lead nowhere from now on.")],
) -> None:
    """Destroy a version: links, unsubscribes and return paths that it signed are not ours any more."""
    from deploy import keys  # noqa: PLC0415 - as above
    from deploy.commands.output import show  # noqa: PLC0415

    path = load().link_key_path
    keys.save(path, keys.load_link_keys(path).without(version))
    show(f"Version {version} is gone. {_RESTART}.")
