"""Key-encryption keys wherever they are kept: each opens what it wrapped, in its place, and nothing else."""

import base64
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from api.answers import SealedAnswers
from core.errors import ConfigurationError, Tampered, Unavailable
from members.kek import ChangingKek, CommandKek, Kek

KEY = bytes(range(32))

TOOL = """
import base64, sys
what = sys.argv[-1]
print("noise that is nobody's business", file=sys.stderr)
if what == "fingerprint":
    print("hsm-7")
else:
    given = base64.b64decode(sys.stdin.readline())
    if what == "unwrap" and not given.startswith(b"hsm"):
        sys.exit(3)
    made = b"hsm" + bytes(byte ^ 85 for byte in given) if what == "wrap" else bytes(byte ^ 85 for byte in given[3:])
    print(base64.b64encode(made).decode())
"""

Tool = Callable[[str], list[str]]


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    def made(text: str) -> list[str]:
        script = tmp_path / "tool.py"
        script.write_text(text)
        return [sys.executable, str(script)]

    return made


async def test_a_command_keeps_the_key(tool: Tool, capfd: pytest.CaptureFixture[str]) -> None:
    kek = await CommandKek.opened(tool(TOOL))
    assert kek.fingerprint == "hsm-7"
    wrapped = await kek.wrap(KEY, b"one")
    assert KEY not in wrapped
    assert await kek.unwrap(wrapped, b"one") == KEY
    with pytest.raises(Tampered):
        await kek.unwrap(wrapped, b"other")
    assert capfd.readouterr() == ("", "")


async def test_a_command_that_fails_is_unavailable_and_its_words_are_not_repeated(tool: Tool) -> None:
    kek = CommandKek(tool("import sys; print('a secret', file=sys.stderr); print('a secret'); sys.exit(3)"), "x")
    with pytest.raises(Unavailable) as caught:
        await kek.wrap(KEY, b"one")
    assert "secret" not in str(caught.value)
    assert "3" in str(caught.value)


@pytest.mark.parametrize("output", ["not base64!", "", "あ"])
async def test_a_command_that_answers_nonsense_opens_nothing(tool: Tool, output: str) -> None:
    kek = CommandKek(tool(f"print({output!r})"), "x")
    with pytest.raises(Tampered):
        await kek.unwrap(b"wrapped", b"one")


async def test_a_command_that_says_too_much_or_never_ends_is_cut_off(tool: Tool) -> None:
    with pytest.raises(Unavailable, match="bytes"):
        await CommandKek(tool("while True: print('A' * 4096)"), "x").wrap(KEY, b"one")
    with pytest.raises(Unavailable, match="longer"):
        await CommandKek(tool("import signal; signal.pause()"), "x", seconds=0.2).wrap(KEY, b"one")


async def test_a_command_that_is_not_there_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="can't be run"):
        await CommandKek.opened(["/nowhere/kms"])


@pytest.mark.parametrize("said", ["", "two words", "x" * 65])
async def test_a_command_without_a_fingerprint_stops_the_start(tool: Tool, said: str) -> None:
    with pytest.raises(ConfigurationError, match="fingerprint"):
        await CommandKek.opened(tool(f"print({said!r})"))


def test_a_key_of_the_environment_is_the_line_of_a_key_file(tmp_path: Path) -> None:
    file = tmp_path / "kek"
    made = Kek.load_or_create(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Kek.read(file.read_text(), where="TODOKU_KEK").fingerprint == made.fingerprint
    for wrong in ("", "todoku-kek-1:", "todoku-kek-1:!", "other:" + base64.b64encode(KEY).decode()):
        with pytest.raises(ConfigurationError) as caught:
            Kek.read(wrong, where="TODOKU_KEK")
        assert base64.b64encode(KEY).decode() not in str(caught.value)


async def test_while_one_key_replaces_another_both_open_and_the_new_one_wraps(tool: Tool) -> None:
    old, new = await CommandKek.opened(tool(TOOL)), Kek(KEY)
    for one, other in ((old, new), (new, old)):
        changing = ChangingKek(other, one)
        assert changing.fingerprint == other.fingerprint
        assert await changing.unwrap(await one.wrap(KEY, b"x"), b"x") == KEY
        wrapped = await changing.wrap(KEY, b"x")
        assert await changing.unwrap(wrapped, b"x") == await other.unwrap(wrapped, b"x") == KEY
        with pytest.raises((Tampered, Unavailable)):
            await changing.unwrap(await Kek(bytes(32)).wrap(KEY, b"x"), b"x")


class Counting(Kek):
    asked = 0

    async def wrap(self, key: bytes, aad: bytes) -> bytes:
        self.asked += 1
        return await super().wrap(key, aad)

    async def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        self.asked += 1
        return await super().unwrap(wrapped, aad)


async def test_kept_answers_ask_the_key_once_a_process_and_open_in_their_place_alone() -> None:
    kek = Counting(KEY)
    here, there = SealedAnswers(kek), SealedAnswers(kek)
    bodies = [await here.seal(f"answer {number}".encode(), b"a") for number in range(10)]
    assert [await there.open(body, b"a") for body in bodies] == [f"answer {number}".encode() for number in range(10)]
    assert kek.asked == 2
    for place in (0, 1, 2, 20, 70, -1):
        altered = bytearray(bodies[0])
        altered[place] ^= 1
        with pytest.raises(Tampered):
            await SealedAnswers(kek).open(bytes(altered), b"a")
    with pytest.raises(Tampered):
        await there.open(bodies[0], b"b")
    assert b"answer" not in bodies[0]
