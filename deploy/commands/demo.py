"""`todoku demo`: the main job, seen, on made-up members in an installation of its own."""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.demo.people import FEWEST, MOST

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.demo.stage import Stage
    from deploy.demo.verdict import Verdict

INTERRUPTED = 130


def demo(
    members: Annotated[int, typer.Option(min=FEWEST, max=MOST, help="How many members there are.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Another number makes up other people.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON in the last line.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running at the end, until Ctrl-C.")] = False,
) -> None:
    """Import made-up members, send them campaigns, play their part, and compare it all with the reports."""
    try:
        verdict = asyncio.run(_demo(members, seed, keep=keep, json=json))
    except asyncio.CancelledError:
        sys.stderr.write("Stopped; nothing is left of it.\n")
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        sys.stderr.write("".join(f"{note}\n" for note in getattr(error, "__notes__", [])))
        raise
    if json:
        import orjson  # noqa: PLC0415 - the command line starts without it

        sys.stdout.write(orjson.dumps(verdict.to_json()).decode() + "\n")
    if not verdict.ok:
        raise typer.Exit(1)


async def _demo(members: int, seed: int, *, keep: bool, json: bool) -> "Verdict":
    from rich.console import Console  # noqa: PLC0415 - the command line starts without them

    from core import logs  # noqa: PLC0415
    from core.clock import SystemClock  # noqa: PLC0415
    from deploy.demo.stage import staged  # noqa: PLC0415
    from deploy.demo.story import play  # noqa: PLC0415
    from deploy.demo.table import show_verdict  # noqa: PLC0415
    from deploy.demo.view import View  # noqa: PLC0415

    _stop_once()
    clock = SystemClock()
    console = Console(stderr=json, highlight=False)
    logs.configure("demo", "info" if json else "warning")
    async with AsyncExitStack() as stack:
        with View(console, clock) as view:
            with view.phase("Starting Todoku") as phase:
                stage = await stack.enter_async_context(staged(clock, members))
                phase.detail = str(stage.settings.data_dir)
            verdict = await play(stage, members=members, seed=seed, view=view, clock=clock)
            verdict.seconds = view.seconds
        show_verdict(console, verdict)
        if keep:
            _say_where(console, stage)
            await asyncio.Event().wait()
    if not json:
        console.print(
            "\n[bold]todoku demo --keep[/bold] leaves this installation running, to be looked at until Ctrl-C.\n"
            "[bold]todoku up[/bold] starts one that lasts, and says where its API, mailbox and key are.\n"
            "[bold]todoku top[/bold] shows what it is sending, [bold]todoku verify[/bold] that nothing was lost."
        )
    return verdict


def _say_where(console: "Console", stage: "Stage") -> None:
    console.print(f"\nStill running, until Ctrl-C. Mailbox: {stage.mailbox_url}  API: {stage.api_url}/v1")
    console.print(f"API key: {stage.api_key}")
    console.print(f"TODOKU_DATA_DIR={stage.settings.data_dir} todoku top", soft_wrap=True)


def _stop_once() -> None:
    """Have the first SIGINT, SIGTERM or SIGHUP end everything in order; later ones find it ending already."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for number in signals:
            loop.add_signal_handler(number, lambda: None)
        if task is not None:
            task.cancel()

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop)
