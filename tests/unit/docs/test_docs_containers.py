import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from core.settings import Settings, load
from deploy import ports, roles
from deploy.keys import load_signer, load_webhook_keys
from deploy.roles import Role
from members.kek import Kek
from tests.unit.docs.reading import ROOT, blocks, commands, page

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "command" in service}
ROLES = {
    "api": roles.API,
    "tracker": roles.TRACKER,
    "pages": roles.PAGES,
    "inbound": roles.INBOUND,
    "scheduler": roles.SCHEDULER,
    "worker-bulk": roles.WORKER,
    "worker-fast": roles.WORKER,
    "worker-jobs": Role(("main", "members"), kek=True),
    "migrate": Role(("main_owner", "members_owner")),
}
EXAMPLE = dict(
    line.split("=", 1)
    for line in (ROOT / "deploy" / "compose.env.example").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
_VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::[?-]([^}]*))?\}")


def filled(text: str) -> str:
    return _VARIABLE.sub(lambda found: EXAMPLE.get(found[1]) or found[2] or "hush", text)


def secrets(role: Role) -> set[str]:
    kept = {"kek_file": role.kek, "link_key_file": role.links, "webhook_key_file": role.webhooks, "relays": role.relays}
    return {f"{name}_dsn" for name in role.dsns} | {name for name, has in kept.items() if has}


@pytest.mark.parametrize("name", OURS)
def test_a_containers_command_is_one_that_there_is(name: str) -> None:
    program, *words = OURS[name]["command"]
    assert program == "todoku"
    known = commands()
    count = next(n for n in (1, 2) if " ".join(words[:n]) in known)
    known[" ".join(words[:count])].make_context(name, words[count:])


@pytest.mark.parametrize("name", OURS)
def test_a_containers_settings_are_known_and_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = OURS[name]["environment"]
    for variable, value in environment.items():
        monkeypatch.setenv(variable, filled(value))
    settings = load()
    for variable in environment:
        assert getattr(settings, variable.removeprefix("TODOKU_").lower())


@pytest.mark.parametrize("name", OURS)
def test_a_container_has_exactly_the_secrets_of_its_role(name: str) -> None:
    given = {variable.removeprefix("TODOKU_").lower() for variable in OURS[name]["environment"]}
    assert given & roles.SECRET == secrets(ROLES[name])
    mounted = {volume.split(":")[1] for volume in OURS[name].get("volumes", []) if volume.startswith("./keys/")}
    paths = {value for value in OURS[name]["environment"].values() if value.startswith("/keys/")}
    assert mounted == paths


def test_every_process_has_a_container() -> None:
    processes = {tuple(service["command"][1:]) for service in OURS.values()}
    expected = {("api",), ("tracker",), ("pages",), ("inbound",), ("scheduler",), ("migrate",)}
    assert processes == expected | {("worker", "--pool", pool) for pool in ports.POOLS}


def test_only_those_who_need_the_member_database_share_a_network_with_it() -> None:
    def on(network: str) -> set[str]:
        return {name for name, service in SERVICES.items() if network in service["networks"]}

    opens_members = {name for name, role in ROLES.items() if any(dsn.startswith("members") for dsn in role.dsns)}
    assert on("vault") == opens_members | {"members-db"}
    assert on("outside") == {"worker-bulk", "worker-fast", "scheduler", "inbound"}
    assert on("front") == {"api", "tracker", "pages", "inbound"}
    assert all(COMPOSE["networks"][name]["internal"] for name in ("main", "vault"))


def test_only_what_is_to_be_reached_is_open_and_to_the_host_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    defaults = {name: Settings.model_fields[f"{name}_port"] for name in ("api", "tracker", "pages", "inbound")}
    assert published == {name: [f"127.0.0.1:{f.default}:{f.default}"] for name, f in defaults.items()}


def test_health_is_asked_at_ports_that_answer() -> None:
    base = Settings.model_fields["metrics_port"].default
    expected = {
        "api": Settings.model_fields["api_port"].default,
        "tracker": Settings.model_fields["tracker_port"].default,
        "pages": Settings.model_fields["pages_port"].default,
        "inbound": ports.metrics_port(base, "inbound"),
        "scheduler": ports.metrics_port(base, "scheduler"),
        **{f"worker-{pool}": ports.worker_metrics_port(base, pool, 0) for pool in ports.POOLS},
    }
    for name, port in expected.items():
        assert f"http://127.0.0.1:{port}/" in OURS[name]["healthcheck"]["test"][-1]


def test_the_spool_outlives_its_container() -> None:
    assert "spool:/var/lib/todoku/spool" in OURS["tracker"]["volumes"]
    assert Settings(data_dir=Path("/var/lib/todoku")).spool_dir == Path("/var/lib/todoku/spool")


def test_journals_outlive_their_containers() -> None:
    for name in ("worker-bulk", "worker-fast"):
        assert "journal:/var/lib/todoku/journal" in OURS[name]["volumes"]
    assert Settings(data_dir=Path("/var/lib/todoku")).journal_dir == Path("/var/lib/todoku/journal")


def test_containers_run_without_rights() -> None:
    for service in OURS.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert "privileged" not in service


def test_the_roles_of_the_containers_databases_are_those_of_the_how_to() -> None:
    written = blocks(page("how-to/own-postgres.md"), "sql")
    made = [COMPOSE["configs"][name]["content"] for name in ("main-roles", "members-roles")]
    without_passwords = re.compile(r"PASSWORD '[^']*'")
    assert [without_passwords.sub("", text) for text in made] == [without_passwords.sub("", text) for text in written]


def test_every_variable_that_must_be_given_is_in_the_example() -> None:
    text = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{([A-Z_]+):\?\}", text)) <= EXAMPLE.keys()


def test_the_image_installs_by_hash_and_runs_as_nobody_special() -> None:
    text = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")
    assert "--require-hashes" in text
    assert [line for line in text.splitlines() if line.startswith("USER ")] == ["USER 10001:10001"]
    assert not re.search(r"(DSN|KEK|PASSWORD|RELAYS)", text)
    for source in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in source.split())


def test_the_keys_that_the_how_to_makes_are_taken(tmp_path: Path) -> None:
    (script,) = [block for block in blocks(page("how-to/several-machines.md"), "sh") if "todoku-kek-1" in block]
    making = script[script.index("install -d") : script.index("chown")]
    # Without openssl: any 32 bytes in base64.
    stand_in = "openssl() { head -c 32 /dev/urandom | base64; }\n"
    subprocess.run(["bash", "-ec", stand_in + making], cwd=tmp_path, check=True)
    assert Kek.load(tmp_path / "keys" / "kek").fingerprint
    assert load_signer(tmp_path / "keys" / "links")
    assert load_webhook_keys(tmp_path / "keys" / "webhooks")


def test_the_scrape_example_names_what_one_machine_runs() -> None:
    scrape = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text(encoding="utf-8"))
    targets = {group["labels"]["process"]: group["targets"] for group in scrape["scrape_configs"][0]["static_configs"]}
    base = Settings.model_fields["metrics_port"].default
    alone = ("api", "tracker", "scheduler", "mailbox", "pages", "inbound")
    expected = {name: ports.metrics_port(base, name) for name in alone}
    for pool, slots in (("bulk", 2), ("fast", 1), ("jobs", 1)):
        expected |= {f"worker-{pool}-{slot}": ports.worker_metrics_port(base, pool, slot) for slot in range(slots)}
    assert targets == {name: [f"127.0.0.1:{port}"] for name, port in expected.items()}
