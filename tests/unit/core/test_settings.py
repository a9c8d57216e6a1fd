from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.settings import load


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "todoku.toml"
    file.write_text('workers = 3\nretry_first = 60\n[[relays]]\nhost = "smtp.example.jp"\ntls = "starttls-required"\n')
    monkeypatch.setenv("TODOKU_CONFIG", str(file))
    monkeypatch.setenv("TODOKU_WORKERS", "5")
    settings = load()
    assert (settings.workers, settings.retry_first) == (5, 60)
    assert settings.relays[0].host == "smtp.example.jp"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TODOKU_WORKERS", "many", "workers"),
        ("TODOKU_WORKERS", "0", "workers"),
        ("TODOKU_TRACKER_URL", "http://click.example.jp", "https"),
        ("TODOKU_TRACKER_URL", "javascript:alert(1)", "tracker_url"),
        ("TODOKU_API_PORT", "70000", "api_port"),
        ("TODOKU_WORKER_LEASE", "12", "worker_lease"),
        ("TODOKU_RELAYS", '[{"host": "x", "port": 25, "colour": "red"}]', "relays.0.colour"),
        ("TODOKU_WROKERS", "3", "TODOKU_WROKERS"),
    ],
)
def test_a_wrong_value_stops_the_start_with_its_name_and_reason(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=said):
        load()


def test_an_error_never_shows_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TODOKU_RELAYS", '[{"host": "x", "password": "hunter2", "port": "hunter2"}]')
    with pytest.raises(ConfigurationError) as caught:
        load()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("content", ["workers = ", "colour = 1", "[relays]\nhost = 1"])
def test_a_wrong_file_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    file = tmp_path / "todoku.toml"
    file.write_text(content)
    monkeypatch.setenv("TODOKU_CONFIG", str(file))
    with pytest.raises(ConfigurationError):
        load()


def test_a_named_file_that_is_not_there_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TODOKU_CONFIG", "/nowhere/todoku.toml")
    with pytest.raises(ConfigurationError, match="not there"):
        load()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8081", "http://localhost:1/", "https://click.example.jp/", "http://[::1]"]
)
def test_plain_http_is_for_loopback_only(url: str) -> None:
    assert load(tracker_url=url).public_tracker_url == url.rstrip("/")


def test_secrets_are_not_shown() -> None:
    settings = load(main_dsn="postgresql://todoku_app:hunter2@db/todoku")
    assert "hunter2" not in repr(settings)
