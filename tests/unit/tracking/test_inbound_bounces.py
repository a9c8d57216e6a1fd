"""Bounces as servers write them, sorted by the address that they came to."""

import tomllib
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from core.tokens import SLOT_RETURN_PATH, LinkSigner
from delivery.return_addresses import local_part, read
from tracking.inbound import answers
from tracking.inbound.mail import read as taken_apart
from tracking.inbound.sorting import Answered, Finding, Ignored, Report, sort

MAILS = tomllib.loads((Path(__file__).parent / "bounces.toml").read_text(encoding="utf-8"))["mail"]
RUN = UUID("01900000-0000-7000-8000-000000000001")
SIGNER = LinkSigner({1: bytes(range(32))}, 1)
RETURN_PATH = read(local_part("bounce", SIGNER.mint_for_address(RUN, 7, SLOT_RETURN_PATH)), SIGNER)


def said(finding: Finding) -> Any:
    match finding:
        case Report("bounce", delivery, bounce):
            assert bounce is not None
            assert (delivery.run_id, delivery.seq) == (RUN, 7)
            return [bounce.kind, bounce.reason, bounce.gone]
        case Ignored(why):
            return why
        case Answered():
            return "answered"
    return finding


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
@pytest.mark.parametrize("mail", MAILS, ids=[mail["by"] for mail in MAILS])
def test_a_mail_to_a_return_path_comes_to_what_it_says(mail: dict[str, Any], line_end: str) -> None:
    raw = mail["text"].lstrip("\n").replace("\n", line_end).encode()
    finding = sort(raw, RETURN_PATH, SIGNER, null_sender=mail["expected"] != "answered")
    assert said(finding) == mail["expected"]


@pytest.mark.parametrize("mail", MAILS, ids=[mail["by"] for mail in MAILS])
def test_evidence_holds_no_address(mail: dict[str, Any]) -> None:
    finding = sort(mail["text"].lstrip("\n").encode(), RETURN_PATH, SIGNER, null_sender=True)
    if isinstance(finding, Report) and finding.bounce is not None:
        evidence = finding.bounce.evidence
        assert len(evidence) <= 200
        assert "@" not in evidence
        assert not {"taro", "hanako", "two"} & set(evidence.replace("(", " ").split())


@pytest.mark.parametrize("row", [row for rows in answers.rules().values() for row in rows], ids=lambda row: row.by)
def test_every_sign_of_a_machine_shows_in_its_example(row: answers.Row) -> None:
    mail = f"\r\n{row.example}\r\n" if row.where == "text" else f"{row.where}: {row.example}\r\n\r\nHello\r\n"
    assert row.shows_in(taken_apart(mail.encode()))
    assert not row.shows_in(taken_apart(b"Subject: Re: News of May\r\n\r\nThank you, that helped.\r\n"))
