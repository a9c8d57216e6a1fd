"""A campaign's audience as it is asked for, read into one rule.

    {"all": true}   or   {"segments": ["seg_…"], "groups": ["grp_…"]}   with or without
    "exclude": {"segments": […], "groups": […]}   and   "topic": "top_…"

Whoever is in any of the named and in none of the excluded; with a topic, whoever of them is in it. A topic alone is
enough.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.errors import Fault, InvalidInput
from members.rules.reading import Vocabulary, read_rule
from members.rules.tree import All, AnyOf, Not, Rule

MAX_NAMED = 100
_NODES = {"segments": "segment", "groups": "group"}


def read_wanted(wanted: Mapping[str, Any], known: Vocabulary) -> Rule | None:
    """Return the rule of an audience of the right shape, None for everyone; raise InvalidInput with all faults."""
    faults: list[Fault] = []
    included = [] if wanted.get("all") else _rules(wanted, "", known, faults)
    excluded = _rules(wanted.get("exclude") or {}, "/exclude", known, faults)
    about = _named("topic", wanted["topic"], "/topic", known, faults) if wanted.get("topic") is not None else []
    if faults:
        raise InvalidInput("The audience names what is not there", faults)
    if not wanted.get("all") and not included and not about:
        fault = Fault("", "empty-audience", "Name segments, groups, a topic or all")
        raise InvalidInput("The audience is empty", [fault])
    parts: list[Rule] = [*about, *([AnyOf(tuple(included))] if included else [])]
    if excluded:
        parts.append(Not(AnyOf(tuple(excluded))))
    return All(tuple(parts)) if parts else None


def check_wanted(wanted: object) -> None:
    """Raise InvalidInput unless this has an audience's shape."""
    faults = []
    if not isinstance(wanted, Mapping) or not wanted.keys() <= {"all", "exclude", "topic", *_NODES}:
        faults.append(Fault("", "bad-audience", "An object with all, or segments and groups, exclude and topic"))
    else:
        exclude = wanted.get("exclude") or {}
        if not isinstance(wanted.get("all", False), bool):
            faults.append(Fault("/all", "bad-audience", "true or false"))
        if not isinstance(wanted.get("topic"), str | None):
            faults.append(Fault("/topic", "bad-audience", "The id of a topic"))
        if not isinstance(exclude, Mapping) or not exclude.keys() <= _NODES.keys():
            faults.append(Fault("/exclude", "bad-audience", "An object with segments and groups"))
            exclude = {}
        if wanted.get("all") and any(wanted.get(kind) for kind in _NODES):
            faults.append(Fault("/all", "bad-audience", "All members, or some: not both"))
        for pointer, named in (("", wanted), ("/exclude", exclude)):
            faults += [
                Fault(f"{pointer}/{kind}", "bad-audience", f"A list of at most {MAX_NAMED} ids")
                for kind in _NODES
                if not _is_list_of_ids(named.get(kind) or [])
            ]
    if faults:
        raise InvalidInput("The audience can't be read", faults)


def _is_list_of_ids(content: object) -> bool:
    return isinstance(content, list) and len(content) <= MAX_NAMED and all(isinstance(one, str) for one in content)


def _rules(named: Mapping[str, Any], pointer: str, known: Vocabulary, faults: list[Fault]) -> list[Rule]:
    rules: list[Rule] = []
    for kind, node in _NODES.items():
        for number, text in enumerate(named.get(kind) or ()):
            rules += _named(node, text, f"{pointer}/{kind}/{number}", known, faults)
    return rules


def _named(node: str, shown: str, pointer: str, known: Vocabulary, faults: list[Fault]) -> list[Rule]:
    """Read the rule of one id: none, and its faults at `pointer`, where there is no such thing."""
    try:
        return [read_rule({node: shown}, known)]
    except InvalidInput as error:
        faults += [replace(fault, pointer=pointer) for fault in error.faults]
        return []
