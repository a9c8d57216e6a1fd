"""Hostile mail: none crashes what reads it, none takes long, and none has an address come through."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from core.tokens import SLOT_RETURN_PATH, LinkSigner
from delivery.return_addresses import local_part, read
from tests.support.hostile_mail import hostile
from tracking.inbound.records import digest_of
from tracking.inbound.sorting import Answered, ForOperator, Ignored, Report, Unclear, sort

RUN = UUID("01900000-0000-7000-8000-000000000001")
SIGNER = LinkSigner({1: bytes(range(32))}, 1)
ADDRESSES = {
    0: read(local_part("bounce", SIGNER.mint_for_address(RUN, 7, SLOT_RETURN_PATH)), SIGNER),
    1: None,
    2: read(local_part("unsubscribe", SIGNER.mint_for_address(RUN, 7, SLOT_RETURN_PATH)), SIGNER),
}
MOST_SECONDS = 2.0
"""Of the processor, for one mail; the listener is deaf for that long."""


@dataclass
class Survived:
    """What the mails were taken for, and the slowest one's seconds of the processor."""

    findings: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0


def survive(numbers: Iterable[int]) -> Survived:
    survived = Survived()
    for number in numbers:
        raw = hostile(number)
        began = time.thread_time()
        finding = sort(raw, ADDRESSES[number % 3], SIGNER, null_sender=number % 2 == 0)
        digest = digest_of(raw)
        spent = time.thread_time() - began
        assert spent < MOST_SECONDS, number
        survived.slowest = max(survived.slowest, spent)
        survived.findings[finding.kind if isinstance(finding, Report) else type(finding).__name__.lower()] += 1
        assert isinstance(finding, Report | Answered | ForOperator | Ignored | Unclear), number
        assert len(digest) == 32
        if isinstance(finding, Report):
            assert (finding.delivery.run_id, finding.delivery.seq) == (RUN, 7), number
            if finding.bounce is not None:
                assert len(finding.bounce.evidence) <= 200, number
                assert len(finding.bounce.status) <= 11, number
                assert "@" not in finding.bounce.evidence, number
    return survived


def test_hostile_mail_is_survived() -> None:
    # The last ones: an encoded word that the standard library gives up on with an error of its own, lines and
    # parameters whose time grows with the square of their length.
    survived = survive([*range(400), 784, 34_279, 75_948, 83_463, 90_592])
    assert survived.findings.keys() >= {"bounce", "complaint", "unsubscribe", "unclear"}


@pytest.mark.chaos
def test_a_hundred_thousand_hostile_mails_are_survived() -> None:
    survived = survive(range(100_000))
    print(survived)  # noqa: T201 - with -s, what they were
    assert survived.findings.total() == 100_000
