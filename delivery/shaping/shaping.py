"""Loads the rule file that comes with Todoku and the operator's own over it, and answers what they say.

Everything at fault is told at once, with file, table and key; a file that is not sound stops the start.
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from core.errors import ConfigurationError, Fault
from delivery.replies.reply import Reply
from delivery.shaping.limits import Limits, Wrong
from delivery.shaping.responses import Rule, read_rule

BUILT_IN = "shaping.toml"


class Shaping:
    """Limits and rules by provider. Made by `load`."""

    def __init__(
        self, default: Limits, providers: Mapping[str, Limits], suffixes: Mapping[str, str], rules: Sequence[Rule]
    ) -> None:
        self.rules = tuple(rules)
        self.providers = dict(providers)
        self._default = default
        self._suffixes = dict(suffixes)
        # A receiver says the same to thousands.
        self._met = lru_cache(maxsize=1_024)(self._actions)

    def provider_of(self, mx_names: Sequence[str]) -> str | None:
        """Return the provider that all of these MX hosts belong to, None if there is none."""
        found = {self._provider_of_host(name) for name in mx_names}
        return found.pop() if len(found) == 1 else None

    def limits(self, provider: str | None) -> Limits:
        """Return a provider's limits; those of everyone else for None and for a name that is not in the file."""
        return self._default if provider is None else self.providers.get(provider, self._default)

    def actions(self, reply: Reply, provider: str | None) -> tuple[Rule, ...]:
        """Return the rules that a peer's refusal meets, in the order of the file."""
        return self._met(reply, provider)

    def suffixes(self, provider: str) -> tuple[str, ...]:
        """Return the endings of a provider's MX names."""
        return tuple(suffix for suffix, owner in self._suffixes.items() if owner == provider)

    def _actions(self, reply: Reply, provider: str | None) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.meets(reply, provider))

    def _provider_of_host(self, name: str) -> str | None:
        labels = name.rstrip(".").lower().split(".")
        for at in range(len(labels)):
            provider = self._suffixes.get(".".join(labels[at:]))
            if provider is not None:
                return provider
        return None


def load(override: Path | None = None) -> Shaping:
    """Return the rules in force; raises ConfigurationError with all that is wrong in either file."""
    built_in = tomllib.loads(resources.files(__package__).joinpath(BUILT_IN).read_text("utf-8"))
    faults: list[Fault] = []
    merged = _checked(built_in, BUILT_IN, faults)
    if override is not None:
        try:
            own = tomllib.loads(override.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"The shaping file {override} can't be read: {_why(error)}") from None
        merged = _laid_over(merged, _checked(own, str(override), faults))
    shaping = _compiled(merged, faults)
    if faults:
        said = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults)
        raise ConfigurationError(f"Wrong shaping rules: {said}", faults)
    return shaping


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else type(error).__name__


def _checked(raw: Mapping[str, Any], file: str, faults: list[Fault]) -> dict[str, Any]:
    """Return a file with the shape that it should have, and each of its tables marked with where it stands."""
    faults += [
        Fault(f"{file} {key}", "unknown-table", "there are default, provider.<name> and rule")
        for key in raw.keys() - {"default", "provider", "rule"}
    ]
    default, providers, rules = raw.get("default", {}), raw.get("provider", {}), raw.get("rule", [])
    sound = (
        isinstance(default, dict)
        and isinstance(providers, dict)
        and all(isinstance(table, dict) for table in providers.values())
        and isinstance(rules, list)
        and all(isinstance(table, dict) for table in rules)
    )
    if not sound:
        faults.append(Fault(file, "wrong-shape", "[default], [provider.<name>] and [[rule]] are tables"))
        return {"default": [], "provider": {}, "rule": {}}
    named = {}
    for number, table in enumerate(rules, 1):
        named[str(table.get("name", number))] = (f"{file} rule {table.get('name', number)}", table)
    return {
        "default": [(f"{file} default", default)],
        "provider": {name: [(f"{file} provider.{name}", table)] for name, table in providers.items()},
        "rule": named,
    }


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay a file over another: key by key for limits, by name for rules."""
    providers = dict(below["provider"])
    for name, tables in above["provider"].items():
        providers[name] = [*providers.get(name, ()), *tables]
    return {
        "default": [*below["default"], *above["default"]],
        "provider": providers,
        "rule": below["rule"] | above["rule"],
    }


def _compiled(merged: dict[str, Any], faults: list[Fault]) -> Shaping:
    default = _limits(Limits(), merged["default"], faults)
    providers: dict[str, Limits] = {}
    suffixes: dict[str, str] = {}
    for name, tables in merged["provider"].items():
        where = tables[-1][0]
        mx = next((table["mx"] for _, table in reversed(tables) if "mx" in table), None)
        if not isinstance(mx, list) or not mx or not all(isinstance(one, str) and one for one in mx):
            faults.append(Fault(where, "wrong-value", "mx: a list of endings of MX names"))
            mx = []
        claimed = [one.strip(".").lower() for one in mx]
        faults += [
            Fault(where, "claimed-twice", f"mx: {suffix} is {suffixes[suffix]}'s already")
            for suffix in claimed
            if suffixes.setdefault(suffix, name) != name
        ]
        providers[name] = _limits(
            default, [(at, {k: v for k, v in t.items() if k != "mx"}) for at, t in tables], faults
        )
    rules = []
    for where, table in merged["rule"].values():
        if table.get("disabled") is True:
            continue
        try:
            rules.append(read_rule(table, frozenset(providers)))
        except Wrong as wrong:
            faults.append(Fault(where, "wrong-value", str(wrong)))
    return Shaping(default, providers, suffixes, rules)


def _limits(base: Limits, tables: Sequence[tuple[str, Mapping[str, Any]]], faults: list[Fault]) -> Limits:
    for where, table in tables:
        try:
            base = base.but(table)
        except Wrong as wrong:
            faults.append(Fault(where, "wrong-value", str(wrong)))
    return base
