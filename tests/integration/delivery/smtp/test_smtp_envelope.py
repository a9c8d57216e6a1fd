"""What may stand in an envelope, and which extensions it takes."""

from dataclasses import replace

import pytest

from delivery.smtp.connection import Connection
from delivery.smtp.errors import Obstacle, Unsendable
from tests.integration.delivery.smtp.conftest import Open
from tests.integration.delivery.smtp.letters import ENVELOPE, Letter, both, deliver
from tests.support.scripted_smtp import Scripted

INTERNATIONAL = replace(ENVELOPE, recipient="太郎@例え.jp", smtputf8=True)
EIGHT_BIT = replace(ENVELOPE, message="Subject: x\r\n\r\n届く\r\n".encode())


async def obstacle_to(connection: Connection, letter: Letter) -> Obstacle:
    with pytest.raises(Unsendable) as caught:
        await connection.send(letter)
    assert letter.outcomes == []
    assert connection.usable
    return caught.value.obstacle


@both
@pytest.mark.parametrize(
    "address",
    [
        "a@example.jp\r\nRCPT TO:<b@example.jp>",
        "a@example.jp> SIZE=1",
        "a b@example.jp",
        "a@exa\x00mple.jp",
        "a\n@example.jp",
        '"a\r\n"@example.jp',
        "<a@example.jp>",
        "a@b@example.jp",
        "@example.jp",
        "a@",
        "",
        "a" * 300 + "@example.jp",
    ],
)
async def test_an_address_that_would_break_the_envelope_never_reaches_the_wire(
    open_to: Open, extensions: tuple[str, ...], address: str
) -> None:
    server = Scripted(extensions=extensions)
    connection = await open_to(server)
    letter = Letter(replace(ENVELOPE, recipient=address))
    assert await obstacle_to(connection, letter) == Obstacle.RECIPIENT
    assert address not in str(Unsendable(Obstacle.RECIPIENT)) or not address
    assert (await deliver(connection)).came_to == "BODY 250"
    assert len(server.lines) == 4


@both
async def test_smtputf8_and_8bitmime_are_asked_for_where_needed_and_refused_where_not_offered(
    open_to: Open, extensions: tuple[str, ...]
) -> None:
    server = Scripted(extensions=(*extensions, "SMTPUTF8"))
    connection = await open_to(server)
    assert (await deliver(connection, Letter(INTERNATIONAL))).came_to == "BODY 250"
    assert (await deliver(connection, Letter(EIGHT_BIT))).came_to == "BODY 250"
    assert server.lines[1].endswith(" BODY=8BITMIME SMTPUTF8")
    assert server.lines[2] == "RCPT TO:<太郎@例え.jp>"
    assert server.lines[4].endswith(" BODY=8BITMIME")
    plain = await open_to(Scripted(extensions=tuple({*extensions} - {"8BITMIME"})))
    assert await obstacle_to(plain, Letter(INTERNATIONAL)) == Obstacle.SMTPUTF8
    assert await obstacle_to(plain, Letter(EIGHT_BIT)) == Obstacle.EIGHT_BIT


@both
async def test_a_message_over_the_peers_limit_is_not_offered_to_it(open_to: Open, extensions: tuple[str, ...]) -> None:
    size = len(ENVELOPE.message)
    others = tuple({*extensions} - {"SIZE"})
    for offered, fits in [(f"SIZE {size}", True), (f"SIZE {size - 1}", False), ("SIZE 0", True), ("SIZE", True)]:
        server = Scripted(extensions=(*others, offered))
        connection = await open_to(server)
        if fits:
            assert (await deliver(connection)).came_to == "BODY 250"
            assert server.lines[1].endswith(f" SIZE={size}")
        else:
            assert await obstacle_to(connection, Letter()) == Obstacle.TOO_LARGE
            assert len(server.lines) == 1


async def test_a_message_without_its_last_line_end_is_not_sent(open_to: Open) -> None:
    connection = await open_to(Scripted())
    letter = Letter(replace(ENVELOPE, message=b"Subject: x\r\n\r\nend"))
    assert await obstacle_to(connection, letter) == Obstacle.UNFINISHED


@both
async def test_carriers_odd_addresses_are_quoted_as_the_grammar_wants(
    open_to: Open, extensions: tuple[str, ...]
) -> None:
    server = Scripted(extensions=extensions)
    connection = await open_to(server)
    for address in ("taro.@docomo.ne.jp", "ta..ro@ezweb.ne.jp", '"a b"@example.jp', "x+y@[192.0.2.1]"):
        await deliver(connection, Letter(replace(ENVELOPE, recipient=address)))
    assert [line for line in server.lines if line.startswith("RCPT")] == [
        'RCPT TO:<"taro."@docomo.ne.jp>',
        'RCPT TO:<"ta..ro"@ezweb.ne.jp>',
        'RCPT TO:<"a b"@example.jp>',
        "RCPT TO:<x+y@[192.0.2.1]>",
    ]
