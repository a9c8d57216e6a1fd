"""Runs, machines with their processes, and the receiver; what each step does and what must be true after it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from core.clock import FixedClock
from delivery import recovery
from delivery.ledger import Refusal
from scheduler import chores
from scheduler.campaigns.steering import resume_due
from scheduler.starts import start_due
from tests.support.states import laws
from tests.support.states.house import House, Run
from tests.support.states.process import Message, Process, Slice, Stage
from tests.support.states.receiver import Receiver
from tests.support.states.statements import FINAL_DOT_SECONDS, Successor
from tests.support.states.tables import Tables
from tracking import tallies

MEMBERS = 12
LONG_SILENCE = 130.0
"""No worker may be retired that has been silent for less, by lease, longest body and final dot (s)."""


@dataclass(slots=True)
class Machine:
    """A host: where journals lie, and which boot it is in."""

    directory: Path
    boots: int = 0

    @property
    def boot_id(self) -> str:
        return f"{self.boots:036d}"

    def journals(self) -> list[Path]:
        return sorted(self.directory.glob("*.journal"))


class World:
    """`processes` are those that run; what the dead have left is in the tables, in journals and on the wire."""

    def __init__(self, house: House, directory: Path, clock: FixedClock) -> None:
        self.house = house
        self.clock = clock
        self.account_id = house.new_id()
        self.members = house.new_id.many(MEMBERS)
        self.in_the_vault = set(self.members)
        self.receiver = Receiver()
        self.runs: dict[UUID, Run] = {}
        self.processes: list[Process] = []
        self.silent: dict[UUID, float] = {}
        """For how long each owner has not beaten, in seconds."""
        self.last = Tables()
        self._started = 0
        shutil.rmtree(directory, ignore_errors=True)
        self.machines = [Machine(directory / name) for name in ("one", "two")]
        for machine in self.machines:
            machine.directory.mkdir(parents=True)
        house.do(house.empty())

    def add_run(self, *, size: int, first: int, chunk: int, resend_uncertain: bool, state: str) -> None:
        """Add a run to some members of the one account."""
        members, house = [self.members[(first + n) % MEMBERS] for n in range(size)], self.house
        run = house.do(
            house.arrange(self.account_id, members, chunk=chunk, resend_uncertain=resend_uncertain, state=state)
        )
        self.runs[run.run_id] = run

    # --- judging ---

    def look(self) -> None:
        """Read the tables, and hold them against all laws."""
        if self.house.touched:
            before, self.last = self.last, self.house.do(self.house.tables(list(self.runs)))
            self._judge(before)
            self.house.touched = False
        laws.check_receiver(self.last, self.receiver, self.runs)
        for process in self.processes:
            self._check_claims(process)

    def _judge(self, before: Tables) -> None:
        laws.check_tables(self.last, self.runs)
        if before.runs:
            laws.check_change(before, self.last, self.live(before))
        for owner in self.last.reaped - before.reaped:
            gone = all(process.owner != owner for process in self.processes)
            assert gone or self.silent[owner] >= LONG_SILENCE, "a living worker was retired"
        for run_id, run in self.runs.items():
            if self.last.of(run_id) != before.of(run_id):
                broken, stands = self.house.do(self.house.judged(run_id))
                assert not broken, broken
                assert sum(stands.values()) == len(run.members)
                assert dict(stands) == laws.classes(self.last, run)

    def live(self, tables: Tables) -> frozenset[UUID]:
        """Owners whose lease has not run out."""
        return frozenset(owner for owner, silence in self.silent.items() if silence == 0) - tables.reaped

    def _check_claims(self, process: Process) -> None:
        if process.owner in self.last.reaped:
            return
        leased = {chunk_id for chunk_id, chunk in self.last.chunks.items() if chunk.owner == process.owner}
        ending = {chunk_id for chunk_id, one in process.slices.items() if one.ending is not None}
        known = process.slices.keys()
        assert process.stray or leased <= known, f"{process} holds a chunk that it does not know of"
        assert known - ending <= leased, f"{process} lost a chunk that it works on"

    def refusals(self, process: Process, messages: Sequence[Message]) -> dict[int, Refusal]:
        """What `intend` has to answer: what stands as ours already is granted, whatever came in between."""
        refused: dict[int, Refusal] = {}
        for position, message in enumerate(messages):
            stands = self.last.tries.get(message.key)
            if process.owner in self.last.reaped:
                refused[position] = "lost"
            elif stands is not None and stands.owner == process.owner:
                continue
            elif process.owner not in self.live(self.last):
                refused[position] = "lost"
            elif self.last.runs[message.run_id] != "running":
                refused[position] = "held"
            elif (message.run_id, message.seq) in self.last.stopped | self.last.omitted:
                refused[position] = "stopped"
        return refused

    def claimable(self, *, mixed: bool, sites: Sequence[int]) -> set[int]:
        """Chunks that a worker could be given."""
        return {
            chunk_id
            for chunk_id, chunk in self.last.chunks.items()
            if chunk.state == "ready"
            and chunk.due
            and self.last.runs[chunk.run_id] == "running"
            and (mixed if chunk.site_id is None else chunk.site_id in sites)
        }

    # --- processes and machines ---

    def start(self, machine: Machine) -> Process:
        self._started += 1
        owner = self.house.new_id()
        made = Process(self.house.main, self.clock, owner, self._started, machine.directory, machine.boot_id)
        self.house.do(made.ask.register())
        self.processes.append(made)
        self.silent[owner] = 0.0
        return made

    def kill(self, process: Process) -> None:
        """As kill -9 does: what had left as a whole may still arrive."""
        self.receiver.on_the_wire += [message.key for message in process.messages(Stage.SENT)]
        process.vanish()
        self.processes.remove(process)

    def cut_power(self, machine: Machine, kept: Sequence[float]) -> None:
        """Take all processes of a machine down; of each journal the disk has kept that part, by length."""
        for process in [one for one in self.processes if one.directory == machine.directory]:
            self.kill(process)
        for path, part in zip(machine.journals(), kept, strict=False):
            content = path.read_bytes()
            path.write_bytes(content[: int(len(content) * part)])
        machine.boots += 1

    def machine_of(self, process: Process) -> Machine:
        return next(one for one in self.machines if one.directory == process.directory)

    def leave(self, process: Process, *, fault: bool) -> None:
        """Let a process end by its own: with nothing left to do, or by an exception."""
        self.house.do(process.ask.leave(fault=fault))
        if fault:
            self.kill(process)
        else:
            process.journal.close(remove=True)
            self.processes.remove(process)

    def dead(self, machine: Machine) -> int:
        """How many journals there have no living owner."""
        return len(machine.journals()) - sum(one.directory == machine.directory for one in self.processes)

    def long_dead(self) -> list[UUID]:
        """Who may be retired by time alone."""
        silent = {owner for owner, seconds in self.silent.items() if seconds > LONG_SILENCE}
        return sorted(silent - self.last.reaped)

    def replay(self, machine: Machine, *, again: bool = False) -> None:
        """Recover by journals; `again`: whoever did it died between its COMMIT and the journals' removal."""
        dead, found = self.dead(machine), {path: path.read_bytes() for path in machine.journals()}
        assert self.house.do(recovery.replay(self.house.main, machine.directory, machine.boot_id)) == dead
        if again:
            removed = found.keys() - set(machine.journals())
            for path in removed:
                path.write_bytes(found[path])
            self.replay(machine)

    def reap(self) -> None:
        self.house.do(recovery.reap(self.house.main, FINAL_DOT_SECONDS))

    def pass_time(self, seconds: float, beating: Sequence[Process]) -> None:
        self.house.do(self.house.shift(seconds))
        self.clock.advance(seconds)
        for owner in self.silent:
            self.silent[owner] += seconds
        for process in beating:
            self.beat(process)

    def beat(self, process: Process) -> None:
        held = self.house.do(process.ask.beat())
        assert held == (process.owner not in self.last.reaped)
        if held:
            self.silent[process.owner] = 0.0
        else:
            process.lost = True

    def sweep(self) -> None:
        async def once() -> None:
            await start_due(self.house.main)
            await resume_due(self.house.main)
            await chores.finish(self.house.main)
            await chores.settle(self.house.main)
            await tallies.fold(self.house.main)

        self.house.do(once())

    # --- a process's own steps ---

    def claim(self, process: Process, *, mixed: bool, sites: Sequence[int]) -> Slice | None:
        claim = self.house.do(process.ask.claim(mixed=mixed, sites=sites))
        wanted = self.claimable(mixed=mixed, sites=sites) if process.owner in self.live(self.last) else set()
        assert (claim is not None) == bool(wanted), f"claimed {claim} of {wanted}"
        assert claim is None or claim.chunk_id in wanted
        return None if claim is None else Slice(claim)

    def give_back_strays(self, process: Process) -> None:
        self.house.do(process.ask.give_back_strays(list(process.slices)))
        process.stray = False

    def watch(self, process: Process) -> None:
        """Ask which runs are held, as processes do all the time."""
        runs = {one.claim.run_id for one in process.slices.values()}
        held = {run_id for run_id in runs if self.last.runs[run_id] != "running"}
        assert self.house.do(process.ask.held_runs(runs)) == held

    def open(self, process: Process, one: Slice) -> None:
        history = self.house.do(process.ask.history(one.claim))
        gone = [waiting.seq for waiting in history.send if waiting.member_id not in self.in_the_vault]
        if gone:
            for _ in range(2):  # as after a lost answer
                self.house.do(process.ask.omit(one.claim.run_id, gone))
        now = self.clock.monotonic()
        for seq, delay in history.later:
            one.hand_on(seq, delay)
        one.messages = [
            Message(one, waiting.seq, waiting.member_id, waiting.tries + 1, waiting.deferrals, waiting.since_first, now)
            for waiting in history.send
            if waiting.seq not in gone
        ]
        one.opened = True

    def intend(self, process: Process, messages: Sequence[Message], *, heard: bool) -> None:
        refused = self.house.do(process.ask.intend(messages, again=bool(process.unheard)))
        assert refused == self.refusals(process, messages)
        if heard:
            process.unheard = []
            process.hear(messages, refused)
        else:
            process.unheard = list(messages)
            for message in messages:
                message.stage = Stage.ASKED

    def write(self, process: Process, count: int, *, heard: bool) -> None:
        batch = process.unwritten[:count]
        self.house.do(process.ask.record(batch))
        if heard:
            process.written(batch)

    def split(self, process: Process, one: Slice, waiting: Sequence[Message], *, site_id: int, heard: bool) -> None:
        """Hand on to the chunks of a site what waits for it, while the rest goes on."""
        if one.parting is None:
            one.parting = [Successor(tuple(message.seq for message in waiting), 0.0, "site", site_id, 0.0)]
            one.messages = [message for message in one.messages if message not in waiting]
        chunk = self.last.chunks[one.claim.chunk_id]
        ours = (chunk.epoch, chunk.owner, chunk.state) == (one.claim.epoch, process.owner, "leased")
        assert self.house.do(process.ask.split(one.claim, one.stay(), one.parting)) == ours
        if heard:
            one.claim = replace(one.claim, seqs=tuple(one.stay()))
            one.parting = None
            process.lost = process.lost or not ours

    def end(self, process: Process, one: Slice, *, delay: float, site_id: int | None, heard: bool) -> None:
        if one.ending is None:
            one.ending = one.successors(delay_rest=delay, site_id=site_id)
        chunk = self.last.chunks[one.claim.chunk_id]
        ours = chunk.epoch == one.claim.epoch and (chunk.state == "done" or chunk.owner == process.owner)
        assert self.house.do(process.ask.end(one.claim, one.ending, one.attempts)) == ours
        if heard:
            del process.slices[one.claim.chunk_id]
            process.lost = process.lost or not ours
