"""What a recipient does with a mail: decided by seed, campaign and address alone, whenever and wherever it is read."""

from dataclasses import dataclass
from random import Random

from deploy.demo.letters import LINKS
from deploy.demo.machines import DESKTOP, GMAIL, TELEPHONE
from deploy.demo.people import Fate, fate_of

OPENED = 0.20
OPENED_AGAIN = 0.2
CLICKED = 0.06
CLICKED_AGAIN = 0.25
MOST_CLICKED = 3
LEFT = 0.015
LEFT_TWICE = 0.25
LOOKED = 0.01
AT_GMAIL = 0.3

# What they did within moments of their gateway would be taken for the gateway's.
_GUARDED = (Fate.GUARDED, Fate.GUARDED_UNNAMED, Fate.GUARDED_WARILY)


@dataclass(frozen=True, slots=True)
class Acts:
    """How often the pixel is loaded, and which links are followed in which order (numbers from 0).

    `unsubscribes` is how often one click is sent: again by impatient people, which must not count twice. `looks`: the
    page behind it is only looked at, as scanners do, which must change nothing. Images are asked for in the name of
    `loader`, links in that of `browser`.
    """

    opens: int
    clicks: tuple[int, ...]
    unsubscribes: int
    looks: bool
    loader: str = DESKTOP
    browser: str = DESKTOP


NOTHING = Acts(0, (), 0, looks=False)


def acts_of(seed: int, campaign: str, address: str) -> Acts:
    """Return what this recipient does with the mail of this campaign."""
    fate = fate_of(address)
    if fate.returns or fate in _GUARDED:
        return NOTHING
    random = Random(f"{seed} {campaign} {address}")  # noqa: S311 - nothing here is to be kept from being guessed
    if random.random() >= OPENED:
        return NOTHING
    opens = 1 + (random.random() < OPENED_AGAIN)
    clicks: list[int] = []
    if random.random() < CLICKED / OPENED:
        clicks = random.sample(range(LINKS), random.randint(1, MOST_CLICKED))
        if random.random() < CLICKED_AGAIN:
            clicks.append(clicks[0])
    draw = random.random() * OPENED
    unsubscribes = (1 + (random.random() < LEFT_TWICE)) if draw < LEFT else 0
    looks = LEFT <= draw < LEFT + LOOKED
    browser = random.choice((DESKTOP, TELEPHONE))
    loader = GMAIL if random.random() < AT_GMAIL else browser
    # Apple's proxy has loaded the images already, and shows what it has.
    seen = 0 if fate is Fate.PRIVATE else opens
    return Acts(seen, tuple(clicks), unsubscribes, looks, loader, browser)
