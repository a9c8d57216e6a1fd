"""Honours a cancellation that Python 3.11's `asyncio.wait_for`, in aiosmtplib, has swallowed.

It does so where the cancellation meets a result that is already there (CPython issue 86296, mended in 3.12).
"""

import asyncio


def honour() -> None:
    """Raise CancelledError if this task was asked to stop; for right after a call of aiosmtplib."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
