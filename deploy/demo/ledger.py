"""What was done to the campaigns, by the people's own count, and whether the report says the same. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.demo.campaigns import Campaign
from deploy.demo.people import Person

FIGURES = (
    *("snapshot", "accepted", "failed", "suppressed", "cancelled", "uncertain", "waiting", "deferred"),
    *("opens", "unique_opens", "human_opens", "unique_human_opens", "machine_opens"),
    *("clicks", "unique_clicks", "human_clicks", "unique_human_clicks", "machine_clicks"),
    *("unsubscribes", "bounces", "complaints"),
)

_LINK = ("url", "clicks", "unique_clicks", "human_clicks", "unique_human_clicks")


@dataclass(frozen=True, slots=True)
class Delivered:
    """One mail that arrived, and what its recipient did: `received_at` in seconds since 1970.

    `subject` and `name` as the recipient reads them; `signatures` are the valid ones' algorithms, None if nobody
    looked; `faults` is what went wrong, in words without the address; `returns` what came back of it by mail.
    `machine_opens` and `machine_clicks` are what a machine before the recipient asked for.
    """

    campaign: str
    address: str
    received_at: float
    subject: str
    name: str
    opens: int
    clicks: tuple[int, ...]
    unsubscribes: int
    signatures: frozenset[str] | None
    faults: tuple[str, ...]
    returns: str | None = None
    machine_opens: int = 0
    machine_clicks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SentOn:
    """A reply that reached the sender: who wrote it."""

    writer: str


@dataclass(slots=True)
class Seen:
    """What was asked for: the pixel by address, links by number and address."""

    opens: Counter[str] = field(default_factory=Counter)
    clicks: Counter[tuple[int, str]] = field(default_factory=Counter)

    def add(self, address: str, opens: int, clicks: Iterable[int]) -> None:
        """Note what was asked for of one mail."""
        self.opens[address] += opens
        self.clicks.update((link, address) for link in clicks)

    def __add__(self, other: "Seen") -> "Seen":
        """Return both together."""
        return Seen(self.opens + other.opens, self.clicks + other.clicks)

    @property
    def total(self) -> int:
        """How often something was asked for."""
        return self.opens.total() + self.clicks.total()

    @property
    def openers(self) -> int:
        """How many recipients there are with an open."""
        return len(+self.opens)

    @property
    def clickers(self) -> int:
        """How many recipients there are with a click."""
        return len({address for _, address in self.clicks})

    def link(self, number: int) -> tuple[int, int]:
        """Return how often a link was followed, and by how many."""
        counts = [count for (link, _), count in self.clicks.items() if link == number]
        return sum(counts), len(counts)


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: a figure of a campaign, what was done, what the report says."""

    campaign: str
    figure: str
    done: Any
    reported: Any

    @property
    def equal(self) -> bool:
        """Whether they are the same."""
        return bool(self.done == self.reported)


@dataclass(slots=True)
class CampaignLedger:
    """What was done to one campaign. `out` are those whom the snapshot must leave out, with the reason."""

    campaign: Campaign
    audience: Mapping[str, Person]
    out: Mapping[str, str]
    deferrals: bool
    received: dict[str, Delivered] = field(default_factory=dict)
    people: Seen = field(default_factory=Seen)
    machines: Seen = field(default_factory=Seen)
    unsubscribed: set[str] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)
    signatures: Counter[str] = field(default_factory=Counter)
    judged: int = 0

    def add(self, mail: Delivered) -> None:
        """Note a mail; one to a stranger, a second one, or one with wrong words is a fault."""
        person = self.audience.get(mail.address)
        if person is None:
            self.faults["sent to somebody who is not in the audience"] += 1
        elif mail.address in self.received:
            self.faults["sent twice"] += 1
        elif mail.name != person.name or not mail.subject.startswith(f"{person.name} 様、"):
            self.faults["another's name in it"] += 1
        self.faults.update(mail.faults)
        self.received[mail.address] = mail
        self.people.add(mail.address, mail.opens, mail.clicks)
        self.machines.add(mail.address, mail.machine_opens, mail.machine_clicks)
        if mail.unsubscribes or mail.returns == "unsubscribe":
            self.unsubscribed.add(mail.address)
        if mail.signatures is not None:
            self.judged += 1
            self.signatures.update(mail.signatures)

    def done(self, left: Iterable[str]) -> dict[str, Any]:
        """Return the figures as they must be; `left` are all who unsubscribed, from whichever mail.

        Who got nothing has bounced, or had left before his turn came; anyone else is a mail that was lost.
        """
        left = frozenset(left)
        missing = [person for address, person in self.audience.items() if address not in self.received]
        failed = Counter(person.fate.failure for person in missing if person.fate.failure)
        suppressed = sum(not person.fate.failure and person.address in left for person in missing)
        bounces, away = len(self.returned("bounce")), len(self.returned("auto_reply"))
        seen = self.people + self.machines
        accepted = sum(address in self.audience for address in self.received)
        return {
            "snapshot": len(self.audience),
            "accepted": accepted,
            "failed": failed.total(),
            "failed_by_reason": dict(sorted(failed.items())),
            "suppressed": suppressed,
            "suppressed_by_reason": {"unsubscribed": suppressed} if suppressed else {},
            "cancelled": 0,
            "uncertain": 0,
            "waiting": 0,
            "deferred": self._deferred(),
            "opens": seen.opens.total(),
            "unique_opens": seen.openers,
            "human_opens": self.people.opens.total(),
            "unique_human_opens": self.people.openers,
            "machine_opens": self.machines.opens.total(),
            "clicks": seen.clicks.total(),
            "unique_clicks": seen.clickers,
            "human_clicks": self.people.clicks.total(),
            "unique_human_clicks": self.people.clickers,
            "machine_clicks": self.machines.clicks.total(),
            "unsubscribes": len(self.unsubscribed),
            "bounces": bounces,
            "bounces_by_class": {name: count for name, count in (("auto_reply", away), ("hard", bounces)) if count},
            "complaints": len(self.returned("complaint")),
        }

    def returned(self, what: str) -> set[str]:
        """Return of whose mails this came back."""
        return {address for address, mail in self.received.items() if mail.returns == what}

    def links(self) -> list[tuple[int, int, int, int]]:
        """Return each link's clicks and their people, in order: by all, and by people alone."""
        seen, numbers = self.people + self.machines, range(len(self.campaign.letter.links))
        return [(*seen.link(number), *self.people.link(number)) for number in numbers]

    def first_tries(self) -> list[float]:
        """Return when each mail arrived that the mailbox did not put off before."""
        return [
            mail.received_at
            for address, mail in self.received.items()
            if address in self.audience and not (self.deferrals and self.audience[address].fate.deferrals)
        ]

    def _deferred(self) -> int:
        met = (self.audience[address].fate.deferrals for address in self.received if address in self.audience)
        return sum(met) if self.deferrals else 0


def rate_of(times: Iterable[float]) -> float:
    """Return events a second from the first to the last; 0 if there is no time between them."""
    ordered = sorted(times)
    spent = ordered[-1] - ordered[0] if ordered else 0.0
    return (len(ordered) - 1) / spent if spent > 0 else 0.0


def compare(
    ledger: CampaignLedger, left: Iterable[str], figures: Mapping[str, Any], links: Sequence[Mapping[str, Any]]
) -> list[Row]:
    """Return a row a figure: `figures` and `links` as the report shows them."""
    name = ledger.campaign.name
    done = ledger.done(left)
    rows = [Row(name, figure, value, figures.get(figure)) for figure, value in done.items()]
    reported = [tuple(link[key] for key in _LINK) for link in links]
    counted = [(url, *counts) for url, counts in zip(ledger.campaign.letter.links, ledger.links(), strict=True)]
    rows.append(Row(name, "links", counted, reported))
    return rows
