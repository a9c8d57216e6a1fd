"""Waiting for processes that are not our children."""

import os
import select


def ended(pid: int, *, seconds: float) -> bool:
    """Whether process `pid` ends within `seconds`; one that is gone already has."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)
