"""What `todoku up` runs on one machine: which processes, in which stage, with which rights. Pure.

Stage 0 is Postgres, 1 the mailbox, 2 all that works with them; they stop the other way round, within 10 s in all.
"""

import signal
import sys
from collections.abc import Mapping

from core.settings import Settings
from deploy import roles, tether
from deploy.dsns import Dsns
from deploy.postgres import EmbeddedPostgres
from deploy.postgres.software import BARE_ENVIRONMENT
from deploy.roles import Role
from deploy.supervisor import ChildSpec

POSTGRES_STAGE, MAILBOX_STAGE, SERVICE_STAGE = 0, 1, 2
POSTGRES_SECONDS, MAILBOX_SECONDS, SERVICE_SECONDS = 2.5, 1.5, 5.5


def postgres(server: EmbeddedPostgres) -> ChildSpec:
    """Return the embedded server, already prepared once, as a child."""
    return ChildSpec(
        "postgres",
        server.command(),
        POSTGRES_STAGE,
        BARE_ENVIRONMENT,
        before=server.prepare,
        probe=server.accepts,
        stop_signal=signal.SIGINT,
        stop_within=POSTGRES_SECONDS,
    )


def services(settings: Settings, dsns: Dsns, inherited: Mapping[str, str]) -> list[ChildSpec]:
    """Return every process of ours: the mailbox only where no other way out is named."""

    def child(name: str, role: Role, *words: str, stage: int = SERVICE_STAGE) -> ChildSpec:
        # -P and -m: the code that runs here, wherever it was started from.
        command = tether.command([sys.executable, "-P", "-m", "deploy.cli", *words], signal=signal.SIGTERM)
        seconds = MAILBOX_SECONDS if stage == MAILBOX_STAGE else SERVICE_SECONDS
        return ChildSpec(name, command, stage, roles.environment(role, settings, dsns, inherited), stop_within=seconds)

    def worker(pool: str, slot: int) -> ChildSpec:
        role = roles.JOBS if pool == "jobs" else roles.WORKER
        return child(f"worker-{pool}-{slot}", role, "worker", "--pool", pool, "--slot", str(slot))

    return [
        *(
            []
            if settings.relays or settings.direct
            else [child("mailbox", roles.MAILBOX, "mailbox", stage=MAILBOX_STAGE)]
        ),
        child("tracker", roles.TRACKER, "tracker"),
        *(
            child(f"tracker-{slot}", roles.TRACKER, "tracker", "--slot", str(slot))
            for slot in range(1, settings.trackers)
        ),
        child("pages", roles.PAGES, "pages"),
        child("inbound", roles.INBOUND, "inbound"),
        child("scheduler", roles.SCHEDULER, "scheduler"),
        *(worker("bulk", slot) for slot in range(settings.workers)),
        worker("fast", 0),
        worker("jobs", 0),
        child("api", roles.API, "api"),
    ]
