"""Fixes what a rule counts from now, so that all slices of one audience ask the same question."""

from datetime import datetime, timedelta

from members.attribute import Attribute
from members.rules.tree import All, AnyOf, LastSeen, Not, Rule, Test
from members.values import moment_in_utc


def at_moment(rule: Rule, now: datetime) -> Rule:
    """Return the rule with "within the last N days" turned into times up to `now`; days are those of UTC."""
    match rule:
        case All(parts):
            return All(tuple(at_moment(part, now) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(at_moment(part, now) for part in parts))
        case Not(part):
            return Not(at_moment(part, now))
        case Test(attribute, "within_days", (int(days),)):
            start = now - timedelta(days=days)
            return Test(attribute, "between", (_stored(attribute, start), _stored(attribute, now)))
        case LastSeen(event, _, _, int(days)):
            return LastSeen(event, after=now - timedelta(days=days))
        case _:
            return rule


def _stored(attribute: Attribute, moment: datetime) -> str:
    in_utc = moment_in_utc(moment)
    return in_utc if attribute.type == "datetime" else in_utc[: len("2026-12-01")]
