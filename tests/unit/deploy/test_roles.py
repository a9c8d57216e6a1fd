import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.errors import ConfigurationError
from core.settings import Settings
from core.ways_out import RelaySettings
from deploy import fleet, ports, roles
from deploy.dsns import Dsns
from deploy.fleet import MAILBOX_SECONDS, POSTGRES_SECONDS, SERVICE_SECONDS
from deploy.supervisor.policy import stages

DSNS = Dsns("owner-m", "app", "tracker", "pages-m", "inbound", "owner-v", "vault", "stops", "pages-v")


def settings(**changed: object) -> Settings:
    return Settings(data_dir=Path("/data"), workers=2, **changed)  # type: ignore[arg-type]


def secrets_of(role: roles.Role, **changed: object) -> set[str]:
    made = roles.environment(role, settings(**changed), DSNS, {})
    return {name.removeprefix("TODOKU_").lower() for name in made} & roles.SECRET


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (roles.API, {"main_dsn", "members_dsn", "kek_file", "webhook_key_file"}),
        (roles.TRACKER, {"main_tracker_dsn", "link_key_file"}),
        (roles.INBOUND, {"main_inbound_dsn", "link_key_file", "relays"}),
        (roles.PAGES, {"main_pages_dsn", "members_pages_dsn", "kek_file", "link_key_file"}),
        (roles.SCHEDULER, {"main_dsn", "members_stops_dsn", "webhook_key_file"}),
        (roles.WORKER, {"main_dsn", "members_dsn", "kek_file", "link_key_file", "relays"}),
        (roles.MAILBOX, set()),
    ],
)
def test_a_process_is_told_of_no_secret_that_its_role_has_no_use_for(role: roles.Role, expected: set[str]) -> None:
    relay = RelaySettings(host="smtp.example.jp", password=SecretStr("hush"))
    assert secrets_of(role, relays=(relay,)) == expected


def test_a_child_reads_back_the_settings_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    relay = RelaySettings(host="smtp.example.jp", username="us", password=SecretStr("hush"), ca_file=Path("/ca.pem"))
    given = settings(relays=(relay,), slice_seconds=7, tracker_url="https://click.example.jp")
    made = roles.environment(roles.WORKER, given, DSNS, {"PATH": "/bin", "TODOKU_CONFIG": "/etc/todoku.toml"})
    assert made["PATH"] == "/bin"
    assert "TODOKU_CONFIG" not in made
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    read = Settings()
    assert read.relays == (relay,)
    assert (read.slice_seconds, read.tracker_url, read.data_dir) == (7, "https://click.example.jp", Path("/data"))
    assert read.main_dsn == SecretStr("app")
    assert read.kek_path == Path("/data/keys/kek")


def test_one_machine_runs_one_of_each_and_a_sender_for_each_core() -> None:
    names = [child.name for child in fleet.services(settings(), DSNS, {})]
    assert names == [
        "mailbox",
        "tracker",
        "pages",
        "inbound",
        "scheduler",
        "worker-bulk-0",
        "worker-bulk-1",
        "worker-fast-0",
        "worker-jobs-0",
        "api",
    ]


def test_several_trackers_have_slots_of_their_own() -> None:
    trackers = {c.name: c.command for c in fleet.services(settings(trackers=3), DSNS, {}) if "tracker" in c.name}
    assert list(trackers) == ["tracker", "tracker-1", "tracker-2"]
    assert list(trackers["tracker-2"][-3:]) == ["tracker", "--slot", "2"]


def test_with_a_relay_there_is_no_mailbox() -> None:
    relays = (RelaySettings(host="smtp.example.jp"),)
    assert "mailbox" not in [child.name for child in fleet.services(settings(relays=relays), DSNS, {})]


def test_no_secret_stands_on_a_command_line_or_in_a_shown_spec() -> None:
    for child in fleet.services(settings(), DSNS, {}):
        assert not {"app", "vault", "stops"} & set(child.command)
        assert "members_dsn" not in repr(child).lower()


def test_everything_stops_within_ten_seconds() -> None:
    specs = fleet.services(settings(), DSNS, {})
    bounds = [max(child.stop_within for child in stage) for stage in stages(specs)]
    assert bounds == [MAILBOX_SECONDS, SERVICE_SECONDS]
    assert sum(bounds) + POSTGRES_SECONDS < 10


def test_no_two_processes_share_a_metrics_port() -> None:
    alone = [ports.metrics_port(9400, name) for name in ("api", "tracker", "scheduler", "mailbox", "pages", "inbound")]
    bulk = [ports.worker_metrics_port(9400, "bulk", slot) for slot in range(256)]
    trackers = [ports.tracker_metrics_port(9400, slot) for slot in range(16)]
    assert trackers[0] == ports.metrics_port(9400, "tracker")
    rest = [ports.worker_metrics_port(9400, pool, slot) for pool in ("fast", "jobs") for slot in range(10)]
    every = alone + bulk + rest
    assert len(set(every)) == len(every)
    assert bulk[0] == 9410


def test_metrics_can_be_turned_off_and_a_slot_without_a_port_is_refused() -> None:
    assert ports.metrics_port(0, "api") == ports.worker_metrics_port(0, "bulk", 3) == 0
    with pytest.raises(ConfigurationError, match="slot from 0 to 9"):
        ports.worker_metrics_port(9400, "jobs", 10)
    with pytest.raises(ConfigurationError, match="TODOKU_METRICS_PORT"):
        ports.worker_metrics_port(65500, "bulk", 200)


def test_a_free_port_is_none_that_a_client_may_get_and_is_named_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert not ports.is_free(taken.getsockname()[1])
        named = [ports.free_port() for _ in range(2_000)]
    assert len(set(named)) == 2_000
    assert all(ports.is_free(port) for port in named)
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    bases = [ports.free_metrics_base() for _ in range(200)]
    assert max(*named, *(base + 300 for base in bases)) <= lowest
    assert not set(named) & {port for base in bases for port in range(base, base + 300)}
