"""The embedded Postgres: the wheel's binaries, run as our own child."""

from deploy.postgres.databases import create_databases, make_databases, migrate_both
from deploy.postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "create_databases", "make_databases", "migrate_both"]
