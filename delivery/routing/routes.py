"""Where mail of a domain goes: hosts with addresses, in the order in which they are to be tried. Values only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """One mail host; `addresses` are textual IPs in order of trial."""

    name: str
    addresses: tuple[str, ...]
    port: int = 25


@dataclass(frozen=True, slots=True)
class Route:
    """One set of MX hosts. `key` is the set: a connection to it may carry the mail of every domain that has it.

    `provider` is the rule file's name for whom the hosts belong to.
    """

    key: str
    hosts: tuple[Host, ...]
    provider: str | None = None

    @property
    def site_key(self) -> str:
        """What budgets go by: the provider, whose MX sets share one, or else the MX set."""
        return f"provider {self.provider}" if self.provider else f"mx {self.key}"
