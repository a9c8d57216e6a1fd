"""What befalls processes and machines, and what people and the scheduler do meanwhile."""

from datetime import timedelta
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import rule

from api.members.stops import StopStore
from scheduler.campaigns.states import Action, State, after
from scheduler.campaigns.steering import steer, suspend
from tests.support.states.base import Moves, mostly, nth
from tests.support.states.ending import wind_up
from tests.support.states.house import Run
from tests.support.states.process import IN_DOUBT, Process, Stage
from tests.support.states.sending import MOST_RUNS, Meanwhile, Sending, meanwhile
from tests.support.states.world import Machine

parts = st.sampled_from([1.0, 0.9, 0.5, 0.0])
"""How much of a journal the disk has kept when the power was cut."""
# Each of these ends every lease that is not beaten in between, so that milliseconds of real time decide nothing.
waits = st.sampled_from([60.0, 150.0, 400.0, 1_600.0])


class Fate(Sending):
    """Ends, silence, recovery; pauses, stops and erasures."""

    @rule(data=st.data(), meanwhile=meanwhile)
    def befall(self, data: st.DataObject, meanwhile: Meanwhile) -> None:
        """Something happens to a process or a machine, and another process goes on."""
        self.make_one_of(self.events(), data)
        self.go_on(*meanwhile)

    @rule(data=st.data(), meanwhile=meanwhile)
    def hear(self, data: st.DataObject, meanwhile: Meanwhile) -> None:
        """Somebody asks for something, and a process goes on."""
        self.make_one_of(self.wishes(), data)
        self.go_on(*meanwhile)

    def events(self) -> Moves:
        stoppable = [one for one in self.processes if not one.messages(*IN_DOUBT) and not one.lost]
        silent = [one for one in self.processes if self.world.silent[one.owner]]
        retired = [one for one in self.processes if one.owner in self.world.last.reaped]
        yield "a process is lost", self.lose, self.processes
        yield "the power is cut", self.cut_the_power, [one for one in self.world.machines if one.boots < 2]
        yield "a process is stopped in good order", self.stop, stoppable
        yield "journals are replayed", self.replay, [one for one in self.world.machines if self.world.dead(one)]
        yield "the long dead are retired", lambda _, __: self.world.reap(), self.world.long_dead()
        yield "time passes", self.pass_time, [None]
        yield "time passes, and one is silent", self.pass_time, self.processes
        yield "one beats late", lambda one, _: self.world.beat(one), silent
        yield "the clock stands back", self.set_the_clock_back, retired

    def lose(self, process: Process, data: st.DataObject) -> None:
        if data.draw(mostly, label="killed"):
            self.world.kill(process)
        else:
            # By an exception, which leaves its lease in order.
            self.world.leave(process, fault=True)

    def cut_the_power(self, machine: Machine, data: st.DataObject) -> None:
        self.world.cut_power(machine, [data.draw(parts) for _ in machine.journals()])

    def stop(self, process: Process, _: st.DataObject) -> None:
        wind_up(self.world, process)

    def replay(self, machine: Machine, data: st.DataObject) -> None:
        self.world.replay(machine, again=data.draw(st.booleans(), label="again"))

    def pass_time(self, silent: Process | None, data: st.DataObject) -> None:
        """All beat at its end but one, and the scheduler sweeps."""
        self.world.pass_time(data.draw(waits), [one for one in self.processes if one is not silent])
        self.world.look()
        self.world.sweep()

    def set_the_clock_back(self, process: Process, _: st.DataObject) -> None:
        """As after a failover to a server whose clock is behind: by its lease alone a retired worker would be alive."""
        self.house.do(self.house.shift(-self.world.silent[process.owner]))
        assert self.house.do(process.ask.claim(mixed=True, sites=())) is None
        if waiting := process.messages(Stage.WAITING):
            assert self.house.do(process.ask.intend(waiting)) == dict.fromkeys(range(len(waiting)), "lost")
        self.world.beat(process)
        self.house.do(self.house.shift(self.world.silent[process.owner]))

    # --- people ---

    def wishes(self) -> Moves:
        runs = self.open_runs()
        for action in (Action.PAUSE, Action.RESUME, Action.CANCEL):
            yield action.value, partial(self.steer, action), [one for one in runs if self.may(action, one)]
        yield "suspend", self.suspend, runs
        yield "unsubscribe", self.unsubscribe, runs
        yield "consent anew", self.consent, [one for one in runs if self.stopped(one)]
        yield "erase", self.erase, runs
        yield "schedule", self.schedule, [None] if len(runs) < MOST_RUNS else []

    def may(self, action: Action, run: Run) -> bool:
        state = State(self.world.last.runs[run.run_id])
        return after(action, state) not in (None, state)

    def steer(self, action: Action, run: Run, _: st.DataObject) -> None:
        self.house.do(steer(self.house.main, action, account_id=run.account_id, campaign_id=run.campaign_id))

    def suspend(self, run: Run, _: st.DataObject) -> None:
        self.house.do(suspend(self.house.main, run.run_id, 100.0, "a rule was met"))

    def unsubscribe(self, run: Run, data: st.DataObject) -> None:
        member_id = data.draw(st.sampled_from(run.members))
        self.house.do(self.stops.stop(run.account_id, [member_id], "unsubscribed"))

    def stopped(self, run: Run) -> list[int]:
        return sorted(seq for run_id, seq in self.world.last.stopped if run_id == run.run_id)

    def consent(self, run: Run, data: st.DataObject) -> None:
        member_id = run.members[data.draw(st.sampled_from(self.stopped(run))) - 1]
        later = self.house.do(self.house.now()) + timedelta(minutes=1)
        self.house.do(self.stops.lift(run.account_id, member_id, later))

    def erase(self, run: Run, data: st.DataObject) -> None:
        """Gone from the vault first; the queue is told in a second step, which may be late."""
        member_id = data.draw(st.sampled_from(run.members))
        self.world.in_the_vault.discard(member_id)
        if data.draw(mostly, label="told"):
            self.house.do(self.stops.stop(run.account_id, [member_id], "erased"))

    def schedule(self, _: None, data: st.DataObject) -> None:
        size, first = data.draw(st.integers(1, 6)), data.draw(nth)
        chunk, resent = data.draw(st.integers(1, 4)), data.draw(st.booleans())
        self.world.add_run(size=size, first=first, chunk=chunk, resend_uncertain=resent, state="scheduled")

    @property
    def stops(self) -> StopStore:
        return StopStore(self.house.main)
