"""The demo from beginning to end: import, three campaigns at one instant, their readers, one more, the comparison."""

import asyncio
import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any

import httpx
import orjson

from core.clock import Clock
from core.errors import TodokuError
from deploy.demo import marketer
from deploy.demo.campaigns import AFTERWARDS, ALL, TOGETHER, Campaign
from deploy.demo.ledger import CampaignLedger, Delivered, SentOn, compare
from deploy.demo.people import Fate, Person, make_people
from deploy.demo.reading import Reader
from deploy.demo.recipients import World, settle
from deploy.demo.rest import Api, open_api
from deploy.demo.sending import watch_runs
from deploy.demo.settling import wait_until_settled
from deploy.demo.sheet import Sheet, make_sheet
from deploy.demo.signatures import make_zone
from deploy.demo.stage import Stage
from deploy.demo.verdict import CampaignResult, Check, Verdict, mail_checks, overall_rate
from deploy.demo.view import Bar, View

AHEAD, SOON = 4, 2
"""Seconds from scheduling to the start: time enough to cut the audiences."""
_JUDGED = 100
_CARRY_TRIES = 50
_POLL = 0.3


@dataclass(slots=True)
class _Story:
    """What is known as it goes on: drafts and ledgers by campaign key."""

    people: Sequence[Person]
    drafts: dict[str, str]
    ledgers: dict[str, CampaignLedger]
    strangers: int = 0
    replies: Counter[str] = field(default_factory=Counter)

    def take(self, mail: Delivered | SentOn) -> None:
        if isinstance(mail, SentOn):
            self.replies[mail.writer] += 1
            return
        ledger = self.ledgers.get(mail.campaign)
        if ledger is None:
            self.strangers += 1
        else:
            ledger.add(mail)

    @property
    def written(self) -> Counter[str]:
        return Counter(address for ledger in self.ledgers.values() for address in ledger.returned("reply"))

    @property
    def replied(self) -> int:
        """Replies that are as somebody wrote them; any other, or a second one, takes one away."""
        return (self.written & self.replies).total() - (self.replies - self.written).total()

    @property
    def by_machines(self) -> int:
        return sum(ledger.machines.total for ledger in self.ledgers.values())

    @property
    def asked(self) -> int:
        return self.by_machines + sum(ledger.people.total for ledger in self.ledgers.values())

    @property
    def left(self) -> set[str]:
        return {address for ledger in self.ledgers.values() for address in ledger.unsubscribed}

    def open_ledger(self, campaign: Campaign, out: Mapping[str, str], *, deferrals: bool) -> None:
        meeting = [person for person in self.people if campaign.meets(person)]
        self.ledgers[campaign.key] = CampaignLedger(
            campaign,
            audience={person.address: person for person in meeting if person.address not in out},
            out={person.address: out[person.address] for person in meeting if person.address in out},
            deferrals=deferrals,
        )


async def play(stage: Stage, *, members: int, seed: int, view: View, clock: Clock) -> Verdict:
    """Play the whole story on a running installation and return what came of it."""
    with view.phase("Making up people") as phase:
        people = make_people(members, seed)
        sheet = make_sheet(people, seed)
        phase.detail = f"{len(people):,} and {len(sheet.bad)} bad rows in {len(sheet.content) / 1e6:.1f} MB of CP932"
    async with open_api(stage.api_url, stage.api_key) as api:
        with view.phase("Importing them through the API") as phase:
            await marketer.define_attributes(api)
            imported = await marketer.import_sheet(api, sheet, lambda done, total: view.progress([_rows(done, total)]))
            phase.detail = f"{imported.created:,} members, {len(imported.rejects)} rows rejected"
        story = _Story(people, {}, {})
        with view.phase("Writing four campaigns") as phase:
            sender, records = await marketer.make_sender(api)
            for campaign in ALL:
                story.drafts[campaign.key] = await marketer.make_campaign(api, campaign, sender)
            phase.detail = f"{len(ALL[0].letter.html.encode()) / 1024:.0f} KB of HTML, {len(ALL[0].letter.links)} links"
        for campaign in TOGETHER:
            story.open_ledger(campaign, {}, deferrals=True)
        world = _world(stage, story, make_zone(records), seed)
        with _processes(world) as executor:
            async with httpx.AsyncClient(base_url=stage.mailbox_url, trust_env=False) as mailbox:
                reader = Reader(executor, mailbox, story.take, clock)
                await _send(api, story, TOGETHER, reader, ahead=AHEAD, view=view, clock=clock)
                carried = await _send_afterwards(api, story, reader, view, clock)
        verdict = Verdict(members=imported.created, rejects=len(imported.rejects), mails_read=reader.read)
        verdict.checks += [*_import_checks(imported, sheet, members), carried]
        with view.phase("Telling people from machines, and todoku verify") as phase:
            last = story.drafts[AFTERWARDS.key]
            proof, _ = await asyncio.gather(
                _verify(stage, runs=len(ALL)), wait_until_settled(api, last, view=view, clock=clock)
            )
            phase.detail = f"{story.by_machines:,} of {story.asked:,} opens and clicks were by machines"
        with view.phase("Comparing with the reports"):
            for campaign in ALL:
                verdict.results.append(await _result(api, story, campaign))
            verdict.checks += mail_checks(list(story.ledgers.values()))
            verdict.checks.append(Check("mails of no campaign", 0, story.strangers))
            verdict.checks.append(
                Check("replies that reached the sender, of those written", story.written.total(), story.replied)
            )
            verdict.checks.append(proof)
    verdict.messages_per_second = overall_rate([story.ledgers[campaign.key] for campaign in TOGETHER])
    return verdict


async def _send(
    api: Api, story: _Story, campaigns: Sequence[Campaign], reader: Reader, *, ahead: int, view: View, clock: Clock
) -> None:
    """Schedule campaigns for one instant, watch them being sent, let all mails be read."""
    title = "Sending one more" if len(campaigns) == 1 else f"Sending {len(campaigns)} campaigns at the same instant"
    at = datetime.fromtimestamp(math.ceil(clock.now().timestamp()) + ahead, UTC)
    ended = asyncio.Event()
    reading = asyncio.create_task(reader.read_on(ended))
    try:
        with view.phase(title) as phase:
            runs = {await marketer.schedule(api, story.drafts[one.key], at): one for one in campaigns}
            await _first(watch_runs(api, runs, reader, view=view, clock=clock, ended=ended), reading)
            phase.detail = f"due at {at:%H:%M:%S} UTC, {reader.arrived:,} mails so far"
        with view.phase("Reading, opening, clicking, unsubscribing") as phase:
            while not reading.done():
                view.progress([Bar("mails read by their recipients", reader.read, reader.arrived)])
                await asyncio.wait({reading}, timeout=_POLL)
            reading.result()
            phase.detail = f"{reader.read:,} read so far, {len(story.left):,} people have left"
    finally:
        reading.cancel()
        await asyncio.wait({reading})


async def _first(watching: Any, reading: asyncio.Task[None]) -> None:
    """Watch to the end, unless reading fails before."""
    watch = asyncio.ensure_future(watching)
    try:
        await asyncio.wait({watch, reading}, return_when=asyncio.FIRST_COMPLETED)
        if not watch.done():
            reading.result()
        await watch
    finally:
        watch.cancel()


async def _send_afterwards(api: Api, story: _Story, reader: Reader, view: View, clock: Clock) -> Check:
    """Send the last campaign, when the vault knows who is not to get it."""
    out = {person.address: "bounced" for person in story.people if person.fate is Fate.GONE}
    for ledger in story.ledgers.values():
        out |= dict.fromkeys(ledger.returned("bounce"), "bounced")
        out |= dict.fromkeys(ledger.returned("complaint"), "complained")
    out |= dict.fromkeys(story.left, "unsubscribed")
    story.open_ledger(AFTERWARDS, out, deferrals=False)
    reasons = list(story.ledgers[AFTERWARDS.key].out.values())
    expected = {reason: reasons.count(reason) for reason in sorted(set(reasons))}
    with view.phase("Leaving out who bounced or left") as phase:
        found = await marketer.left_out(api, AFTERWARDS.rule or {}, expected, tries=_CARRY_TRIES)
        phase.detail = ", ".join(f"{count} {reason}" for reason, count in found.items())
    await _send(api, story, [AFTERWARDS], reader, ahead=SOON, view=view, clock=clock)
    return Check("left out of the campaign afterwards", expected, found)


async def _result(api: Api, story: _Story, campaign: Campaign) -> CampaignResult:
    draft, ledger = story.drafts[campaign.key], story.ledgers[campaign.key]
    report = await api.get(f"reports/campaigns/{draft}")
    links = await api.get(f"reports/campaigns/{draft}/links")
    run = report["runs"][-1]
    return CampaignResult(ledger, run, compare(ledger, story.left, run["figures"], links["items"]))


async def _verify(stage: Stage, *, runs: int) -> Check:
    """Have `todoku verify` prove the identity from the tables, as an operator would."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "deploy.cli", "verify", "--json"),
        env=stage.environment,
        cwd="/",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    try:
        found = orjson.loads(out)
    except orjson.JSONDecodeError:
        raise TodokuError(f"todoku verify ended with {process.returncode}: {errors.decode(errors='replace')}") from None
    holds = sum(run["ok"] for run in found["runs"])
    return Check("runs for which todoku verify proves that the identity holds", runs, holds)


def _world(stage: Stage, story: _Story, zone: Mapping[bytes, bytes], seed: int) -> World:
    mails = sum(len(ledger.audience) for ledger in story.ledgers.values())
    return World(
        mailbox_url=stage.mailbox_url,
        seed=seed,
        keys={marketer.name_in_mails(draft): key for key, draft in story.drafts.items()},
        targets={campaign.key: campaign.letter.links for campaign in ALL},
        zone=zone,
        judged_every=max(1, mails // _JUDGED),
        inbound=(stage.settings.inbound_host, stage.settings.inbound_port),
        reply_to=marketer.REPLY_TO,
    )


@contextmanager
def _processes(world: World) -> Iterator[ProcessPoolExecutor]:
    # Two: reading mails takes more than one core can give while the others send. Spawned, not forked: this process
    # has threads and an event loop.
    executor = ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=settle, initargs=(world,))
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _import_checks(imported: marketer.Imported, sheet: Sheet, members: int) -> list[Check]:
    expected = [(row.line, str(row.flaw)) for row in sheet.bad]
    return [
        Check("members imported", members, imported.created),
        Check("rejected rows, by reason", marketer.reasons(expected), marketer.reasons(imported.rejects)),
        Check("rejected lines are the bad ones", True, sorted(expected) == sorted(imported.rejects)),  # noqa: FBT003
    ]


def _rows(done: int, total: int | None) -> Bar:
    return Bar("rows", done, total)
