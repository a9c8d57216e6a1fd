"""`todoku verify --members`: proves that every member opens, and that all beside it is made of it."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from core.settings import load

if TYPE_CHECKING:
    from members.verification import Finding


def verify_members(*, json: bool) -> bool:
    """Check every member of every account, and print each finding as it comes; return whether there was none."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    members, found = asyncio.run(_verify(json=json))
    if json:
        import orjson  # noqa: PLC0415 - as above

        show(orjson.dumps({"ok": not found, "members": members, "faults": found}).decode())
    else:
        said = ", ".join(f"{fault}: {count:,}" for fault, count in sorted(found.items()))
        show(f"{members:,} members: " + (f"not all is as it was written ({said})" if found else "all open in place"))
    return not found


async def _verify(*, json: bool) -> tuple[int, Counter[str]]:
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.progress import Progress  # noqa: PLC0415

    from deploy import databases  # noqa: PLC0415
    from deploy.commands.output import show  # noqa: PLC0415
    from deploy.kek import open_kek  # noqa: PLC0415
    from members.keyring import KeyRings  # noqa: PLC0415
    from members.verification import verify_members as check  # noqa: PLC0415

    settings, members, found = load(), 0, Counter[str]()
    async with databases.reached(settings, "members", process="verify") as pool:
        rings = KeyRings(pool, await open_kek(settings))
        # On standard error, and only on a terminal: standard output holds the findings alone.
        with Progress(console=Console(stderr=True), transient=True, disable=json) as progress:
            bar = progress.add_task("Opening members", total=None)

            def seen(done: int, total: int) -> None:
                nonlocal members
                members = done
                progress.update(bar, completed=done, total=total)

            async for finding in check(pool, rings, seen=seen):
                found[finding.fault.name.lower()] += 1
                show(_line(finding, json=json))
    return members, found


def _line(finding: "Finding", *, json: bool) -> str:
    from core import ids  # noqa: PLC0415 - as above

    account = ids.encode("acc", finding.account_id)
    member = None if finding.member_id is None else ids.encode("mem", finding.member_id)
    if json:
        import orjson  # noqa: PLC0415 - as above

        shown = {"account": account, "member": member, "fault": finding.fault.name.lower(), "says": finding.fault}
        return orjson.dumps(shown).decode()
    return f"{account}  {member or '-':<26}  {finding.fault}"
