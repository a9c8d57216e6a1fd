from uuid import UUID

import pytest

from delivery.lines import Line
from delivery.queue import Claim, Successor, Waiting
from delivery.retry import RetrySchedule
from delivery.slices import Message, Slice, triage
from delivery.workload import Workload

RETRY = RetrySchedule(first=100, cap=1_000, total=10_000)
RUN = UUID(int=1)


def claim(chunk_id: int = 1, run: UUID = RUN) -> Claim:
    return Claim(chunk_id, run, UUID(int=2), UUID(int=3), "campaign", False, 1, 1, 10, None, 10)


@pytest.fixture
def line() -> Line:
    return Line("", 0)


def a_slice(messages: int, line: Line, chunk_id: int = 1, run: UUID = RUN, deadline: float = 30.0) -> Slice:
    made = Slice(claim(chunk_id, run), None, deadline)  # type: ignore[arg-type]  # no content is read here
    for message in some_messages(made, messages, line):
        made.add(message, line)
    return made


def some_messages(made: Slice, count: int, line: Line, first: int = 1) -> list[Message]:
    run, chunk_id = made.claim.run_id, made.claim.chunk_id
    return [
        Message(made, None, 1, 0, 0.0, 0.0, run, seq, UUID(int=seq), chunk_id, 1, line)  # type: ignore[arg-type]
        for seq in range(first, first + count)
    ]


class Now:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def over() -> list[Slice]:
    return []


@pytest.fixture
def load(now: Now, over: list[Slice]) -> Workload:
    return Workload(now=now, on_over=over.append)


def member(seq: int, **history: object) -> Waiting:
    return Waiting(seq, UUID(int=seq), 77, **history)  # type: ignore[arg-type]


def test_final_recipients_are_left_out_of_a_chunk_that_is_claimed_again() -> None:
    history = [
        member(1, outcome="accepted", tries=1),
        member(2, outcome="failed", tries=1),
        member(3, omitted=True),
        member(4, outcome="uncertain", tries=1),
        member(5, outcome="released", tries=1),
        member(6),
    ]
    sorted_out = triage(history, RETRY, resend_uncertain=False, jitter=0)
    assert [one.seq for one in sorted_out.send] == [5, 6]
    assert sorted_out.later == ()


def test_uncertain_is_sent_again_only_where_the_campaign_says_so() -> None:
    uncertain = [member(4, outcome="uncertain", tries=1)]
    assert triage(uncertain, RETRY, resend_uncertain=True, jitter=0).send == tuple(uncertain)


def test_a_deferral_that_is_not_due_waits_for_the_rest_of_its_time() -> None:
    early = member(1, outcome="deferred", tries=1, deferrals=1, since_last=30.0, since_first=30.0)
    due = member(2, outcome="deferred", tries=1, deferrals=1, since_last=101.0, since_first=101.0)
    sorted_out = triage([early, due], RETRY, resend_uncertain=False, jitter=0)
    assert sorted_out.later == ((1, 70.0),)
    assert sorted_out.send == (due,)


def test_messages_are_taken_in_turn_from_each_slice(line: Line, load: Workload) -> None:
    load.add(a_slice(100, line, 1))
    load.add(a_slice(2, line, 2, UUID(int=9)))
    taken = load.take(line, 5)
    assert [one.chunk_id for one in taken] == [1, 2, 1, 2, 1]
    assert (load.waiting, load.under_way) == (97, 5)


def test_a_slice_is_over_when_its_last_message_is_settled(line: Line, load: Workload, over: list[Slice]) -> None:
    made = a_slice(2, line)
    load.add(made)
    first, second = load.take(line, 2)
    load.settled(first)
    assert over == []
    load.settled(second)
    assert over == [made]
    assert made.successors() == []


def test_a_slice_out_of_time_hands_the_unsent_on(line: Line, load: Workload, over: list[Slice], now: Now) -> None:
    made = a_slice(3, line)
    load.add(made)
    (message,) = load.take(line, 1)
    now.seconds = 31
    assert load.take(line, 10) == []
    load.settled(message)
    assert over == [made]
    assert made.successors() == [Successor((2, 3), 0.0)]
    assert load.waiting == 0


def test_a_held_run_ends_its_slice_with_everything_handed_on(line: Line, load: Workload, over: list[Slice]) -> None:
    made = a_slice(3, line)
    load.add(made)
    (message,) = load.take(line, 1)
    load.hold({RUN})
    load.give_back(message, next_try=True)
    assert over == [made]
    assert made.successors() == [Successor((1, 2, 3), 0.0)]
    assert message.tries == 2


def test_a_message_whose_intent_was_refused_keeps_the_number_of_its_try(line: Line, load: Workload) -> None:
    load.add(a_slice(1, line))
    (message,) = load.take(line, 1)
    load.give_back(message, next_try=False)
    assert message.tries == 1
    assert load.take(line, 1) == [message]


def test_an_empty_slice_is_over_at_once(line: Line, load: Workload, over: list[Slice]) -> None:
    made = a_slice(0, line)
    load.add(made)
    assert over == [made]


@pytest.mark.parametrize(("delay", "bucket"), [(0, 0.0), (0.21, 0.3), (7.01, 7.1), (301.0, 310.0), (14_400, 15_000.0)])
def test_retries_are_bucketed_upwards_so_that_none_is_early(line: Line, delay: float, bucket: float) -> None:
    made = a_slice(0, line)
    made.hand_on(7, delay, why="retry")
    (handed,) = made.successors()
    assert handed.delay == pytest.approx(bucket, rel=0.05)
    assert handed.delay >= delay


def test_messages_of_several_lines_are_taken_line_by_line(line: Line, load: Workload) -> None:
    other = Line("other", 7)
    made = a_slice(2, line)
    for message in some_messages(made, 3, other, first=3):
        made.add(message, other)
    load.add(made)
    assert [one.seq for one in load.take(other, 10)] == [3, 4, 5]
    assert list(load.active) == [line]
    assert [one.seq for one in load.take(line, 10)] == [1, 2]
    assert not load.active


def test_what_is_shed_goes_to_a_chunk_of_its_site_and_its_slice_ends_without_it(
    line: Line, load: Workload, over: list[Slice]
) -> None:
    slow = Line("slow", 7)
    made = a_slice(1, line)
    for message in some_messages(made, 4, slow, first=2):
        made.add(message, slow)
    load.add(made)

    def hand_on(message: Message) -> None:
        made.hand_on(message.seq, 0.0, why="site", site_id=7, held=0.0)

    assert load.shed(slow, hand_on, keep=1) == 3
    assert slow.waiting == 1
    for message in [*load.take(line, 9), *load.take(slow, 9)]:
        load.settled(message)
    assert over == [made]
    assert made.successors() == [Successor((3, 4, 5), 0.0, "site", 7, 0.0)]


def test_a_slice_waits_for_messages_whose_route_is_being_looked_for(
    line: Line, load: Workload, over: list[Slice]
) -> None:
    made = Slice(claim(), None, 30.0)  # type: ignore[arg-type]
    sought = some_messages(made, 2, line)
    made.sought = 2
    load.add(made)
    assert over == []
    load.found(made, sought[:1], line)
    assert load.waiting == 1
    load.found(made, sought[1:], None)
    (message,) = load.take(line, 9)
    load.settled(message)
    assert over == [made]


def test_the_rest_of_a_sorted_line_goes_on_at_its_site_and_knows_since_when_it_waits(
    load: Workload, over: list[Slice], now: Now
) -> None:
    direct = Line("mx", 7, route=object())  # type: ignore[arg-type]  # no host is read here
    load.add(a_slice(2, direct))
    (message,) = load.take(direct, 1)
    now.seconds = 31
    load.settled(message)
    assert over[0].successors() == [Successor((2,), 0.0, "site", 7, 0.0)]
