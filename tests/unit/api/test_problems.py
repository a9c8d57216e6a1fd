"""From an error's meaning to its status and its answer."""

import orjson
import pytest
from starlette.exceptions import HTTPException

from api import errors as http
from api import problems
from core import errors
from core.errors import Fault, TodokuError
from delivery.compose.errors import InvalidTemplate
from members.errors import AddressTaken


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.InvalidInput, 422),
        (InvalidTemplate, 422),
        (errors.TooLarge, 413),
        (errors.NotFound, 404),
        (errors.Tampered, 404),
        (errors.Conflict, 409),
        (AddressTaken, 409),
        (errors.StaleRevision, 412),
        (errors.PermissionDenied, 403),
        (errors.Unauthenticated, 401),
        (errors.Unavailable, 503),
        (errors.ConfigurationError, 500),
        (TodokuError, 500),
        (http.MalformedRequest, 400),
        (http.UnsupportedMediaType, 415),
        (http.MethodNotAllowed, 405),
        (http.PreconditionRequired, 428),
        (http.KeyReused, 422),
        (http.StillRunning, 409),
        (http.RequestTimeout, 408),
        (http.DeadlinePassed, 504),
    ],
)
def test_an_error_has_the_status_of_its_nearest_meaning(kind: type[TodokuError], status: int) -> None:
    assert problems.status_of(kind) == status


def test_faults_are_told_with_their_pointers() -> None:
    answer = problems.answer(errors.InvalidInput("2 faults", [Fault("/a", "x", "y"), Fault("/b", "x", "y")]), "req_1")
    problem = orjson.loads(answer.body)
    assert answer.media_type == "application/problem+json"
    assert [fault["pointer"] for fault in problem["errors"]] == ["/a", "/b"]
    assert problem["instance"] == "req_1"


def test_an_internal_error_tells_nothing_of_itself() -> None:
    answer = problems.answer(errors.ConfigurationError("/etc/secret is missing", [Fault("/x", "y", "z")]), "req_1")
    assert b"secret" not in answer.body
    assert orjson.loads(answer.body)["errors"] == []


def test_what_the_router_raises_has_a_meaning() -> None:
    assert isinstance(problems.meaning_of(HTTPException(404)), errors.NotFound)
    assert isinstance(problems.meaning_of(HTTPException(405)), http.MethodNotAllowed)
    assert isinstance(problems.meaning_of(HTTPException(400)), http.MalformedRequest)
    assert problems.meaning_of(ZeroDivisionError()) is None
