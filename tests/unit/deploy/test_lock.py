from pathlib import Path

import pytest

from core.errors import ConfigurationError
from deploy.lock import only_one


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with (
        only_one(tmp_path),
        pytest.raises(ConfigurationError, match=r"already \(process \d+\)"),
        only_one(tmp_path),
    ):
        pass
    with only_one(tmp_path):
        pass
