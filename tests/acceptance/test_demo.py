"""`todoku demo` as anyone runs it: a real process, everything behind it, one object at the end."""

import json
import signal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import started

FIGURES = {
    *("snapshot", "accepted", "failed", "suppressed", "cancelled", "uncertain", "waiting"),
    *("opens", "unique_opens", "clicks", "unique_clicks", "unsubscribes", "lateness_ms", "messages_per_second"),
    *("human_opens", "unique_human_opens", "machine_opens", "human_clicks", "unique_human_clicks", "machine_clicks"),
}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo makes its directory. As root Postgres runs as somebody else, who must be able to come this way."""
    for directory in (tmp_path, *islice(tmp_path.parents, 3)):
        directory.chmod(directory.stat().st_mode | 0o011)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_the_demo_ends_with_reports_that_are_what_was_done(temporary: Path) -> None:
    with started("demo", "--members", "400", "--json") as process:
        try:
            out, errors = process.communicate(timeout=240)
        finally:
            process.terminate()
    assert process.returncode == 0, errors[-3_000:]
    said: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert (said["members"], said["rejects"]) == (400, 20)
    assert said["ok"]
    assert said["differences"] == []
    assert all(check["ok"] for check in said["checks"])
    everyone, gold, kansai, afterwards = said["campaigns"]
    for campaign in said["campaigns"]:
        assert campaign.keys() >= {"name"} | FIGURES
        ends = ("accepted", "failed", "suppressed", "cancelled", "uncertain", "waiting")
        assert sum(campaign[end] for end in ends) == campaign["snapshot"]
        assert campaign["uncertain"] == campaign["waiting"] == campaign["cancelled"] == 0
    assert everyone["snapshot"] == 400
    assert everyone["failed"] == 4
    assert everyone["deferred"] == 6
    assert everyone["opens"] >= everyone["unique_opens"] > everyone["unique_clicks"] > 0
    assert everyone["unsubscribes"] > 0
    assert everyone["human_opens"] > everyone["machine_opens"] >= 12
    assert everyone["human_clicks"] > 0
    # Three kinds of gateway, before two people each.
    assert everyone["machine_clicks"] == 2 * (20 + 5 + 20)
    assert gold["accepted"]
    assert kansai["accepted"]
    assert afterwards["accepted"]
    assert "Traceback" not in errors
    assert list(temporary.iterdir()) == []


def test_interrupted_the_demo_leaves_nothing_behind(temporary: Path) -> None:
    with started("demo", "--members", "100") as process:
        assert process.stdout
        assert any("Importing" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "Stopped; nothing is left of it."
    assert list(temporary.iterdir()) == []
