"""What an API key may be allowed to do: the closed list of scopes."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from core.errors import Fault, InvalidInput

SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "account:read": "See the account and what it sets for all campaigns",
        "account:write": "Change what the account sets for all campaigns",
        "attributes:read": "See which attributes members have",
        "attributes:write": "Define and change attributes",
        "members:list": "List members with personal fields masked",
        "members:read": "See members' personal fields, search by address, download rejected rows",
        "members:write": "Create and change members",
        "members:export": "Take members out as files, and all that is held on one",
        "members:erase": "Erase members for good",
        "groups:read": "See groups",
        "groups:write": "Create and remove groups, change who is in them",
        "topics:read": "See topics",
        "topics:write": "Create, change and remove topics",
        "imports:read": "Follow imports",
        "imports:write": "Import members from a file",
        "segments:read": "See segments and preview how many they hold",
        "segments:write": "Create, change and remove segments",
        "suppressions:read": "See what is suppressed, by keyed hash",
        "suppressions:write": "Suppress addresses and lift suppressions",
        "senders:read": "See senders and the DNS records that they need",
        "senders:write": "Create and change senders",
        "templates:read": "See, check and render templates",
        "templates:write": "Create and change templates",
        "campaigns:read": "See campaigns, their runs and deliveries",
        "campaigns:write": "Create, change, clone and remove drafts",
        "campaigns:send": "Schedule, test, pause, resume and cancel",
        "reports:read": "See figures and notices",
        "events:read": "Follow opens, clicks and whatever else comes back, by members' ids",
        "webhooks:read": "See webhooks and what was posted to them",
        "webhooks:write": "Create, change and remove webhooks, post again",
        "audit:read": "See who searched, took out and erased members, and who changed keys and settings",
    }
)


def known(scopes: Iterable[str]) -> list[str]:
    """Return `scopes` in the list's order, each once; raise InvalidInput if one is not in the list."""
    wanted = set(scopes)
    strangers = len(wanted - SCOPES.keys())
    if strangers or not wanted:
        detail = "Name at least one scope" if not wanted else f"{strangers} of the scopes are unknown"
        raise InvalidInput(detail, [Fault("/scopes", "unknown-scope", f"Known scopes: {', '.join(SCOPES)}")])
    return [scope for scope in SCOPES if scope in wanted]
