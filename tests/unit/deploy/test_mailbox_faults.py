"""Which fault an address asks for."""

import pytest

from deploy.mailbox.faults import FaultKind, MailFault, parse_fault

BOUNCE, DEFER = FaultKind.BOUNCE, FaultKind.DEFER


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("bounce-550@example.test", MailFault(BOUNCE, 550)),
        ("bounce-550.0012@example.test", MailFault(BOUNCE, 550)),
        ("bounce-552+a@example.test", MailFault(BOUNCE, 552)),
        ("BOUNCE-550@example.test", MailFault(BOUNCE, 550)),
        ("bounce-599@example.test", MailFault(BOUNCE, 599)),
        ("defer-451@example.test", MailFault(DEFER, 451)),
        ("defer-451.7@example.test", MailFault(DEFER, 451)),
        ("defer-421@example.test", MailFault(DEFER, 421)),
        ("defer-451-once@example.test", MailFault(DEFER, 451, 1)),
        ("defer-451-twice.0001@example.test", MailFault(DEFER, 451, 2)),
        ("Defer-450-Thrice@example.test", MailFault(DEFER, 450, 3)),
        ("drop-in-data@example.test", MailFault(FaultKind.DROP_IN_DATA)),
        ("drop-after-dot_1@example.test", MailFault(FaultKind.DROP_AFTER_DOT)),
        ("stall@example.test", MailFault(FaultKind.STALL)),
        ("slow-1@example.test", MailFault(FaultKind.SLOW)),
    ],
)
def test_a_local_part_names_its_fault_whatever_follows(address: str, fault: MailFault) -> None:
    assert parse_fault(address) == fault


@pytest.mark.parametrize(
    "address",
    [
        "hanako@example.test",
        "slowik@example.test",
        "stalled@example.test",
        "bounce@example.test",
        "bounce-450@example.test",
        "bounce-5500@example.test",
        "bounce-55@example.test",
        "defer-550@example.test",
        "a.bounce-550@example.test",
        "drop-in-database@example.test",
        "hanako@bounce-550.test",
        "bounce-5\u0665\u0660@example.test",
        "slow",
        "",
        "@",
    ],
)
def test_an_ordinary_address_asks_for_nothing(address: str) -> None:
    assert parse_fault(address) is None


@pytest.mark.parametrize(
    ("address", "reply"),
    [
        ("bounce-550@example.test", "550 5.1.1 No such user here"),
        ("bounce-552@example.test", "552 5.2.2 Mailbox full"),
        ("bounce-571@example.test", "571 5.0.0 Scripted reply"),
        ("defer-451-twice@example.test", "451 4.3.0 Temporary failure, try again later"),
        ("defer-499@example.test", "499 4.0.0 Scripted reply"),
    ],
)
def test_a_reply_carries_code_and_enhanced_code(address: str, reply: str) -> None:
    fault = parse_fault(address)
    assert fault is not None
    assert fault.reply == reply
