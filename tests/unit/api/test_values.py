"""Ids and times as they stand in bodies."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from pydantic import ValidationError

from api.values import Body, Instant, LocalOrInstant, MemberId
from core import ids

ONE = UUID(int=1)


class Sample(Body):
    member: MemberId = ONE
    instant: Instant = datetime(2026, 1, 1, tzinfo=UTC)
    local: LocalOrInstant = datetime(2026, 1, 1, tzinfo=UTC)


def test_an_id_is_read_and_shown_with_its_kind() -> None:
    text = ids.encode("mem", ONE)
    sample = Sample.model_validate({"member": text})
    assert sample.member == ONE
    assert sample.model_dump(mode="json", include={"member"}) == {"member": text}


@pytest.mark.parametrize("wrong", [ids.encode("cmp", ONE), "", "mem_", str(ONE), 7, None, ["x"]])
def test_what_is_no_id_of_this_kind_is_a_fault(wrong: object) -> None:
    with pytest.raises(ValidationError, match="it would begin with mem_"):
        Sample.model_validate({"member": wrong})


def test_times_are_rfc_3339() -> None:
    nine = datetime(2026, 12, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    assert Sample.model_validate({"instant": "2026-12-01T09:00:00+09:00"}).instant == nine
    assert Sample.model_validate({"instant": "2026-12-01t00:00:00.5z"}).instant == nine + timedelta(seconds=0.5)
    assert Sample.model_validate({"local": "2026-12-01T09:00:00"}).local == nine.replace(tzinfo=None)


@pytest.mark.parametrize(
    "wrong",
    ["2026-12-01", "2026-02-30T00:00:00Z", "20261201T090000Z", "now", 1_700_000_000, None, "2026-W01-1T00:00:00Z"],
)
def test_other_times_are_faults(wrong: object) -> None:
    for field in ("instant", "local"):
        with pytest.raises(ValidationError, match="RFC 3339"):
            Sample.model_validate({field: wrong})


def test_an_instant_needs_its_offset() -> None:
    with pytest.raises(ValidationError, match="offset"):
        Sample.model_validate({"instant": "2026-12-01T09:00:00"})
