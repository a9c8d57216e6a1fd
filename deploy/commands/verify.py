"""`todoku verify`: proves from the tables that every message is accounted for, or that every member opens."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from core.settings import load

if TYPE_CHECKING:
    from tracking.verify import RunCheck


def verify(
    run: Annotated[str | None, typer.Argument(help="A run's id (run_…); without one, every run is checked.")] = None,
    members: Annotated[
        bool, typer.Option("--members", help="Open every member instead, and check all that stands beside it.")
    ] = False,
    consent: Annotated[
        bool, typer.Option("--consent", help="Recompute the consent ledger instead, and print each account's head.")
    ] = False,
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="ACCOUNT=HEAD", help="A head that was printed earlier and must still be in its chain."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON: one object, after one a line for each finding.")
    ] = False,
) -> None:
    """Prove that accepted + failed + suppressed + cancelled + uncertain + waiting = snapshot. Exit code 1 if not."""
    from deploy.commands.output import note, show  # noqa: PLC0415 - the command line starts without it
    from deploy.commands.verify_consent import verify_consent  # noqa: PLC0415
    from deploy.commands.verify_members import verify_members  # noqa: PLC0415

    if expect and not consent:
        raise typer.BadParameter("--expect belongs to --consent")
    if sum((run is not None, members, consent)) > 1:
        raise typer.BadParameter("A run's id, --members and --consent exclude each other")
    if members or consent:
        if not (verify_members(json=json) if members else verify_consent(expect or (), json=json)):
            raise typer.Exit(1)
        return
    from tracking.spool import measure, waiting  # noqa: PLC0415

    checks = asyncio.run(_verify(run))
    directory = load().spool_dir
    events, damaged = waiting(directory), measure(directory).damaged
    ok = all(check.ok for check in checks) and not damaged
    if json:
        import orjson  # noqa: PLC0415 - as above

        runs = [_shown(check) for check in checks]
        show(orjson.dumps({"ok": ok, "runs": runs, "spool": {"events": events, "damaged": damaged}}).decode())
    else:
        _show(checks)
        if events:
            note(f"{events:,} events wait in this machine's spool, answered for and in no table yet")
        if damaged:
            note(f"{damaged} files of this machine's spool are damaged: events in them may be in no table")
    if not ok:
        raise typer.Exit(1)


async def _verify(run: str | None) -> "list[RunCheck]":
    from core import ids  # noqa: PLC0415 - as above
    from deploy import databases  # noqa: PLC0415
    from tracking.verify import verify as prove  # noqa: PLC0415

    run_id = None if run is None else ids.decode("run", run)
    async with databases.reached(load(), "main", process="verify") as main:
        return await prove(main, run_id)


def _shown(check: "RunCheck") -> dict[str, object]:
    from core import ids  # noqa: PLC0415 - as above

    return {
        "run": ids.encode("run", check.run_id),
        "state": check.state,
        "ok": check.ok,
        "counts": dict(check.counts),
        "faults": [{"law": f.law, "count": f.count, "examples": list(f.examples)} for f in check.faults],
    }


def _show(checks: "list[RunCheck]") -> None:
    from core import ids  # noqa: PLC0415 - as above
    from deploy.commands.output import show  # noqa: PLC0415

    for check in checks:
        show(f"{ids.encode('run', check.run_id)}  {check.state:<10} {_identity(check)}")
        for fault in check.faults:
            show(f"  broken: {fault.law}, {fault.count} times, such as {', '.join(fault.examples)}")
    broken = sum(not check.ok for check in checks)
    show(f"{len(checks)} runs: " + ("the identity holds" if not broken else f"the identity is broken in {broken}"))


def _identity(check: "RunCheck") -> str:
    from tracking.verify import CLASSES  # noqa: PLC0415 - as above

    parts = [f"{check.counts[name]:,} {name}" for name in CLASSES if check.counts[name]]
    return f"{check.counts['snapshot']:,} = {' + '.join(parts) or '0'}"
