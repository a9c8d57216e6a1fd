import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pages.stamps import Stamps
from core.clock import FixedClock
from core.tokens import KEY_BYTES, LinkSigner

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def stamps(at: datetime = NOON, keys: dict[int, bytes] | None = None) -> Stamps:
    return Stamps(LinkSigner(keys or KEYS, max(keys or KEYS)), FixedClock(at))


KEYS = {1: os.urandom(KEY_BYTES)}


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(0, "early"), (2.9, "early"), (3, "good"), (3600, "good"), (3601, "stale"), (-5, "early")]
)
def test_a_stamp_is_good_for_a_time(seconds: float, verdict: str) -> None:
    stamp = stamps().make("/f/acc_x")
    later = stamps(NOON + timedelta(seconds=seconds))
    assert later.judge("/f/acc_x", stamp, least=3, most=3600) == verdict


def test_a_stamp_is_good_for_what_it_was_made_for_alone() -> None:
    assert stamps().judge("/f/acc_y", stamps().make("/f/acc_x")) == "forged"


def test_a_stamp_outlives_a_new_key_and_not_a_lost_one() -> None:
    stamp = stamps().make("a")
    assert stamps(keys={**KEYS, 2: os.urandom(KEY_BYTES)}).judge("a", stamp) == "good"
    assert stamps(keys={2: os.urandom(KEY_BYTES)}).judge("a", stamp) == "forged"


@given(st.text(max_size=40))
def test_no_other_text_is_a_stamp(text: str) -> None:
    assert stamps().judge("a", text) == "forged"
