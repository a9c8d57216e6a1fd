"""What a receiver's words call for: response rules of the shaping file put into force for all workers.

Only a peer's own reply is ever judged here: our local failures never trigger a rule. Of a relay's replies only what
concerns a campaign counts; how fast a relay may be used is its operator's word.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from prometheus_client import Counter

from core import logs
from core.database import AWAY
from delivery.outlet import Outlet
from delivery.pacing.restrictions import Restrictions
from delivery.replies.reply import Reply
from delivery.shaping import Rule, Shaping

log = logs.get()

_rules = Counter("todoku_response_rules_total", "Response rules put into force.", ["rule", "provider"])


class Reactions:
    """`suspend_run(run_id, seconds, reason)` pauses a campaign's run for a time; `random` returns a float in [0, 1)."""

    def __init__(
        self,
        *,
        shaping: Shaping,
        restrictions: Restrictions,
        suspend_run: Callable[[UUID, float, str], Awaitable[object]],
        random: Callable[[], float],
    ) -> None:
        self._shaping = shaping
        self._restrictions = restrictions
        self._suspend_run = suspend_run
        self._random = random
        self._under_way: set[tuple[str, int, int]] = set()

    def called_for(self, outlet: Outlet, reply: Reply) -> Sequence[Rule]:
        """Return the rules that a reply meets and that are not being dealt with already."""
        return [
            rule
            for rule in self._shaping.actions(reply, outlet.provider)
            if (rule.scope == "campaign" or not outlet.relays) and self._key(rule, outlet) not in self._under_way
        ]

    async def react(self, rules: Sequence[Rule], outlet: Outlet, run_id: UUID | None, changed: asyncio.Event) -> None:
        """Count each rule's hit, and put it into force if that was the one too many; then `changed` is set."""
        for rule in rules:
            key = self._key(rule, outlet)
            if key in self._under_way:
                continue
            self._under_way.add(key)
            try:
                await self._enforce(rule, outlet, run_id)
            except AWAY as error:
                log.warning("rule_not_enforced", rule=rule.name, error=type(error).__name__)
            finally:
                self._under_way.discard(key)
        changed.set()

    async def _enforce(self, rule: Rule, outlet: Outlet, run_id: UUID | None) -> None:
        source_id, site_id = outlet.source.source_id, outlet.site_id
        if not await self._restrictions.hit(rule.name, source_id, site_id, rule.times):
            return
        _rules.labels(rule.name, outlet.provider or "other").inc()
        log.warning("rule_enforced", rule=rule.name, source=outlet.source.name, site_id=site_id, seconds=rule.seconds)
        if rule.scope == "campaign":
            if run_id is not None:
                await self._suspend_run(run_id, rule.seconds, f"rule {rule.name}")
            return
        outlet.suspended = outlet.suspended or rule.connections == 0
        await self._restrictions.impose(
            source_id=source_id,
            site_id=None if rule.scope == "source" else site_id,
            connections=rule.connections,
            rate=rule.rate,
            seconds=rule.seconds * (1 + self._random() / 10),
            reason=f"rule {rule.name}",
            imposed_by="rule",
        )

    @staticmethod
    def _key(rule: Rule, outlet: Outlet) -> tuple[str, int, int]:
        return rule.name, outlet.source.source_id, outlet.site_id
