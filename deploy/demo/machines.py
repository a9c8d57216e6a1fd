"""What asks for a mail's images and links beside its reader, or in the reader's place. Pure.

Companies' gateways try links before they let a mail through: some say who they are; some call themselves browsers, and
try a few and the one that no reader sees; some step around that one, and try all others. Apple's proxy loads the images
of every mail, read or not; so nothing is seen of its people but what they click.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.demo.letters import LINKS
from deploy.demo.people import Fate, fate_of

DESKTOP = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
TELEPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
"""Loads an image when a person opens the mail, who then follows links with a program of their own."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a machine asks for of each mail to an address, all of it once, by the name `agent`.

    The pixel always; the first `links` of the links too, and the `hidden` one before everything else.
    """

    agent: str
    links: int
    hidden: bool


SWEEPS: Mapping[Fate, Sweep] = {
    Fate.PRIVATE: Sweep("Mozilla/5.0", links=0, hidden=False),
    Fate.GUARDED: Sweep("Mozilla/5.0 (compatible; Proofpoint URL Defense)", links=LINKS, hidden=True),
    Fate.GUARDED_UNNAMED: Sweep(DESKTOP, links=5, hidden=True),
    Fate.GUARDED_WARILY: Sweep(DESKTOP, links=LINKS, hidden=False),
}


def sweep_of(address: str) -> Sweep | None:
    """Return what a machine asks for of a mail to this address, None where there is none."""
    return SWEEPS.get(fate_of(address))
