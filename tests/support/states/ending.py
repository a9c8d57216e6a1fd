"""The end of every example: all that died is recovered, all that waits is sent, and every run must come to its end."""

from delivery.replies.verdict import ACCEPTED
from scheduler.campaigns.states import Action
from scheduler.campaigns.steering import steer
from tests.support.states.process import IN_DOUBT, Process, Stage
from tests.support.states.statements import SITES
from tests.support.states.world import World
from tracking.verify import verify

ROUNDS = 30
FINAL = frozenset({"finished", "cancelled"})


def deliver(world: World, process: Process) -> None:
    """Carry everything that leave was given for to an accepted end."""
    for message in process.messages(Stage.INTENDED, *IN_DOUBT):
        if message.stage is Stage.INTENDED:
            world.receiver.begun.add(message.key)
            process.begin(message)
        if message.stage is not Stage.ANSWERED:
            world.receiver.take(message.key, "accepted")
        if world.receiver.replies[message.key] == "accepted":
            process.settle(message, ACCEPTED, 250)
        else:
            process.lose(message)


def wind_up(world: World, process: Process) -> None:
    """Stop a process as SIGTERM does: nothing more is begun, results are written, the rest is handed back."""
    if process.unheard:
        world.intend(process, process.unheard, heard=True)
    for message in process.messages(Stage.INTENDED):
        process.give_back(message)
    deliver(world, process)
    while process.unwritten:
        world.write(process, 1_000, heard=True)
        world.look()
    for one in list(process.slices.values()):
        if one.parting is not None:
            world.split(process, one, (), site_id=0, heard=True)
            world.look()
        if one.opened:
            world.end(process, one, delay=0.0, site_id=None, heard=True)
            world.look()
    # What was claimed and never opened is given back by the end of the lease, as a claim without an answer is.
    world.leave(process, fault=process.lost)
    world.look()


def drain(world: World, *, killed: bool) -> None:
    """Have everything come to its end, and prove that it did."""
    for process in list(world.processes):
        if killed:
            world.kill(process)
        else:
            wind_up(world, process)
    for machine in world.machines:
        world.replay(machine)
        world.look()
    world.pass_time(200, [])
    world.reap()
    world.look()
    last = world.start(world.machines[0])
    for run in world.runs.values():
        if world.last.runs[run.run_id] in ("pausing", "paused"):
            world.house.do(
                steer(world.house.main, Action.RESUME, account_id=run.account_id, campaign_id=run.campaign_id)
            )
    for _ in range(ROUNDS):
        world.sweep()
        world.look()
        if set(world.last.runs.values()) <= FINAL:
            break
        _send_all(world, last)
        world.pass_time(400, [last])
        world.look()
    world.leave(last, fault=False)
    world.look()
    _check_end(world)


def _send_all(world: World, process: Process) -> None:
    while (one := world.claim(process, mixed=True, sites=SITES)) is not None:
        process.slices[one.claim.chunk_id] = one
        world.open(process, one)
        world.look()
        if waiting := process.messages(Stage.WAITING):
            world.intend(process, waiting, heard=True)
            world.look()
        deliver(world, process)
        if process.unwritten:
            world.write(process, 1_000, heard=True)
            world.look()
        world.end(process, one, delay=0.0, site_id=None, heard=True)
        world.look()


def _check_end(world: World) -> None:
    assert set(world.last.runs.values()) <= FINAL, f"never came to an end: {list(world.last.runs.values())}"
    for machine in world.machines:
        assert not machine.journals(), "a journal is left"
    for check in world.house.do(verify(world.house.main)):
        assert check.ok, check.faults
        assert check.counts["waiting"] == 0
        if world.runs[check.run_id].resend_uncertain and check.state == "finished":
            assert check.counts["uncertain"] == 0, "nobody came back to what was to be sent again"
