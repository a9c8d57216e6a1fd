"""The one loader of SQL: named statements in `.sql` files beside the module that runs them.

A file holds statements, each opened by a line `-- name: claim_chunk`; comment lines below it say why the statement
has its shape.
"""

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

_NAME = re.compile(r"^-- name: ([a-z_0-9]+)\s*$", re.MULTILINE)


def load(package: str, file: str) -> Mapping[str, str]:
    """Return the statements of `file` in `package` by name; raise ValueError if a name stands twice."""
    return parse(resources.files(package).joinpath(file).read_text(encoding="utf-8"))


def parse(text: str) -> Mapping[str, str]:
    """Return the named statements of `text`, in order, without their trailing semicolons."""
    statements: dict[str, str] = {}
    pieces = _NAME.split(text)
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if name in statements:
            raise ValueError(f"The statement {name} is named twice")
        statements[name] = body.strip().rstrip(";")
    return MappingProxyType(statements)
