"""The closed list of scopes, and what declares them."""

import pytest
from fastapi import APIRouter

from api.auth import Requires
from api.route import Route
from api.scopes import SCOPES, known
from core.errors import InvalidInput


def test_scopes_are_kept_in_the_order_of_the_list() -> None:
    assert known(reversed(SCOPES)) == list(SCOPES)


@pytest.mark.parametrize("scopes", [[], ["templates:delete"], ["templates:read", ""]])
def test_unknown_scopes_are_refused(scopes: list[str]) -> None:
    with pytest.raises(InvalidInput):
        known(scopes)


def test_a_route_that_declares_an_unknown_scope_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="everything"):
        Requires("everything")


def test_a_route_without_permission_is_refused_at_once() -> None:
    router = APIRouter(route_class=Route)
    with pytest.raises(TypeError, match="declares no permission"):
        router.get("/open")(lambda: None)
