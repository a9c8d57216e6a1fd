import os
import subprocess
import sys
from signal import SIGTERM

from deploy import tether


def _run(*arguments: str, parent: int | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        tether.command(list(arguments), signal=SIGTERM, parent=parent),
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )


def test_the_tether_becomes_the_command() -> None:
    done = _run(sys.executable, "-c", "import os; print(os.getppid())")
    assert (done.returncode, int(done.stdout)) == (0, os.getpid())


def test_a_command_whose_parent_has_died_already_does_not_begin() -> None:
    done = _run(sys.executable, "-c", "print('begun')", parent=os.getppid())
    assert (done.returncode, done.stdout) == (0, "")


def test_a_missing_command_ends_with_127_and_says_so() -> None:
    done = _run("/no/such/command")
    assert done.returncode == 127
    assert "/no/such/command" in done.stderr
