"""All settings: the only place that reads the environment.

Each is `TODOKU_<NAME>` in the environment or `<name>` in the TOML file that TODOKU_CONFIG names; the environment wins.
A wrong or unknown value stops the start with its name and the reason.
"""

import os
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from core.errors import ConfigurationError, Fault
from core.ways_out import DirectSettings, Port, RelaySettings

Seconds = Annotated[float, Field(gt=0)]


def safe_tracker_url(value: str) -> str:
    """Return where links may lead, without a slash at its end, or empty; ValueError, fit to be shown, for another."""
    url = urlsplit(value)
    if value and (url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment):
        raise ValueError("must be a URL such as https://click.example.jp")
    if url.scheme == "http" and not _is_loopback(url.hostname or ""):
        raise ValueError("must be https: plain http is for loopback only")
    return value.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


PublicUrl = Annotated[str, AfterValidator(safe_tracker_url)]


def _default_data_dir() -> Path:
    # As root Postgres runs under another user, who must be able to reach the directory: not below /root.
    if os.geteuid() == 0:
        return Path("/var/lib/todoku")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "todoku"


class Settings(BaseSettings):
    """Settings of every process; each reads those that concern it."""

    model_config = SettingsConfigDict(
        env_prefix="TODOKU_", env_nested_delimiter="__", extra="forbid", env_ignore_empty=True
    )

    data_dir: Path = Field(default_factory=_default_data_dir)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # Databases. None: the embedded Postgres. A DSN names one role; see docs/reference/settings.md.
    main_owner_dsn: SecretStr | None = None
    main_dsn: SecretStr | None = None
    main_tracker_dsn: SecretStr | None = None
    main_pages_dsn: SecretStr | None = None
    main_inbound_dsn: SecretStr | None = None
    members_owner_dsn: SecretStr | None = None
    members_dsn: SecretStr | None = None
    members_stops_dsn: SecretStr | None = None
    members_pages_dsn: SecretStr | None = None
    postgres_port: Port = 0

    kek_file: Path | None = None
    kek: SecretStr | None = None
    kek_command: tuple[str, ...] = ()
    previous_kek_file: Path | None = None
    previous_kek: SecretStr | None = None
    previous_kek_command: tuple[str, ...] = ()
    link_key_file: Path | None = None
    webhook_key_file: Path | None = None
    webhook_loopback: bool = False

    api_host: str = "127.0.0.1"
    api_port: Port = 8080
    tracker_host: str = "127.0.0.1"
    tracker_port: Port = 8081
    tracker_url: PublicUrl = ""
    tracker_hosts: tuple[str, ...] = ()
    spool_bytes: int = Field(1_000_000_000, ge=1_000_000)
    settle_after: Seconds = 900
    pages_host: str = "127.0.0.1"
    pages_port: Port = 8083
    pages_url: PublicUrl = ""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    signups_per_network: int = Field(60, ge=1)
    signups_per_account: int = Field(20_000, ge=1)
    confirm_within: Seconds = 48 * 3600
    mailbox_smtp_port: Port = 8025
    mailbox_http_port: Port = 8082
    mailbox_bytes: int = Field(1_000_000_000, ge=64_000_000)
    metrics_port: Port = 9400

    inbound_host: str = "127.0.0.1"
    inbound_port: Port = 8026
    inbound_certificate: Path | None = None
    inbound_certificate_key: Path | None = None
    inbound_message_bytes: int = Field(10_000_000, ge=100_000, le=100_000_000)
    inbound_kept_bytes: int = Field(100_000_000, ge=1_000_000)
    operator_address: str = ""
    forward_replies: bool = False

    return_path_domain: str = "bounces.localhost"
    ehlo_name: str = "localhost"
    relays: tuple[RelaySettings, ...] = ()
    direct: tuple[DirectSettings, ...] = ()
    direct_port: Port = 25
    dns_servers: tuple[str, ...] = ()
    routes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    loopback_routes: bool = False
    shaping_file: Path | None = None

    trackers: int = Field(default=1, ge=1, le=16)
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    retry_first: Seconds = 300
    retry_cap: Seconds = 4 * 3600
    retry_for: Seconds = 72 * 3600
    worker_lease: Seconds = 45
    worker_beat: Seconds = 10
    final_dot_timeout: Seconds = 60
    slice_seconds: Seconds = 30

    key_lease: Seconds = 10
    key_beat: Seconds = 1

    audience_lead: Seconds = 600
    audience_slice: int = Field(100_000, ge=100, le=1_000_000)

    import_max_bytes: int = Field(2_000_000_000, ge=1)
    import_max_unpacked_bytes: int = Field(20_000_000_000, ge=1)
    import_max_ratio: int = Field(200, ge=1)
    export_keep: Seconds = 24 * 3600

    recount_hour: int = Field(18, ge=0, le=23)
    recount_days: int = Field(7, ge=1, le=366)
    audit_days: int = Field(1096, ge=90, le=36_500)
    events_keep_months: int = Field(25, ge=3, le=1_200)
    unconfirmed_days: int = Field(7, ge=3, le=365)
    consent_days: int = Field(1_096, ge=31, le=36_600)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the TOML file."""
        sources: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings)
        file = os.environ.get("TODOKU_CONFIG")
        return (*sources, TomlConfigSettingsSource(settings_cls, file)) if file else sources

    @model_validator(mode="after")
    def _sources_fit_together(self) -> "Settings":
        sources: tuple[RelaySettings | DirectSettings, ...] = (*self.relays, *self.direct)
        names = [source.label for source in sources]
        if len(set(names)) != len(names):
            raise ValueError("two relays or direct sources have the same name")
        for pool in ("bulk", "fast"):
            if sources and not any(pool in source.pools for source in sources):
                raise ValueError(f"no relay or direct source serves the pool {pool}")
        return self

    @model_validator(mode="after")
    def _a_kek_is_in_one_place(self) -> "Settings":
        for which in ("", "previous_"):
            places = [name for name in ("kek_file", "kek", "kek_command") if getattr(self, which + name)]
            if len(places) > 1:
                raise ValueError(f"only one can be set of {', '.join(which + name for name in places)}")
        return self

    @model_validator(mode="after")
    def _leases_outlive_beats(self) -> "Settings":
        if self.worker_lease < 3 * self.worker_beat:
            raise ValueError("worker_lease must be at least three times worker_beat")
        if self.key_lease < 3 * self.key_beat:
            raise ValueError("key_lease must be at least three times key_beat")
        return self

    @cached_property
    def public_tracker_url(self) -> str:
        """Where links in mails lead: `tracker_url`, or the tracker's own loopback address."""
        return self.tracker_url or f"http://{self.tracker_host}:{self.tracker_port}"

    @cached_property
    def public_pages_url(self) -> str:
        """Where members find their pages: `pages_url`, or the pages' own loopback address."""
        return self.pages_url or f"http://{self.pages_host}:{self.pages_port}"

    @property
    def kek_path(self) -> Path:
        """The file of the key-encryption key."""
        return self.kek_file or self.data_dir / "keys" / "kek"

    @property
    def link_key_path(self) -> Path:
        """The file of the link-signing keys."""
        return self.link_key_file or self.data_dir / "keys" / "links"

    @property
    def webhook_key_path(self) -> Path:
        """The file of the keys that webhooks' secrets are derived from."""
        return self.webhook_key_file or self.data_dir / "keys" / "webhooks"

    @property
    def spool_dir(self) -> Path:
        """Where trackers keep events while Postgres is away; it must outlive a restart of the process."""
        return self.data_dir / "spool"

    @property
    def kept_dir(self) -> Path:
        """Where mail that came in and could not be read waits for a person."""
        return self.data_dir / "inbound"

    @property
    def journal_dir(self) -> Path:
        """Where workers keep their journals; it must outlive a restart of the process."""
        return self.data_dir / "journal"


def load(**overrides: object) -> Settings:
    """Read the settings; raise ConfigurationError that names each wrong one and why, never its value."""
    known = {f"TODOKU_{name.upper()}" for name in Settings.model_fields} | {"TODOKU_CONFIG"}
    strangers = sorted(
        name for name in os.environ if name.startswith("TODOKU_") and name.partition("__")[0] not in known
    )
    if strangers:
        raise ConfigurationError(f"Unknown settings in the environment: {', '.join(strangers)}")
    file = os.environ.get("TODOKU_CONFIG")
    if file and not Path(file).is_file():
        raise ConfigurationError("TODOKU_CONFIG names a file that is not there")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = [
            Fault("/" + "/".join(map(str, item["loc"])), item["type"], item["msg"])
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        said = "; ".join(f"{fault.pointer[1:].replace('/', '.') or 'settings'}: {fault.detail}" for fault in faults)
        raise ConfigurationError(f"Wrong settings: {said}", faults) from None
    except ValueError as error:
        raise ConfigurationError(f"The settings can't be read: {error}") from None


def inherited_environment() -> dict[str, str]:
    """Return this process's environment, for children: search paths, locale, certificates."""
    return dict(os.environ)
