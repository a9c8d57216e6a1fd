"""What each process may open: its databases by role, its key files, the relays' passwords.

The supervisor passes a child its settings by environment, and no secret that its role has no use for.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import orjson
from pydantic import BaseModel, SecretStr

from core.settings import Settings
from deploy.dsns import Dsns
from deploy.kek import is_in_file


@dataclass(frozen=True, slots=True)
class Role:
    """The DSNs (names of fields of `Dsns`), and whether it gets the KEK, link-signing keys, webhook keys, relays."""

    dsns: tuple[str, ...] = ()
    kek: bool = False
    links: bool = False
    webhooks: bool = False
    relays: bool = False


API = Role(("main", "members"), kek=True, webhooks=True)
TRACKER = Role(("main_tracker",), links=True)
PAGES = Role(("main_pages", "members_pages"), kek=True, links=True)
INBOUND = Role(("main_inbound",), links=True, relays=True)
SCHEDULER = Role(("main", "members_stops"), webhooks=True)
WORKER = Role(("main", "members"), kek=True, links=True, relays=True)
JOBS = Role(("main", "members"), kek=True)
MAILBOX = Role()

KEK = ("kek_file", "kek", "kek_command", "previous_kek_file", "previous_kek", "previous_kek_command")
SECRET = {f"{name}_dsn" for name in Dsns.__dataclass_fields__} | {
    *KEK,
    "link_key_file",
    "webhook_key_file",
    "relays",
}


def environment(role: Role, settings: Settings, dsns: Dsns, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child: `inherited` without our settings, then all that its role may know.

    Every setting is spelt out, so that the child reads no TOML file.
    """
    made = {name: value for name, value in inherited.items() if not name.startswith("TODOKU_")}
    for name in Settings.model_fields:
        if name not in SECRET:
            made |= _variable(name, getattr(settings, name))
    for name in role.dsns:
        made |= _variable(f"{name}_dsn", asdict(dsns)[name])
    if role.kek:
        for name in KEK:
            made |= _variable(name, getattr(settings, name))
        if is_in_file(settings):
            made |= _variable("kek_file", settings.kek_path)
    if role.links:
        made |= _variable("link_key_file", settings.link_key_path)
    if role.webhooks:
        made |= _variable("webhook_key_file", settings.webhook_key_path)
    if role.relays:
        made |= _variable("relays", settings.relays)
    return made


def _variable(name: str, value: object) -> dict[str, str]:
    if value in (None, (), {}):
        return {}
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    text = orjson.dumps(value, default=_plain).decode() if isinstance(value, tuple | dict) else str(value)
    return {f"TODOKU_{name.upper()}": text}


def _plain(value: object) -> object:
    """Return what a structured setting holds as JSON knows it; secrets in the clear, for a child that may have them."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path | IPv4Address | IPv6Address | IPv4Network | IPv6Network):
        return str(value)
    raise TypeError(f"no setting has the type {type(value).__name__}")
