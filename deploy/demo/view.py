"""What the demo shows while it runs: its phases, and bars of progress; plain lines where there is no terminal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from core.clock import Clock

_EVERY = 2.0
"""Seconds between two lines of progress where there is no terminal."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of progress; `total` is None while it isn't known."""

    name: str
    done: int
    total: int | None
    note: str = ""


@dataclass(slots=True)
class Phase:
    """A step of the demo; `detail` is what came of it."""

    title: str
    began: float
    detail: str = ""
    seconds: float | None = None


class View:
    """Shows phases; a context manager, so that the terminal is as it was at the end."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self.phases: list[Phase] = []
        self._console = console
        self._clock = clock
        self._bars: Sequence[Bar] = ()
        self._spinner = Spinner("dots")
        self._said = -_EVERY
        self._live = Live(get_renderable=self._picture, console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the last picture standing."""
        if self._console.is_terminal:
            self._live.stop()

    @property
    def seconds(self) -> dict[str, float]:
        """How long the phases took, by title."""
        spent: dict[str, float] = {}
        for phase in self.phases:
            spent[phase.title] = spent.get(phase.title, 0.0) + (phase.seconds or 0.0)
        return spent

    @contextmanager
    def phase(self, title: str) -> Iterator[Phase]:
        """Show `title` as what is going on now; how long it took is noted."""
        phase = Phase(title, self._clock.monotonic())
        self.phases.append(phase)
        if not self._console.is_terminal:
            self._console.print(f"{title} …")
        yield phase
        phase.seconds = self._clock.monotonic() - phase.began
        self._bars = ()
        if not self._console.is_terminal:
            self._console.print(f"  {phase.detail or 'done'} ({phase.seconds:.1f} s)")

    def progress(self, bars: Sequence[Bar]) -> None:
        """Show how far the present phase is."""
        self._bars = bars
        now = self._clock.monotonic()
        if not self._console.is_terminal and now - self._said >= _EVERY:
            self._said = now
            for bar in bars:
                of = f" of {bar.total:,}" if bar.total is not None else ""
                self._console.print(f"  {bar.name}: {bar.done:,}{of} {bar.note}".rstrip())

    def _picture(self) -> Group:
        phases = Table.grid(padding=(0, 1))
        for phase in self.phases:
            if phase.seconds is None:
                phases.add_row(self._spinner, Text(phase.title, "bold"), "", "")
            else:
                seconds = Text(f"{phase.seconds:.1f} s", "dim")
                phases.add_row(Text("✔", "green"), phase.title, Text(phase.detail, "dim"), seconds)
        bars = Table.grid(padding=(0, 2))
        for bar in self._bars:
            total = f"{bar.total:,}" if bar.total is not None else "?"
            count = f"{bar.done:,} / {total}"
            bars.add_row("  ", bar.name, ProgressBar(bar.total, bar.done, width=36), count, Text(bar.note, "dim"))
        return Group(phases, bars)
