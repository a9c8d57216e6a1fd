import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.replies.reply import Reply
from delivery.smtp.errors import Failure, NotStarted, OutcomeUnknown, Unsendable
from delivery.smtp.parser import LINE_LIMIT, LINES_LIMIT, MalformedReply, ReplyParser
from delivery.smtp.transaction import Offers, OutOfOrder, Step, Transaction, stuffed


def test_replies_that_come_together_are_told_apart() -> None:
    parser = ReplyParser()
    assert [*parser.feed(b"250 2.1.0 Ok\r\n250-a\r\n250-b\r\n250 c\r\n354\r\n")] == [
        (250, b"2.1.0 Ok"),
        (250, b"a\nb\nc"),
        (354, b""),
    ]
    assert not parser.pending


def test_a_reply_without_its_last_line_is_pending() -> None:
    parser = ReplyParser()
    assert [*parser.feed(b"250-a\r\n")] == []
    assert parser.pending
    assert [*parser.feed(b"250 b")] == []
    assert [*parser.feed(b"\r\n")] == [(250, b"a\nb")]


def test_replies_before_a_malformed_one_count() -> None:
    parser = ReplyParser()
    replies = parser.feed(b"250 queued\r\n250 ok\r\nhello\r\n")
    assert [next(replies), next(replies)] == [(250, b"queued"), (250, b"ok")]
    with pytest.raises(MalformedReply):
        next(replies)


@pytest.mark.parametrize(
    "received",
    [
        b"hello\r\n",
        b"\r\n",
        b"25\r\n",
        b"650 x\r\n",
        b"150 x\r\n",
        b"250_x\r\n",
        b"250-a\r\n251 b\r\n",
        b"250 " + b"x" * LINE_LIMIT,
        b"250 " + b"x" * LINE_LIMIT + b"\r\n",
        b"250-x\r\n" * LINES_LIMIT,
        "２５０ x\r\n".encode(),  # noqa: RUF001
    ],
)
def test_what_is_no_reply_or_over_a_bound_is_refused(received: bytes) -> None:
    with pytest.raises(MalformedReply):
        list(ReplyParser().feed(received))


@settings(max_examples=100, deadline=None)
@given(
    replies=st.lists(
        st.tuples(st.integers(200, 599), st.lists(st.from_regex(rb"[ -~]{0,20}", fullmatch=True), min_size=1)),
        max_size=5,
    ),
    cuts=st.lists(st.integers(1, 30), max_size=50),
)
def test_however_it_is_cut_the_same_replies_come_out(replies: list[tuple[int, list[bytes]]], cuts: list[int]) -> None:
    wire = b"".join(
        b"".join(b"%d-%b\r\n" % (code, line) for line in lines[:-1]) + b"%d %b\r\n" % (code, lines[-1])
        for code, lines in replies
    )
    parser = ReplyParser()
    found: list[tuple[int, bytes]] = []
    for cut in cuts:
        found += parser.feed(wire[:cut])
        wire = wire[cut:]
    found += parser.feed(wire)
    assert found == [(code, b"\n".join(lines)) for code, lines in replies]
    assert not parser.pending


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=50) | st.sampled_from([b"250 ok\r\n", b"354 go\r\n", b"421 x\r\n", b"550-a\r\n"])))
def test_garbage_ends_in_a_typed_refusal_or_in_a_result(segments: list[bytes]) -> None:
    parser = ReplyParser()
    transaction = Transaction()
    try:
        for segment in segments:
            for code, text in parser.feed(segment):
                if transaction.receive(code, text) is Step.DONE:
                    assert transaction.result is not None
                    return
    except (MalformedReply, OutOfOrder):
        pass


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([b".", b"..", b"", b"a.", b".a"]), max_size=8))
def test_a_receiver_that_takes_the_dots_off_has_the_message(lines: list[bytes]) -> None:
    message = b"".join(line + b"\r\n" for line in [*lines, b"end"])
    wire = stuffed(message)
    assert wire.endswith(b"\r\n.\r\n")
    received = wire.removesuffix(b".\r\n").split(b"\r\n")[:-1]
    assert b"." not in received
    assert b"".join(line.removeprefix(b".") + b"\r\n" for line in received) == message


def test_a_message_without_its_last_line_end_is_refused() -> None:
    with pytest.raises(Unsendable):
        stuffed(b"Subject: x\r\n\r\nend")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([b".", b"\r\n", b"a", b"\r\n.", b"\n."]), max_size=12).map(b"".join))
def test_every_dot_at_a_lines_start_is_doubled_and_no_other(message: bytes) -> None:
    lines = (message + b"\r\n").split(b"\r\n")[:-1]
    expected = b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)
    assert stuffed(message + b"\r\n") == expected + b".\r\n"


def _after(*replies: int, reset: bool = False) -> tuple[Transaction, Step | None]:
    transaction, step = Transaction(reset=reset), None
    for code in replies:
        step = transaction.receive(code, b"")
    return transaction, step


@pytest.mark.parametrize(
    ("replies", "step", "command", "left_open"),
    [
        ((250, 250, 354), Step.BODY_DUE, None, False),
        ((250, 250, 354, 250), Step.DONE, "BODY", False),
        ((250, 250, 354, 550), Step.DONE, "BODY", False),
        ((550, 503, 503), Step.DONE, "MAIL", False),
        ((250, 550, 503), Step.DONE, "RCPT", True),
        ((250, 550, 354), Step.WRITE_NOTHING, "RCPT", False),
        ((250, 550, 354, 250), Step.DONE, "RCPT", False),
        ((250, 250, 450), Step.DONE, "DATA", True),
        ((421,), Step.DONE, "MAIL", False),
        ((250, 550, 421), Step.DONE, "RCPT", True),
    ],
)
def test_a_transaction_is_decided_by_its_first_refusal(
    replies: tuple[int, ...], step: Step, command: str | None, left_open: bool
) -> None:
    transaction, last = _after(*replies)
    assert last is step
    assert (transaction.result and transaction.result.command) == command
    assert transaction.open == left_open


@pytest.mark.parametrize("replies", [(354,), (250, 354), (250, 250, 250), (250, 250, 354, 354)])
def test_a_reply_that_its_command_can_not_draw_is_out_of_order(replies: tuple[int, ...]) -> None:
    with pytest.raises(OutOfOrder):
        _after(*replies)


def test_a_reset_that_is_refused_leaves_nothing_to_rely_on() -> None:
    assert _after(250, 250, 250, 354, reset=True)[1] is Step.BODY_DUE
    with pytest.raises(OutOfOrder):
        _after(550, reset=True)


def test_what_a_message_comes_to_without_a_reply_depends_on_its_body() -> None:
    refused, _ = _after(250, 550)
    waiting, _ = _after(250, 250, 354)
    begun, _ = _after(250, 250, 354)
    begun.begun = True
    assert isinstance(refused.cut_off(Failure.LOST), Reply)
    assert isinstance(waiting.cut_off(Failure.LOST), NotStarted)
    assert isinstance(begun.cut_off(Failure.LOST), OutcomeUnknown)
    # Accepted before it had all been sent, say: then the reply is no proof.
    begun.receive(250, b"")
    assert isinstance(begun.cut_off(Failure.PROTOCOL), OutcomeUnknown)


@pytest.mark.parametrize(
    ("stated", "limit"), [("1000", 1000), ("0", None), ("", None), ("many", None), ("1" * 21, None), ("-5", None)]
)
def test_a_size_that_is_no_number_is_no_limit(stated: str, limit: int | None) -> None:
    offers = Offers.of({"size": stated})
    assert (offers.size, offers.size_limit) == (True, limit)
