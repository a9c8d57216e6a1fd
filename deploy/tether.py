"""Runs a command that does not outlive the process that started it, as another user if asked.

`python -I -S tether.py PARENT SIGNAL UID GID command…` (UID and GID are `-` to stay who we are). On Linux the kernel
sends SIGNAL when the parent dies, however it dies (prctl(2), PR_SET_PDEATHSIG). Elsewhere the next start stops
survivors. A program of its own, not a preexec_fn: that may deadlock in a process with threads.
"""

import os
import sys
from pathlib import Path
from signal import Signals

_PR_SET_PDEATHSIG = 1
_ARGUMENTS = 5


def command(
    arguments: list[str], *, signal: Signals, user: tuple[int, int] | None = None, parent: int | None = None
) -> list[str]:
    """Return the command line that runs `arguments` tethered to this process (or `parent`), as `user` (uid, gid)."""
    uid, gid = user or ("-", "-")
    keeper = os.getpid() if parent is None else parent
    return [sys.executable, "-I", "-S", str(Path(__file__)), *map(str, (keeper, int(signal), uid, gid)), *arguments]


def main() -> None:
    """Become the command. Exits 127 if it isn't there, 126 if it may not be run."""
    parent, signal, uid, gid = sys.argv[1:_ARGUMENTS]
    arguments = sys.argv[_ARGUMENTS:]
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - loaded before the user changes: that user may be unable to read it

        libc = ctypes.CDLL(None)
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if sys.platform == "linux":
        # After the change of user, which would clear it.
        libc.prctl(_PR_SET_PDEATHSIG, int(signal), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit(0)
    try:
        os.execv(arguments[0], arguments)  # noqa: S606 - becoming that command is what this is for
    except OSError as error:
        sys.stderr.write(f"Can't run {arguments[0]}: {error.strerror}\n")
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


if __name__ == "__main__":
    main()
