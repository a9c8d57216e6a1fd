"""Filling the page's templates."""

from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deploy.mailbox.store import MailStore

_HERE = Path(__file__).parent
_THOUSAND = 1000
_HUNDRED = 100

STYLESHEET = (_HERE / "static" / "style.css").read_bytes()


def render(store: MailStore, template: str, *, status: int = HTTPStatus.OK, **values: object) -> HTMLResponse:
    """Fill a template; each may show how full the mailbox is."""
    shown = {"query": "", "kept": store.count, "bytes": store.size} | values
    content = _TEMPLATES.get_template(template).render(shown)
    # A mail may hold lone surrogates, which UTF-8 can't carry.
    return HTMLResponse(content.encode("utf-8", "replace"), status)


def _size(count: int) -> str:
    """Say a number of bytes in the largest unit that leaves at least one."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < _THOUSAND:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= _HUNDRED else f"{amount:.1f} {unit}"
        amount /= _THOUSAND
    return f"{amount:.2f} GB"


def _moment(at: datetime) -> str:
    return f"{at:%d %b %Y, %H:%M:%S} UTC"


_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(size=_size, moment=_moment)
