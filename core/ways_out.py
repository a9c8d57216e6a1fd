"""Ways out of the house, as settings name them: relays, and local addresses that deliver directly."""

from datetime import date
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Port = Annotated[int, Field(ge=0, le=65535)]


class SourceSettings(BaseModel):
    """What every way out has: a name of its own, the worker pools that it serves, its share among several."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", max_length=100, pattern=r"^[\w.:\[\]-]*$")
    pools: tuple[Literal["bulk", "fast"], ...] = Field(("bulk", "fast"), min_length=1)
    weight: int = Field(1, ge=1, le=1000)
    daily_cap: int | None = Field(None, ge=1)
    warmup_from: date | None = None
    warmup: tuple[Annotated[int, Field(ge=1)], ...] = Field((), max_length=366)


class RelaySettings(SourceSettings):
    """A mail server that takes all our mail."""

    host: str
    port: Port = 25
    username: str | None = None
    password: SecretStr | None = None
    tls: Literal["none", "starttls", "starttls-required", "tls"] = "starttls"
    ca_file: Path | None = None
    connections: int = Field(10, ge=1, le=1000)
    rate: float | None = Field(None, gt=0)
    messages_per_connection: int = Field(1000, ge=1)

    @property
    def label(self) -> str:
        """Its name, or where it is."""
        return self.name or f"{self.host}:{self.port}"


class DirectSettings(SourceSettings):
    """Delivery to the receivers' own servers, from a local address."""

    local_address: IPv4Address | IPv6Address | None = None
    ehlo_name: str = ""

    @property
    def label(self) -> str:
        """Its name, or its address."""
        return self.name or (str(self.local_address) if self.local_address else "direct")
