from typing import Any
from uuid import UUID

import pytest

from core.errors import InvalidInput
from core.ids import encode
from scheduler.campaigns.fields import CampaignFields, audience_faults, require_valid

SEGMENT, GROUP = encode("seg", UUID(int=1)), encode("grp", UUID(int=2))


def pointers(audience: dict[str, Any]) -> list[str]:
    return [fault.pointer for fault in audience_faults(audience)]


@pytest.mark.parametrize(
    "audience",
    [
        {"all": True},
        {"all": True, "exclude": {"groups": [GROUP]}},
        {"segments": [SEGMENT], "groups": []},
        {"groups": [GROUP], "exclude": {"segments": [SEGMENT]}},
    ],
)
def test_an_audience_is_all_or_segments_and_groups(audience: dict[str, Any]) -> None:
    assert pointers(audience) == []


@pytest.mark.parametrize(
    ("audience", "pointer"),
    [
        ({}, "/audience"),
        ({"exclude": {"groups": [GROUP]}}, "/audience"),
        ({"all": False}, "/audience/all"),
        ({"all": True, "segments": [SEGMENT]}, "/audience/all"),
        ({"segments": SEGMENT}, "/audience/segments"),
        ({"segments": ["x"]}, "/audience/segments/0"),
        ({"segments": [GROUP]}, "/audience/segments/0"),
        ({"groups": [GROUP] * 101}, "/audience/groups"),
        ({"all": True, "exclude": []}, "/audience/exclude"),
        ({"all": True, "exclude": {"al/l": 1}}, "/audience/exclude/al~1l"),
        ({"all": True, "some": 1}, "/audience/some"),
    ],
)
def test_any_other_audience_is_a_fault(audience: dict[str, Any], pointer: str) -> None:
    assert pointer in pointers(audience)


def test_all_faults_are_told_at_once() -> None:
    fields = CampaignFields("", UUID(int=1), UUID(int=2), {}, weight=0, rate_per_hour=0)
    with pytest.raises(InvalidInput) as caught:
        require_valid(fields)
    assert [fault.pointer for fault in caught.value.faults] == ["/name", "/weight", "/rate_per_hour", "/audience"]
