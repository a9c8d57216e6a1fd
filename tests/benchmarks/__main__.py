"""`make bench`: runs all benchmarks, `make bench ARGS=NAME` one; prints a table and writes build/bench/NAME.json.

A figure of a shared machine is worth little alone: each benchmark measures what it is compared with in the same run.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from core import logs
from deploy.dsns import Dsns
from deploy.postgres import EmbeddedPostgres, create_databases
from deploy.process import collect_seldom
from tests.benchmarks import (
    delivery,
    import_,
    ledger,
    members,
    pages,
    previews,
    reports,
    rotation,
    segments,
    starts,
    tracking,
    vast,
)
from tests.benchmarks.figure import Figure
from tests.support.postgres import directory_for_postgres

OUT = Path("build/bench")


async def _on_databases(measure: Callable[[Dsns], Awaitable[list[Figure]]]) -> list[Figure]:
    """Run `measure` on fresh databases of a durable server of its own."""
    with directory_for_postgres(on_disk=True) as directory:
        postgres = EmbeddedPostgres(directory / "postgres")
        await asyncio.to_thread(postgres.start)
        try:
            return await measure(await create_databases(postgres))
        finally:
            await asyncio.to_thread(postgres.stop)


BENCHMARKS: dict[str, Callable[[], Awaitable[list[Figure]]]] = {
    "delivery": delivery.measure,
    "starts": starts.measure,
    "import": lambda: _on_databases(import_.measure),
    "pages": pages.measure,
    "ledger": lambda: _on_databases(ledger.measure),
    "previews": lambda: _on_databases(previews.measure),
    "reports": lambda: _on_databases(reports.measure),
    "rotation": lambda: _on_databases(rotation.measure),
    "segments": lambda: _on_databases(segments.measure),
    "tracking": lambda: _on_databases(tracking.measure),
}
AT_LENGTH: dict[str, Callable[[], Awaitable[list[Figure]]]] = {
    "members": members.measure,
    "scale": delivery.scale,
    "vast": vast.measure,
}
"""Benchmarks of a quarter of an hour and more, run only by name."""


def main() -> int:
    """Run the named benchmarks, or all; the exit code is 2 for a name that is none."""
    names = sys.argv[1:] or list(BENCHMARKS)
    console = Console()
    known = BENCHMARKS | AT_LENGTH
    unknown = [name for name in names if name not in known]
    if unknown:
        console.print(f"No such benchmark: {', '.join(unknown)}. There are: {', '.join(known)}")
        return 2
    logs.configure("bench", "error")
    collect_seldom()  # as every service process does
    OUT.mkdir(parents=True, exist_ok=True)
    for name in names:
        figures = uvloop.run(_measured(name))
        (OUT / f"{name}.json").write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))
        table = Table("figure", "value", "unit", "conditions", title=name, title_justify="left")
        for figure in figures:
            table.add_row(
                figure["name"],
                f"{figure['value']:,.3g}" if figure["value"] < 100 else f"{figure['value']:,.0f}",
                figure["unit"],
                figure["conditions"],
            )
        console.print(table)
    return 0


async def _measured(name: str) -> list[Figure]:
    return await (BENCHMARKS | AT_LENGTH)[name]()


if __name__ == "__main__":
    sys.exit(main())
