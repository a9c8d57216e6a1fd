"""`todoku migrate`: brings both databases to the newest schema."""

import asyncio

from core.settings import Settings, load


def migrate() -> None:
    """Bring both databases to the newest schema, and make the key files if there are none (as `todoku up` does)."""
    from rich.console import Console  # noqa: PLC0415 - the command line starts without it

    from deploy import keys  # noqa: PLC0415
    from deploy.kek import open_kek, where  # noqa: PLC0415

    settings, console = load(), Console()
    migrated = asyncio.run(_migrate(settings))
    kek = asyncio.run(open_kek(settings, make=True))
    console.print(f"KEK {kek.fingerprint}: {where(settings)}", highlight=False)
    keys.load_or_create_signer(settings.link_key_path)
    keys.load_or_create_webhook_keys(settings.webhook_key_path)
    for database, names in migrated.items():
        console.print(f"{database}: {', '.join(names) or 'nothing to do'}", highlight=False)


async def _migrate(settings: Settings) -> dict[str, list[str]]:
    from deploy import data_dir, databases  # noqa: PLC0415 - the command line starts without them
    from deploy.lock import only_one  # noqa: PLC0415
    from deploy.postgres import make_databases, migrate_both  # noqa: PLC0415

    if not databases.are_embedded(settings):
        return await migrate_both(databases.owners(settings))
    data_dir.make(settings.data_dir)
    with only_one(settings.data_dir):
        server = databases.embedded(settings)
        server.start()
        try:
            return await migrate_both(await make_databases(server))
        finally:
            server.stop()
