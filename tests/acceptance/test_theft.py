"""A service is robbed of its databases, its logs and all it ever said to Postgres, and the thief learns of nobody."""

import json
from pathlib import Path

from tests.support.command_line import started, todoku


def test_of_a_robbed_service_nothing_of_anybody_is_found() -> None:
    with started("steal", "--demo", "--json") as process:
        try:
            out, errors = process.communicate(timeout=120)
        finally:
            process.terminate()
    assert process.returncode == 0, (out + errors)[-3_000:]
    said = json.loads(out)
    assert said["leaks"] == []
    assert said["values"] == 26 * 8
    # Something was there to be searched: two dumps, every process' log, every connection in both directions.
    assert said["bytes"] > 500_000
    assert said["files"] > 30
    assert [(swap["what"], swap["opened"]) for swap in said["swaps"]] == [
        ("profiles", 0),
        ("member keys", 0),
        ("profiles and keys together", 0),
    ]
    assert said["by_design"]["sealed profiles or keys that stand twice"] == "0"
    assert said["by_design"]["values of plan told apart, without the values"].startswith("3, ")


def test_a_leak_ends_the_search_with_code_1_and_is_told_without_its_value(tmp_path: Path) -> None:
    known, log = tmp_path / "known.csv", tmp_path / "api.log"
    known.write_text("email,name\nhanako-zanzibar@example.jp,紫式部 麒麟児\n")
    log.write_text("member 1\n")
    clean = todoku("steal", "--known", str(known), "--logs", str(tmp_path / "api.log"))
    assert (clean.returncode, "Nothing of anybody was found." in clean.stdout) == (0, True)
    log.write_text("member 1\nsent to hanako-zanzibar@example.jp\n")
    caught = todoku("steal", "--known", str(known), "--logs", str(log))
    assert caught.returncode == 1
    assert "api.log" in caught.stdout
    assert "LEAKED" in caught.stdout
    assert "zanzibar" not in caught.stdout + caught.stderr


def test_it_has_to_be_said_what_was_stolen(tmp_path: Path) -> None:
    for words in ([], ["--demo", "--logs", str(tmp_path)], ["--logs", str(tmp_path)], ["--known", str(tmp_path)]):
        assert todoku("steal", *words).returncode == 2
