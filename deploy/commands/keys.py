"""`todoku keys`: an account's keys, exchanged while mail is sent and members are written; and the KEK."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from core.settings import load

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from core.audit import Action, AuditLog
    from members.resealing import Progress
    from members.rotation import Purpose, Rotation
    from scheduler.resealing import ResealJobs

keys = typer.Typer(no_args_is_help=True, help="The accounts' keys, and the key that opens these: exchange them online.")

T = TypeVar("T")
Which = Literal["seal", "index"]
AccountName = Annotated[str, typer.Option("--account", help="The account.")]
All = Annotated[bool, typer.Option("--all", help="Every account, one after the other.")]
PurposeName = Annotated[
    Which | None, typer.Option("--purpose", help="Only the keys that seal, or those that index. Without it: both.")
]
Wait = Annotated[float, typer.Option(help="Seconds to wait until every process knows the newest keys.")]

POLL = 0.5
BOTH: tuple[Which, ...] = ("seal", "index")


@keys.command("list")
def list_(account: AccountName = "default", all_: All = False) -> None:
    """Show the versions, how many members each still holds, and which processes don't know it yet."""
    from deploy.commands.output import show_table  # noqa: PLC0415 - the command line starts without it

    rows: list[tuple[str, ...]] = []

    async def one(desk: "_Desk", name: str, account_id: "UUID") -> None:
        rows.extend(await _listed(desk, name, account_id))

    asyncio.run(_each(account, all_, one))
    show_table(("account", "purpose", "version", "state", "made (UTC)", "members", "not known by"), rows)


@keys.command("add")
def add(account: AccountName = "default", all_: All = False, purpose: PurposeName = None) -> None:
    """Make a new version. Everyone learns to open by it; nothing is made by it yet."""

    async def one(desk: "_Desk", name: str, account_id: "UUID") -> None:
        for kind in _chosen(purpose):
            await desk.record(account_id, "account_key.added", kind)
            version = await desk.rotation.add(account_id, kind)
            _say(f"{name}: the {kind} version {version} was added; promote it next.")

    asyncio.run(_each(account, all_, one))


@keys.command("promote")
def promote(account: AccountName = "default", all_: All = False, purpose: PurposeName = None, wait: Wait = 30) -> None:
    """Make the newest version primary: everything new is made by it. Refused until every process knows it."""

    async def one(desk: "_Desk", name: str, account_id: "UUID") -> None:
        for kind in _chosen(purpose):
            await desk.record(account_id, "account_key.promoted", kind)
            version = await _patiently(desk.rotation.promote, account_id, kind, wait)
            _say(f"{name}: the {kind} version {version} is primary; reseal next.")

    asyncio.run(_each(account, all_, one))


@keys.command("reseal")
def reseal(
    account: AccountName = "default",
    all_: All = False,
    status: Annotated[bool, typer.Option("--status", help="Only show how far it has come.")] = False,
) -> None:
    """Bring all members over to the primary versions, in the workers of the pool jobs, and show how far they are.

    Ctrl-C ends the watching, not the work; call it again to go on watching.
    """

    async def one(desk: "_Desk", name: str, account_id: "UUID") -> None:
        if status:
            _say(_shown(name, await desk.progress(account_id)))
        else:
            await desk.record(account_id, "account_key.resealed", "members")
            await _watched(desk, name, account_id)

    asyncio.run(_each(account, all_, one))


@keys.command("retire")
def retire(account: AccountName = "default", all_: All = False, purpose: PurposeName = None, wait: Wait = 30) -> None:
    """Destroy all versions before the primary one. Refused while a process, a member or an import needs one."""

    async def one(desk: "_Desk", name: str, account_id: "UUID") -> None:
        for kind in _chosen(purpose):
            await desk.record(account_id, "account_key.retired", kind)
            gone = await _patiently(desk.rotation.retire, account_id, kind, wait)
            which = ", ".join(map(str, gone))
            _say(f"{name}: {f'destroyed: {kind} version {which}' if gone else f'no older {kind} version is left'}.")

    asyncio.run(_each(account, all_, one))


@keys.command("rewrap")
def rewrap() -> None:
    """Wrap all that the previous KEK wraps by the new one. Both must be set, here and for every process."""
    from core.errors import ConfigurationError  # noqa: PLC0415 - the command line starts without it

    settings = load()
    if not (settings.previous_kek_file or settings.previous_kek or settings.previous_kek_command):
        raise ConfigurationError("Name the previous KEK too: TODOKU_PREVIOUS_KEK_FILE, _KEK or _KEK_COMMAND")
    rewrapped: dict[str, int] = {}

    async def first(desk: "_Desk", _: str, account_id: "UUID") -> None:
        await desk.record(account_id, "account_key.rewrapped", "kek")

    async def all_of_it() -> None:
        await _each("", all_=True, work=first)
        rewrapped.update(await _rewrapped())

    asyncio.run(all_of_it())
    _say(", ".join(f"{number:,} {what}" for what, number in rewrapped.items()) + ": the new KEK opens them all.")


async def _rewrapped() -> dict[str, int]:
    from api.idempotency import IdempotencyStore  # noqa: PLC0415 - the command line starts without them
    from core.clock import SystemClock  # noqa: PLC0415
    from core.ids import IdSource  # noqa: PLC0415
    from delivery.senders import SenderStore  # noqa: PLC0415
    from deploy import databases  # noqa: PLC0415
    from deploy.kek import open_kek  # noqa: PLC0415
    from members.rewrapping import rewrap_vault  # noqa: PLC0415

    settings = load()
    kek = await open_kek(settings)
    async with (
        databases.reached(settings, "main", process="keys") as main,
        databases.reached(settings, "members", process="keys") as members,
    ):
        return {
            "keys of accounts and of the installation": await rewrap_vault(members, kek),
            "signing keys": await SenderStore(main, kek, IdSource(SystemClock())).rewrap(),
            "keys of kept answers": await IdempotencyStore(main, kek).rewrap(),
        }


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the commands work with."""

    members: "asyncpg.Pool"
    rotation: "Rotation"
    jobs: "ResealJobs"
    audit: "AuditLog"

    async def record(self, account_id: "UUID", action: "Action", what: str) -> None:
        from core.audit import OPERATOR  # noqa: PLC0415 - the command line starts without it

        await self.audit.record(account_id, OPERATOR, action, what)

    async def progress(self, account_id: "UUID") -> "Progress | None":
        from members.resealing import load_progress  # noqa: PLC0415 - the command line starts without it

        return await load_progress(self.members, account_id)


async def _each(account: str, all_: bool, work: "Callable[[_Desk, str, UUID], Awaitable[None]]") -> None:
    """Do `work` for the account named, or for every one."""
    from core.audit import AuditLog  # noqa: PLC0415 - the command line starts without them
    from core.clock import SystemClock  # noqa: PLC0415
    from core.ids import IdSource  # noqa: PLC0415
    from deploy import databases  # noqa: PLC0415
    from deploy.accounts import get_account, list_accounts  # noqa: PLC0415
    from deploy.kek import open_kek  # noqa: PLC0415
    from members.rotation import Rotation  # noqa: PLC0415
    from scheduler.resealing import ResealJobs  # noqa: PLC0415

    settings = load()
    kek = await open_kek(settings)
    async with (
        databases.reached(settings, "main", process="keys") as main,
        databases.reached(settings, "members", process="keys") as members,
    ):
        new_id = IdSource(SystemClock())
        desk = _Desk(members, Rotation(members, kek, os.urandom), ResealJobs(main, new_id), AuditLog(main, new_id))
        for one in await list_accounts(main) if all_ else [await get_account(main, account)]:
            await work(desk, one.name, one.account_id)


async def _patiently(
    change: "Callable[[UUID, Purpose], Awaitable[T]]", account_id: "UUID", purpose: Which, wait: float
) -> T:
    """Repeat what is refused for lack of acknowledgement until it goes through, or `wait` seconds have passed."""
    from core.clock import SystemClock  # noqa: PLC0415 - the command line starts without them
    from members.errors import NotAcknowledged  # noqa: PLC0415

    clock = SystemClock()
    end = clock.monotonic() + wait
    while True:
        try:
            return await change(account_id, purpose)
        except NotAcknowledged:
            if clock.monotonic() >= end:
                raise
        await asyncio.sleep(POLL)


async def _watched(desk: _Desk, name: str, account_id: "UUID") -> None:
    """Ask for a re-sealing and say how far it is until it is done; raise Conflict if it failed."""
    from core.errors import Conflict  # noqa: PLC0415 - the command line starts without them
    from deploy.commands.output import note  # noqa: PLC0415

    await desk.jobs.ask(account_id)
    said = ""
    while True:
        job = await desk.jobs.latest(account_id)
        line = _shown(name, await desk.progress(account_id))
        match job.state if job else "done":
            case "done":
                _say(line)
                return
            case "failed":
                raise Conflict(f"{name}: re-sealing failed: {job.error if job else ''}")
            case "ready":
                line = f"{name}: waits for a worker of the pool jobs"
        if line != said:
            note(line)
            said = line
        await asyncio.sleep(POLL)


def _shown(name: str, progress: "Progress | None") -> str:
    if progress is None:
        return f"{name}: never resealed"
    left = f", {progress.unreadable:,} can't be opened" if progress.unreadable else ""
    if progress.state == "done":
        return f"{name}: resealed, {progress.done:,} members{left}"
    return f"{name}: {progress.done:,} of {progress.total:,} members, pass {progress.pass_}{left}"


async def _listed(desk: _Desk, name: str, account_id: "UUID") -> list[tuple[str, ...]]:
    from members.holders import behind  # noqa: PLC0415 - the command line starts without it

    rows: list[tuple[str, ...]] = []
    for purpose in BOTH:
        members = await desk.rotation.members_under(account_id, purpose)
        for version in await desk.rotation.versions(account_id):
            if version.purpose != purpose:
                continue
            late = await behind(desk.members, version.epoch) if version.state != "retired" else {}
            rows.append(
                (
                    name,
                    purpose,
                    str(version.version),
                    version.state,
                    f"{version.created_at:%Y-%m-%d %H:%M}",
                    f"{members.get(version.version, 0):,}",
                    ", ".join(f"{number} {kind}" for kind, number in late.items()),
                )
            )
    return rows


def _chosen(purpose: Which | None) -> "tuple[Purpose, ...]":
    return BOTH if purpose is None else (purpose,)


def _say(text: str) -> None:
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    show(text)
