"""A way out: a relay, or direct delivery from a local address. What it is, and how a connection by it is opened.

Failure model. A relay that can't be reached costs no message an attempt: it is set aside, longer each time, and its
work goes to the other sources. A direct source is set aside only for faults of our own (its local address is gone, the
network is down); a receiver that can't be reached is that destination's trouble, not the source's.
"""

from dataclasses import dataclass, field

from prometheus_client import Histogram

from delivery.allowance import DailyAllowance
from delivery.lines import Line
from delivery.routing.routes import Route
from delivery.shaping import Limits
from delivery.smtp.connection import Connection, connect
from delivery.smtp.errors import ConnectFailed, Failure
from delivery.smtp.peer import Peer, Timeouts, Tls
from delivery.smtp.phases import PHASES, Phases

MAX_ATTEMPTS = 5
"""Addresses tried for one connection, over all hosts of a route."""

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 30.0

_TLS: dict[str, Tls] = {"opportunistic": "starttls", "required": "encrypted", "none": "none"}

_phase_seconds = Histogram(
    "todoku_smtp_phase_seconds",
    "How long receivers take, by phase of the session.",
    ["phase", "source"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.5, 1, 5, 30, 120),
)


@dataclass(slots=True, eq=False)
class Source:
    """`peer` is the relay's, None for direct delivery. `allowance` is None where no daily cap holds."""

    source_id: int
    name: str
    weight: int
    ehlo_name: str
    timeouts: Timeouts
    peer: Peer | None = None
    limits: Limits | None = None
    """A relay's own; a direct source goes by those of each site."""
    local_address: str | None = None
    allowance: DailyAllowance | None = None
    turn: float = 0.0
    phases: Phases = field(init=False)
    failed_in_a_row: int = 0
    aside_until: float = field(default=0.0)
    """Monotonic seconds."""

    def __post_init__(self) -> None:
        """Bind the phases' metrics to its name."""
        self.phases = {phase: _phase_seconds.labels(phase, self.name).observe for phase in PHASES}

    def able(self, now: float) -> bool:
        """Whether it may be used now."""
        return now >= self.aside_until and (self.allowance is None or self.allowance.left > 0)

    def set_aside(self, now: float, *, jitter: float) -> float:
        """Note a failure; return the seconds that it is left alone. `jitter` in [0, 1)."""
        if now < self.aside_until:
            # Of connections that were tried together one counts.
            return self.aside_until - now
        self.failed_in_a_row += 1
        pause = min(FIRST_PAUSE * 2.0 ** min(self.failed_in_a_row - 1, 16), LONGEST_PAUSE) * (0.5 + jitter / 2)
        self.aside_until = now + pause
        return pause

    def well(self) -> None:
        """Note that it works."""
        self.failed_in_a_row = 0

    async def open(self, line: Line | None, limits: Limits) -> Connection:
        """Open a connection: to the relay, or to the first of the route's hosts that takes us; raises ConnectFailed."""
        if self.peer is not None:
            return await self._connect(self.peer)
        if line is None or line.route is None:
            raise ValueError("direct delivery needs a route")
        return await self._reach(line.route, limits)

    async def _connect(self, peer: Peer) -> Connection:
        return await connect(peer, ehlo_name=self.ehlo_name, timeouts=self.timeouts, phases=self.phases)

    async def _reach(self, route: Route, limits: Limits) -> Connection:
        failed = ConnectFailed(Failure.LOST)
        tried = 0
        for host in route.hosts:
            for address in host.addresses:
                if tried == MAX_ATTEMPTS:
                    break
                if self.local_address is not None and (":" in address) != (":" in self.local_address):
                    continue
                tried += 1
                peer = Peer(
                    host=address,
                    port=host.port,
                    # RFC 6066 section 3: an address literal is no name to ask for.
                    server_name=None if host.name.startswith("[") else host.name,
                    tls=_TLS[limits.tls],
                    local_address=self.local_address,
                )
                try:
                    return await self._connect(peer)
                except ConnectFailed as error:
                    failed = error
                    if error.failure is Failure.LOCAL:
                        raise
        raise failed
