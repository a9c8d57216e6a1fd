"""How much memory the embedded server keeps pages in: an eighth of what this machine, or its container, may use.

A preview of a million members reads half a gigabyte; what is not kept is copied from the operating system's cache each
time, a quarter of what the preview costs. The rest stays to that cache, to the workers and to sorting.
"""

import os
from pathlib import Path

_CONTAINER = Path("/sys/fs/cgroup/memory.max")
_SHARE = 8
_LEAST, _MOST = 256, 8192


def shared_buffers(container: Path = _CONTAINER) -> str:
    """Return Postgres' `shared_buffers`, 256 MB to 8 GB; `container`: where cgroup v2 tells its limit, if any."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = container.read_text(encoding="ascii").strip()
    except OSError:
        limit = "max"
    if limit.isdigit():
        total = min(total, int(limit))
    return f"{min(_MOST, max(_LEAST, total // _SHARE // 2**20))}MB"
