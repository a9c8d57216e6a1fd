"""The steps of processes at work, and of the receiver that they talk to."""

from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import rule

from delivery.replies.verdict import ACCEPTED, UNSENDABLE, Reason, Verdict
from tests.support.states.base import Deliveries, Moves, mostly, nth, pick
from tests.support.states.laws import ENDED
from tests.support.states.process import IN_DOUBT, Message, Process, Slice, Stage
from tests.support.states.receiver import Key, Reply
from tests.support.states.statements import SITES, Claim
from tests.support.states.world import Machine

MOST_PROCESSES = 3
MOST_RUNS = 4
VERDICTS: dict[Reply, tuple[Verdict, int]] = {
    "accepted": (ACCEPTED, 250),
    "deferred": (Verdict("deferred", Reason.GREYLISTED), 451),
    "failed": (Verdict("failed", Reason.NO_SUCH_USER, suppress=True), 550),
}
replies = st.sampled_from(["accepted", "accepted", "deferred", "failed"])
before_the_body = st.sampled_from(["connection", "connection", "deferred", "failed", "unsendable"])
Meanwhile: TypeAlias = tuple[int, int, Reply]
meanwhile = st.tuples(nth, st.integers(0, 10), replies)


class Sending(Deliveries):
    """Claim, open, ask leave, send, write results, end."""

    @rule(n=nth, steps=st.integers(1, 10), reply=replies)
    def go_on(self, n: int, steps: int, reply: Reply) -> None:
        """A process does what is next for all that it holds, a few times: so that examples come far."""
        self.world.look()
        if not self.processes:
            self.world.start(self.world.machines[0])
        process = pick(self.processes, n)
        while steps > 0 and self.next_step(process, n, reply):
            self.world.look()
            steps -= 1
        if process.slices:
            self.world.watch(process)

    @rule(data=st.data(), steps=st.integers(1, 6), meanwhile=meanwhile)
    def take_some_steps(self, data: st.DataObject, steps: int, meanwhile: Meanwhile) -> None:
        """Processes, or the receiver, take any steps that they may take, one after the other."""
        for _ in range(steps):
            self.make_one_of(self.steps(), data)
            self.world.look()
        self.go_on(*meanwhile)

    def next_step(self, process: Process, n: int, reply: Reply) -> bool:
        """Take it, and say whether there was anything to do; where there is not, somebody begins another run."""
        if n % 2 == 0 and self.unanswered(process):
            self.repeat(process)
        elif under_way := process.messages(Stage.INTENDED, *IN_DOUBT) if not process.unwritten else []:
            for message in under_way:
                if message.stage is Stage.INTENDED:
                    self.next_stage(process, message, reply)
                self.next_stage(process, message, reply)
        elif not self.go_on_with(process):
            return self.begin_anew(process, n)
        return True

    def go_on_with(self, process: Process) -> bool:
        """Do what is next for the slices that it has."""
        world = self.world
        if process.unwritten:
            world.write(process, len(process.unwritten), heard=True)
        elif waiting := self.in_line(process):
            world.intend(process, waiting, heard=True)
        elif over := process.over():
            world.end(process, over[0], delay=0.0, site_id=None, heard=True)
        elif unopened := process.unopened():
            world.open(process, unopened[0])
        else:
            return False
        return True

    def begin_anew(self, process: Process, n: int) -> bool:
        """Claim another chunk, or add a run."""
        world = self.world
        if not process.stray and (one := world.claim(process, mixed=True, sites=SITES)) is not None:
            process.slices[one.claim.chunk_id] = one
            world.look()
            world.open(process, one)
        elif process.owner in world.live(world.last) and len(self.open_runs()) < MOST_RUNS:
            world.add_run(size=1 + n % 5, first=n, chunk=1 + n % 3, resend_uncertain=n % 2 == 1, state="running")
        else:
            return False
        return True

    def next_stage(self, process: Process, message: Message, reply: Reply) -> None:
        """Begun, sent, answered, and the answer heard."""
        match message.stage:
            case Stage.INTENDED:
                state, retired = self.world.last.runs[message.run_id], process.owner in self.world.last.reaped
                assert retired or state not in ENDED, f"a body is begun in a run that is {state}"
                self.world.receiver.begun.add(message.key)
                process.begin(message)
            case Stage.BEGUN:
                message.stage = Stage.SENT
            case Stage.SENT:
                self.world.receiver.take(message.key, reply)
                message.stage = Stage.ANSWERED
            case _:
                process.settle(message, *VERDICTS[self.world.receiver.replies[message.key]])

    def in_line(self, process: Process) -> list[Message]:
        waiting = [] if process.unheard else process.messages(Stage.WAITING)
        return [one for one in waiting if self.world.last.runs[one.run_id] == "running"]

    def unanswered(self, process: Process) -> bool:
        return bool(process.unheard or process.stray or process.unheard_splits() or process.unheard_ends())

    def repeat(self, process: Process) -> None:
        """Ask again what got no answer."""
        if process.unheard:
            self.world.intend(process, process.unheard, heard=True)
        elif process.stray:
            self.world.give_back_strays(process)
        elif parted := process.unheard_splits():
            self.world.split(process, parted[0], (), site_id=0, heard=True)
        else:
            self.world.end(process, process.unheard_ends()[0], delay=0.0, site_id=None, heard=True)

    # --- one step ---

    def steps(self) -> Moves:
        yield "start", self.start, [one for one in self.world.machines if len(self.processes) < MOST_PROCESSES]
        yield "claim", self.claim, [one for one in self.processes if not one.stray]
        yield "open", self.open, self.each(Process.unopened)
        asking = [one for one in self.processes if not one.unheard and one.messages(Stage.WAITING)]
        # Twice as likely as others: the answer that gets lost is where it becomes difficult.
        yield "ask leave", self.ask_leave, asking
        yield "ask leave for some", self.ask_leave, asking
        intended = self.each(lambda one: one.messages(Stage.INTENDED))
        yield "come back before the body", self.come_back, intended
        in_doubt = self.each(lambda one: one.messages(*IN_DOUBT))
        yield "send", self.send, intended + in_doubt
        yield "lose the connection", self.lose_the_connection, in_doubt
        yield "what was on the wire comes", self.take, list(self.world.receiver.on_the_wire)
        yield "write", self.write, [one for one in self.processes if one.unwritten]
        yield "split", self.split, self.each(lambda one: [s for s in one.slices.values() if one.may_part(s)])
        yield "end", self.end, self.each(Process.over)
        unanswered = [one for one in self.processes if self.unanswered(one)]
        yield "repeat", lambda process, _: self.repeat(process), unanswered
        yield "end in an earlier epoch", self.end_in_an_earlier_epoch, self.each(Process.earlier)

    def start(self, machine: Machine, _: st.DataObject) -> None:
        self.world.start(machine)

    def claim(self, process: Process, data: st.DataObject) -> None:
        mixed, sites = data.draw(mostly), data.draw(st.sampled_from([SITES, SITES[:1], ()]))
        one = self.world.claim(process, mixed=mixed, sites=sites)
        process.stray = not data.draw(mostly, label="heard")
        if one is not None and process.stray:
            process.unheard_claims.append(one.claim)
        elif one is not None:
            process.slices[one.claim.chunk_id] = one

    def open(self, of: tuple[Process, Slice], _: st.DataObject) -> None:
        self.world.open(*of)

    def ask_leave(self, process: Process, data: st.DataObject) -> None:
        waiting = process.messages(Stage.WAITING)
        first = data.draw(st.integers(0, len(waiting) - 1))
        last = data.draw(st.integers(first, len(waiting) - 1))
        self.world.intend(process, waiting[first : last + 1], heard=data.draw(st.booleans(), label="heard"))

    def come_back(self, of: tuple[Process, Message], data: st.DataObject) -> None:
        process, message = of
        match data.draw(before_the_body):
            case "connection":
                process.give_back(message)
            case "unsendable":
                process.settle(message, UNSENDABLE)
            case "deferred":
                process.settle(message, *VERDICTS["deferred"])
            case _:
                process.settle(message, *VERDICTS["failed"])

    def send(self, of: tuple[Process, Message], data: st.DataObject) -> None:
        self.next_stage(*of, data.draw(replies))

    def lose_the_connection(self, of: tuple[Process, Message], _: st.DataObject) -> None:
        process, message = of
        if message.stage is Stage.SENT:
            self.world.receiver.on_the_wire.append(message.key)
        process.lose(message)

    def take(self, key: Key, data: st.DataObject) -> None:
        self.world.receiver.on_the_wire.remove(key)
        self.world.receiver.take(key, data.draw(replies))

    def write(self, process: Process, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, len(process.unwritten)))
        self.world.write(process, count, heard=data.draw(mostly, label="heard"))

    def split(self, of: tuple[Process, Slice], data: st.DataObject) -> None:
        process, one = of
        waiting = [message for message in one.messages if message.stage is Stage.WAITING]
        # Somebody stays: a chunk of nobody is none.
        last = data.draw(st.integers(1, min(len(waiting), len(one.stay()) - 1)))
        site_id, heard = data.draw(st.sampled_from(SITES)), data.draw(mostly, label="heard")
        self.world.split(process, one, waiting[:last], site_id=site_id, heard=heard)

    def end(self, of: tuple[Process, Slice], data: st.DataObject) -> None:
        delay, site_id = data.draw(st.sampled_from([0.0, 60.0])), data.draw(st.sampled_from([None, *SITES]))
        self.world.end(*of, delay=delay, site_id=site_id, heard=data.draw(mostly, label="heard"))

    def end_in_an_earlier_epoch(self, of: tuple[Process, Claim], _: st.DataObject) -> None:
        """A claim that the same worker had before, and gave back, ends nothing."""
        process, claim = of
        assert not self.house.do(process.ask.end(claim, [], 0))
