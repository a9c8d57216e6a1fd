"""What a page said where somebody consented by it, kept under a version that the consent ledger names."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson
from fastapi import Request

from api.pages.language import mark as _
from api.pages.services import PageServices
from scheduler.branding import Branding


async def keep(services: PageServices, branding: Branding, content: Mapping[str, Any]) -> str:
    """Keep a wording and return its version: the same words have the same one."""
    digest = sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
    version = f"page-{digest[:16]}"
    await services.branding.keep_wording(branding.account_id, version, content)
    return version


async def keep_undo(services: PageServices, request: Request, branding: Branding) -> str:
    """Keep what the button says that takes leaving back."""
    language = services.pages.language(request, branding)
    text = services.pages.words(language, _("I did not want this: send me mail again"))
    return await keep(services, branding, {"language": language, "text": text, "account": branding.name})


async def keep_topics(services: PageServices, branding: Branding, language: str, labels: Mapping[str, str]) -> str:
    """Keep what the boxes of topics say; `labels` by the topics' shown ids."""
    text = services.pages.words(language, _("Send me mail about"))
    return await keep(
        services, branding, {"language": language, "text": text, "topics": labels, "account": branding.name}
    )
