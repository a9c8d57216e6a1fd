"""Brings together what was expected, done and reported, and says whether it is all the same. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.demo.ledger import FIGURES, CampaignLedger, Row, rate_of


@dataclass(frozen=True, slots=True)
class Check:
    """Something else that must be so."""

    what: str
    expected: Any
    found: Any

    @property
    def ok(self) -> bool:
        """Whether it is so."""
        return bool(self.expected == self.found)


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """One campaign's end: its ledger, the report's run, the comparison."""

    ledger: CampaignLedger
    report: Mapping[str, Any]
    rows: Sequence[Row]

    @property
    def name(self) -> str:
        """The campaign's name."""
        return self.ledger.campaign.name

    @property
    def figures(self) -> Mapping[str, Any]:
        """What the report says."""
        figures: Mapping[str, Any] = self.report["figures"]
        return figures

    def shown(self) -> dict[str, Any]:
        """Return the campaign's part of the JSON."""
        return {
            "name": self.name,
            **{figure: self.figures[figure] for figure in FIGURES},
            "lateness_ms": self.report["lateness_ms"],
            "messages_per_second": round(rate_of(self.ledger.first_tries()), 1),
            "equal": all(row.equal for row in self.rows),
        }


@dataclass(slots=True)
class Verdict:
    """The whole outcome."""

    members: int
    rejects: int
    results: list[CampaignResult] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    messages_per_second: float = 0.0
    mails_read: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def differences(self) -> list[Row]:
        """Every figure that is not what was done."""
        return [row for result in self.results for row in result.rows if not row.equal]

    @property
    def ok(self) -> bool:
        """Whether everything is as it must be."""
        return not self.differences and all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return the one object that `--json` prints."""
        return {
            "members": self.members,
            "rejects": self.rejects,
            "campaigns": [result.shown() for result in self.results],
            "ok": self.ok,
            "messages_per_second": round(self.messages_per_second, 1),
            "mails_read": self.mails_read,
            "checks": [
                {"what": check.what, "expected": check.expected, "found": check.found, "ok": check.ok}
                for check in self.checks
            ],
            "differences": [
                {"campaign": row.campaign, "figure": row.figure, "done": row.done, "reported": row.reported}
                for row in self.differences
            ],
            "seconds": {title: round(seconds, 1) for title, seconds in self.seconds.items()},
        }


def overall_rate(ledgers: Sequence[CampaignLedger]) -> float:
    """Return messages a second over campaigns sent at the same time, without those that the mailbox put off."""
    return rate_of(at for ledger in ledgers for at in ledger.first_tries())


def mail_checks(ledgers: Sequence[CampaignLedger]) -> list[Check]:
    """Return what must be true of the mails themselves."""
    faults: dict[str, int] = {}
    for ledger in ledgers:
        for fault, count in ledger.faults.items():
            faults[fault] = faults.get(fault, 0) + count
    judged = sum(ledger.judged for ledger in ledgers)
    checks = [Check("mails with something wrong in them or after them", {}, faults)]
    for algorithm in ("rsa-sha256", "ed25519-sha256"):
        valid = sum(ledger.signatures[algorithm] for ledger in ledgers)
        checks.append(Check(f"DKIM {algorithm} signatures valid, of those judged by dkimpy", judged, valid))
    return checks
