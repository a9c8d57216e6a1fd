"""What can be wrong with a template, before sending (InvalidTemplate) or with one message (RenderFailed).

None of these texts ever holds a member's value: they name the part, the line and the kind of fault.
"""

from core.errors import InvalidInput, TodokuError


class InvalidTemplate(InvalidInput):
    """The content can't be sent as it stands; each fault names its part and line."""

    code = "invalid-template"
    title = "The template is not valid"


class RenderFailed(TodokuError):  # noqa: N818 - named by meaning, as a sentence reads it
    """This one message can't be made from this member's values; the others are not touched."""

    code = "render-failed"
    title = "The message could not be composed"

    def __init__(self, detail: str, *, reason: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {detail}" if line else detail)
        self.reason = reason
        self.line = line
