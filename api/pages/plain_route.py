"""A route whose endpoint takes the request and nothing else, for what very many ask for at once.

What FastAPI does to find out what else an endpoint asks for takes longer than all of leaving, say.
"""

from starlette.routing import Match, Route
from starlette.types import Scope


class PlainRoute(Route):
    """Starlette's route, named to the metrics as FastAPI's are."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Say whether this is asked for, and by which method."""
        match, child = super().matches(scope)
        return match, {**child, "route": self} if match is Match.FULL else child
