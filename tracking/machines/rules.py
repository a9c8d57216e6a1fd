"""The rules by which people are told from machines: rules.toml, checked and compiled. Pure.

ConfigurationError, with the rule's name, for a file that is not sound: it stops the start.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from importlib import resources
from typing import Any, Literal, get_args

from core.errors import ConfigurationError

Label = Literal["human", "machine"]

LABELS: tuple[Label, ...] = get_args(Label)

MAX_AGENT = 300
"""Characters of a User-Agent that are read and kept."""

_KEPT = 4_096
_ADDRESS = re.compile(r"[^\s()<>;,]*(?:@|%40)[^\s()<>;,]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Agent:
    """Who asks, by the User-Agent without addresses: a hash of its text, and what the text alone says. 0 is of none."""

    digest: int
    text: str
    label: Label
    rule: str | None


@dataclass(frozen=True, slots=True)
class AgentRule:
    """An agent's text with any of the phrases has this label; each of the examples has one."""

    name: str
    label: Label
    pattern: re.Pattern[str]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What tells machines by what they do: bounds in seconds, and how many links make a mail's every link."""

    honeypot: float
    every_link: float
    least_links: int
    soon_after_delivery: float

    @property
    def window(self) -> float:
        """How far from an event, in seconds, another can be that says something of it."""
        return max(self.honeypot, self.every_link)


class Rules:
    """All rules. Made by `load`."""

    def __init__(
        self, unasked: Mapping[bytes, tuple[bytes, ...]], agents: tuple[AgentRule, ...], behaviour: Behaviour
    ) -> None:
        self.unasked = unasked
        self.agents = agents
        self.behaviour = behaviour
        # A few agents ask for nearly everything, and to try every rule takes 10 µs.
        self.agent = lru_cache(maxsize=_KEPT)(self._agent)

    def _agent(self, header: bytes) -> Agent:
        """Return what a User-Agent header (RFC 9110 section 10.1.5) says; no header is an empty one."""
        text = header[:MAX_AGENT].decode("latin-1")
        text = text if text.isascii() and text.isprintable() else re.sub(r"[^ -~]", "?", text)
        # Some programs name their owner's address, which is nobody's business here: the text is kept in plain.
        text = _ADDRESS.sub("?", text)
        label, rule = self.verdict(text)
        digest = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True) if text else 0
        return Agent(digest, text, label, rule)

    def verdict(self, text: str) -> tuple[Label, str | None]:
        """Return the label that an agent's text alone has, and the rule's name; a person's if no rule holds."""
        return next(((one.label, one.name) for one in self.agents if one.pattern.search(text)), ("human", None))

    def counts(self, header: bytes, value: bytes) -> bool:
        """Say whether a request with this header (its name in lower case) counts at all."""
        words = self.unasked.get(header)
        return words is None or not any(word in value.lower() for word in words)


@cache
def load() -> Rules:
    """Return the rules in force."""
    return read(resources.files(__package__ or "").joinpath("rules.toml").read_text("utf-8"))


def read(text: str) -> Rules:
    """Return the rules that a file of this text says."""
    at = "the file"
    try:
        raw = tomllib.loads(text)
        unasked = {
            name.encode(): tuple(word.lower().encode() for word in words) for name, words in raw["unasked"].items()
        }
        agents = []
        for one in raw["agent"]:
            at = one["name"]
            agents.append(_agent_rule(one))
        at = "the behaviours"
        behaviour = Behaviour(
            honeypot=float(raw["honeypot"]["seconds"]),
            every_link=float(raw["every_link"]["seconds"]),
            least_links=int(raw["every_link"]["least"]),
            soon_after_delivery=float(raw["soon_after_delivery"]["seconds"]),
        )
    except (ValueError, TypeError, KeyError, re.error) as error:
        raise ConfigurationError(f"The rules for machines are not sound, at {at}: {error}") from None
    return Rules(unasked, tuple(agents), behaviour)


def _agent_rule(raw: Mapping[str, Any]) -> AgentRule:
    if raw["label"] not in LABELS:
        raise ValueError(f"a label is one of {', '.join(LABELS)}")
    pattern = re.compile("|".join(f"(?:{phrase})" for phrase in raw["phrases"]), re.IGNORECASE)
    return AgentRule(raw["name"], raw["label"], pattern, tuple(raw["examples"]))
