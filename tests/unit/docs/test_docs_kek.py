"""The script of the how-to on KMSes is run as it stands there, on a stand-in for the KMS's own tool."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import Tampered, Unavailable
from members.kek import CommandKek

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "kek-in-a-kms.md").read_text(encoding="utf-8")
BAO = """#!{python} -IS
import base64, sys
write, field, path, given = sys.argv[1:]
verb, key = path.removeprefix("transit/").split("/")
value = given.partition("=")[2]
prefix = "vault:v1:" + key + ":"
if (write, verb, field) == ("write", "encrypt", "-field=ciphertext"):
    made = prefix + base64.b64encode(base64.b64decode(value, validate=True)[::-1]).decode()
elif (write, verb, field) == ("write", "decrypt", "-field=plaintext") and value.startswith(prefix):
    made = base64.b64encode(base64.b64decode(value.removeprefix(prefix))[::-1]).decode()
else:
    sys.exit("Code: 400. invalid ciphertext")
# As the real one prints a field: without a line break where its output is no terminal.
sys.stdout.write(made)
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (script,) = re.findall(r"```sh\n(#!/bin/sh\n.*?)```", PAGE, re.DOTALL)
    for name, text in (("todoku-kek", script), ("bao", BAO.format(python=sys.executable))):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path / "todoku-kek"


async def test_the_script_for_a_kms_wraps_and_unwraps_and_opens_nothing_else(command: Path) -> None:
    kek = await CommandKek.opened([str(command)])
    assert kek.fingerprint == "transit/todoku-kek"
    key = bytes(range(32))
    wrapped = await kek.wrap(key, b"here")
    assert key not in wrapped
    assert await kek.unwrap(wrapped, b"here") == key
    with pytest.raises(Tampered):
        await kek.unwrap(wrapped, b"elsewhere")
    with pytest.raises(Unavailable):
        await kek.unwrap(b"vault:v1:another-key:" + wrapped[-20:], b"here")


def test_what_the_how_to_says_to_try_by_hand_prints_what_it_says(command: Path) -> None:
    (line, printed) = re.findall(r"^(echo .* todoku-kek unwrap) +# (\S+)$", PAGE, re.MULTILINE)[0]
    assert command.exists()
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout.strip() == printed
