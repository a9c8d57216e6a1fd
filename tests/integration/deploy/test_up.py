import os
import re
import select
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic

import httpx
import orjson
import pytest

from tests.support.command_line import started, todoku
from tests.support.postgres import directory_for_postgres
from tests.support.processes import ended

SETTINGS: dict[str, object] = {
    "workers": 1,
    "api_port": 0,
    "tracker_port": 0,
    "pages_port": 0,
    "inbound_port": 0,
    "mailbox_smtp_port": 0,
    "mailbox_http_port": 0,
    "metrics_port": 0,
}
NAMES = {
    "postgres",
    "mailbox",
    "tracker",
    "pages",
    "inbound",
    "scheduler",
    "worker-bulk-0",
    "worker-fast-0",
    "worker-jobs-0",
    "api",
}


class Running:
    """A `todoku up` that has said it is running."""

    def __init__(self, process: subprocess.Popen[str], directory: Path) -> None:
        self.process = process
        self.directory = directory
        self.said = ""

    def read_until(self, text: str) -> str:
        assert self.process.stdout
        for line in self.process.stdout:
            self.said += line
            if text in line:
                return self.said
        assert self.process.stderr
        raise AssertionError(self.said + self.process.stderr.read())

    def children(self) -> dict[str, dict[str, object]]:
        return {line["name"]: line for line in orjson.loads((self.directory / "children.json").read_bytes())}

    def pid(self, name: str) -> int:
        return int(str(self.children()[name]["pid"]))

    def is_back(self, name: str, killed: int) -> bool:
        child = self.children()[name]
        return child["state"] == "ready" and child["pid"] != killed

    def wait_until(self, true: Callable[[], bool]) -> None:
        """Ask again whenever the supervisor logs something, and twice a second; for 20 s."""
        assert self.process.stderr
        descriptor = self.process.stderr.fileno()
        for _ in range(40):
            if true():
                return
            if select.select([descriptor], [], [], 0.5)[0]:
                os.read(descriptor, 65536)
        raise AssertionError(self.children())


@contextmanager
def up(directory: Path) -> Iterator[Running]:
    process = started("up", data_dir=directory, **SETTINGS)
    try:
        running = Running(process, directory)
        running.read_until("Fingerprint")
        yield running
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.fixture
def directory() -> Iterator[Path]:
    with directory_for_postgres() as made:
        yield made / "todoku"


def test_everything_starts_answers_restarts_and_stops_in_time(directory: Path) -> None:
    with up(directory) as running:
        children = running.children()
        assert set(children) == NAMES
        assert {child["state"] for child in children.values()} == {"ready"}
        fingerprint = re.search(r"Fingerprint +([0-9a-f]{16})", running.said)
        assert fingerprint

        said = running.read_until("tdk_")
        key = next(line for line in said.splitlines() if line.startswith("tdk_"))
        api = re.search(r"http://127\.0\.0\.1:\d+(?=/v1)", said)
        assert api
        answer = httpx.get(f"{api[0]}/v1/attributes", headers={"Authorization": f"Bearer {key}"}, timeout=10)
        assert [item["name"] for item in answer.json()["items"]] == ["name", "locale", "time_zone", "tags"]

        # Commands beside it find its databases; a second one is refused.
        assert "first start" in todoku("api-keys", "list", data_dir=directory).stdout
        second = todoku("up", data_dir=directory, **SETTINGS)
        assert second.returncode == 2
        assert "already" in second.stderr

        # What is killed is back, the database too, and the rest stays.
        for name in ("worker-bulk-0", "postgres"):
            killed = running.pid(name)
            os.kill(killed, signal.SIGKILL)
            running.wait_until(partial(running.is_back, name, killed))
            assert running.children()[name]["restarts"] == 1

        pids = [running.pid(name) for name in NAMES]
        began = monotonic()
        running.process.send_signal(signal.SIGINT)
        _, _ = running.process.communicate(timeout=30)
        assert running.process.returncode == 0
        assert monotonic() - began < 10
        assert all(ended(pid, seconds=0) for pid in pids)
        assert not (directory / "children.json").exists()

    for log in (directory / "logs").glob("*.log"):
        assert "Traceback" not in log.read_text(), log.name

    with up(directory) as again:
        assert fingerprint[0] in again.said
        again.process.send_signal(signal.SIGINT)
        rest, _ = again.process.communicate(timeout=30)
        assert "tdk_" not in again.said + rest
        assert "Keep a copy" not in again.said + rest


def test_nothing_outlives_a_killed_supervisor(directory: Path) -> None:
    with up(directory) as running:
        pids = [running.pid(name) for name in NAMES]
        running.process.kill()
        assert all(ended(pid, seconds=15) for pid in pids)


def test_a_stop_in_the_middle_of_the_start_leaves_nothing_behind(directory: Path) -> None:
    process = started("up", data_dir=directory, **SETTINGS)
    assert process.stderr
    for line in process.stderr:
        if '"child":"mailbox"' in line:
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert not (directory / "postgres" / "cluster" / "postmaster.pid").exists()


def test_a_part_that_cannot_start_stops_the_start_and_says_why(directory: Path) -> None:
    directory.mkdir()
    (directory / "mailbox").write_text("a file where a directory should be")
    done = todoku("up", data_dir=directory, **SETTINGS)
    assert done.returncode == 2
    assert "mailbox did not start" in done.stderr
    assert not (directory / "postgres" / "cluster" / "postmaster.pid").exists()
