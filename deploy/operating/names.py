"""How operators see what the database knows by number: sites and connections. Pure."""

from uuid import UUID

from core import ids

RELAYED = 0
"""The site of a relay's own door."""


def site(site_id: int | None, provider: str | None) -> str:
    """Return a site's name: its provider's, or `site-12`; `relay` for a relay's door, `any` where none is found yet."""
    if site_id is None:
        return "any"
    if site_id == RELAYED:
        return "relay"
    return provider or f"site-{site_id}"


def campaign(campaign_id: UUID | None) -> str:
    """Say which campaign a run is of; letters are of none."""
    return "letters" if campaign_id is None else ids.encode("cmp", campaign_id)
