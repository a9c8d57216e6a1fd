"""What makes a form known to be ours, and recent: a signed time in a hidden field.

It stands against other sites' forms (a form is stamped for one subject: the link or the session that it belongs to,
which no other site knows) and against programs that fill forms in no time (`least` seconds must have gone by).
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Literal

from core.clock import Clock
from core.tokens import LinkSigner

Verdict = Literal["good", "early", "stale", "forged"]

FIELD = "stamp"
"""The name of the hidden field."""

_TIME_BYTES = 8
_CHARS = 36


class Stamps:
    """Makes and judges stamps by the link-signing keys."""

    def __init__(self, signer: LinkSigner, clock: Clock) -> None:
        self._signer = signer
        self._clock = clock

    def make(self, subject: str) -> str:
        """Return a stamp for a form about `subject`, of now."""
        time = self._now().to_bytes(_TIME_BYTES, "big")
        return urlsafe_b64encode(time + self._signer.sign("form", time + subject.encode())).decode().rstrip("=")

    def judge(self, subject: str, stamp: str, *, least: float = 0.0, most: float = 24 * 3600.0) -> Verdict:
        """Say whether a stamp is one for `subject` that is from `least` to `most` seconds old."""
        if len(stamp) > _CHARS:
            return "forged"
        try:
            raw = urlsafe_b64decode(stamp.encode("ascii") + b"=" * (-len(stamp) % 4))
        except ValueError:
            return "forged"
        time, signature = raw[:_TIME_BYTES], raw[_TIME_BYTES:]
        if not self._signer.is_signed("form", time + subject.encode(), signature):
            return "forged"
        age = (self._now() - int.from_bytes(time, "big")) / 1000
        if age < least:
            return "early"
        return "stale" if age > most else "good"

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1000)
