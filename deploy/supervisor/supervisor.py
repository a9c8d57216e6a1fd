"""Starts children stage by stage, keeps them running, stops them in reverse order."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from core.clock import Clock
from deploy.supervisor.child import Child, ChildSpec, ChildStatus
from deploy.supervisor.policy import stages

START_WITHIN = 30.0


class Supervisor:
    """Runs children whose logs go to `log_dir`/<name>.log. `changed` is called whenever a child's state changes."""

    def __init__(self, *, log_dir: Path, clock: Clock, changed: Callable[[], None] = lambda: None) -> None:
        self._log_dir = log_dir
        self._clock = clock
        self._changed = changed
        self._children: list[Child] = []

    @property
    def status(self) -> list[ChildStatus]:
        """One line a child, in the order of starting."""
        return [child.status for child in self._children]

    async def start(self, specs: Iterable[ChildSpec], *, within: float = START_WITHIN) -> None:
        """Start `specs` beside what runs already; return when all are ready.

        Raises ConfigurationError if one dies before it is ready, or is not ready `within` seconds. `stop` is then still
        to be called, as always.
        """
        added = [
            Child(spec, log_path=self._log_dir / f"{spec.name}.log", clock=self._clock, changed=self._changed)
            for spec in specs
        ]
        for stage in stages(added):
            self._children.extend(stage)
            await asyncio.gather(*(child.start(within=within) for child in stage))

    async def stop(self) -> None:
        """Stop all, the last stage first; takes at most the sum of the stages' longest `stop_within`.

        What a stage does not use of its time is the next one's: so Postgres, which is last, can save all in good order
        on a machine that is busy, and need not be killed.
        """
        deadline = self._clock.monotonic()
        for stage in reversed(stages(self._children)):
            deadline += max(child.spec.stop_within for child in stage)
            within = deadline - self._clock.monotonic()
            await asyncio.gather(*(child.stop(within=within) for child in stage))
