"""One template made ready: per message, only what differs is computed.

A template that only prints values (with filters, if any) becomes constant bytes and holes, joined directly; one with
conditions, loops or arithmetic is rendered by the sandbox. Both give the same bytes (a test holds them to it), keep
to the same bounds and fail alike: RenderFailed, with the line and the kind of fault, never a value.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType, TracebackType
from typing import Any, Literal, NamedTuple

from jinja2 import TemplateError, nodes
from markupsafe import escape

from delivery.compose.bounds import MAX_OUTPUT, MAX_SUBJECT, Budget, OutOfBounds
from delivery.compose.errors import RenderFailed
from delivery.compose.filters import FILTERS, Unsuitable, to_text
from delivery.compose.language import OWN_LINKS
from delivery.compose.sandbox import BUDGET, MailEnvironment
from delivery.compose.tree import LINE_END

Kind = Literal["subject", "html", "text"]

_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), " ")
_PLAIN = frozenset({str, int, float, bool, date, datetime})
_Filters = tuple[tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]], ...]


def one_line(value: object) -> str:
    """Print a value for a header field: no CR, LF, NUL or other control of a member's value reaches one."""
    text = to_text(value)
    return text if text.isprintable() else text.translate(_CONTROLS)


def lines(value: object) -> str:
    """Print a value for a body: its line ends become CRLF, as a template's own are (RFC 5322 section 2.3)."""
    text = to_text(value)
    return LINE_END.sub("\r\n", text) if "\n" in text or "\r" in text else text


ENVIRONMENTS: Mapping[Kind, MailEnvironment] = {
    "subject": MailEnvironment(autoescape=False, finalize=one_line),
    "html": MailEnvironment(autoescape=True, finalize=lines),
    "text": MailEnvironment(autoescape=False, finalize=lines),
}


class _Hole(NamedTuple):
    """A value, by its key, and what is done with it; the same in several places (as a name is) is computed once."""

    key: str
    filters: _Filters
    line: int
    places: list[int]


class PartTemplate:
    """A compiled template. `tokens` maps the names of token holes to positions in what `render` is given.

    `keys` are those of values that the template calls otherwise.
    """

    def __init__(
        self,
        kind: Kind,
        tree: nodes.Template,
        tokens: Mapping[str, int],
        keys: Mapping[str, str] = MappingProxyType({}),
        *,
        direct: bool = True,
    ) -> None:
        self._escape = kind == "html"
        self._finalize = one_line if kind == "subject" else lines
        self._limit = MAX_SUBJECT if kind == "subject" else MAX_OUTPUT
        self._tokens = tokens
        used = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
        self._keys = keys
        self._values = tuple(
            (name, keys.get(name, name)) for name in sorted(used - tokens.keys() - {"loop", *OWN_LINKS})
        )
        self._token_names = tuple((name, tokens[name]) for name in sorted(used & tokens.keys()))
        self._segments: list[bytes] = []
        self._token_holes: list[tuple[int, int]] = []
        self._holes: list[_Hole] = []
        self._alike: dict[str, _Hole] = {}
        self._size = 0
        self._closed = False
        """Whether the last segment is a hole's place, so that a constant begins a segment of its own."""
        self.direct = direct and self._lay_out(tree)
        self._template = None if self.direct else ENVIRONMENTS[kind].compile_tree(tree)

    @property
    def constant(self) -> bytes | None:
        """The text itself, where nothing in it differs between messages."""
        varies = not self.direct or self._holes or self._token_holes
        return None if varies else b"".join(self._segments)

    def render(
        self, values: Mapping[str, object], tokens: Sequence[bytes], own: Mapping[str, str] = MappingProxyType({})
    ) -> bytes:
        """Return the part in UTF-8 with CRLF line ends. A missing value prints as nothing. Raises RenderFailed.

        `own`: the recipient's own links, by their names in templates.
        """
        if self._template is not None:
            return self._interpret(values, tokens, own)
        parts = self._segments.copy()
        for at, token in self._token_holes:
            parts[at] = tokens[token]
        room = self._limit - self._size
        for hole in self._holes:
            try:
                value: object = own.get(hole.key, "") if hole.key in OWN_LINKS else plain(values.get(hole.key))
                for function, arguments, named in hole.filters:
                    value = function(value, *arguments, **named)
                text = self._finalize(value)
            except Exception as error:  # noqa: BLE001 - whatever a template's filters raise is the template's fault
                raise _failure(error, hole.line) from None
            piece = (escape(text) if self._escape else text).encode("utf-8", "replace")
            for at in hole.places:
                parts[at] = piece
            room -= len(piece) * len(hole.places)
            if room < 0:
                raise _failure(OutOfBounds("it prints too much"), None)
        return b"".join(parts)

    def _interpret(self, values: Mapping[str, object], tokens: Sequence[bytes], own: Mapping[str, str]) -> bytes:
        known: dict[str, object] = {name: tokens[token].decode() for name, token in self._token_names}
        known |= {name: own.get(name, "") for name in OWN_LINKS}
        known[BUDGET] = Budget()
        assert self._template is not None  # noqa: S101 - chosen by `render`
        try:
            known |= {name: plain(values.get(key)) for name, key in self._values}
            printed = self._template.root_render_func(self._template.new_context(known, shared=True))
            return _joined(printed, self._limit)
        except Exception as error:  # noqa: BLE001 - whatever a template raises is the template's fault
            raise _failure(error, self._line(error.__traceback__)) from None

    def _line(self, trace: TracebackType | None) -> int | None:
        line = None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == "<template>" and self._template is not None:
                line = self._template.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return line

    def _lay_out(self, tree: nodes.Template) -> bool:
        """Split the tree into constants and holes; return False if it does more than print values."""
        for statement in tree.body:
            if not isinstance(statement, nodes.Output):
                return False
            for part in statement.nodes:
                if not self._lay(part):
                    return False
        return True

    def _lay(self, part: nodes.Expr) -> bool:
        if isinstance(part, nodes.TemplateData):
            self._constant(part.data)
        elif isinstance(part, nodes.Const):
            text = self._finalize(part.value)
            self._constant(str(escape(text)) if self._escape else text)
        elif isinstance(part, nodes.Name) and part.name in self._tokens:
            self._token_holes.append((len(self._segments), self._tokens[part.name]))
            self._segments.append(b"")
            self._closed = True
        else:
            filters = []
            inner = part
            while isinstance(inner, nodes.Filter) and inner.node is not None:
                arguments, named = inner.args, [pair.value for pair in inner.kwargs]
                if not all(isinstance(argument, nodes.Const) for argument in (*arguments, *named)):
                    return False
                filters.append(
                    (
                        FILTERS[inner.name],
                        tuple(argument.as_const() for argument in arguments),
                        {str(pair.key): pair.value.as_const() for pair in inner.kwargs},
                    )
                )
                inner = inner.node
            if not isinstance(inner, nodes.Name):
                return False
            self._hole(self._keys.get(inner.name, inner.name), tuple(reversed(filters)), part.lineno)
        return True

    def _hole(self, key: str, filters: _Filters, line: int) -> None:
        hole = _Hole(key, filters, line, [])
        alike = self._alike.setdefault(repr((key, filters)), hole)
        if alike is hole:
            self._holes.append(hole)
        alike.places.append(len(self._segments))
        self._segments.append(b"")
        self._closed = True

    def _constant(self, text: str) -> None:
        if self._segments and not self._closed:
            self._segments[-1] += text.encode()
        else:
            self._segments.append(text.encode())
            self._closed = False
        self._size += len(text.encode())


def plain(value: object) -> object:
    """Return a value of a plain type for a template: nothing with behaviour of its own gets into one."""
    if value is None:
        return ""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(plain(item) for item in value)
    return str(value)


def _joined(printed: Iterable[str], room: int) -> bytes:
    """Join what a template prints while it prints it, so that too much is never held."""
    parts = []
    for text in printed:
        parts.append(text.encode("utf-8", "replace"))
        room -= len(parts[-1])
        if room < 0:
            raise OutOfBounds("it prints too much")
    return b"".join(parts)


def _failure(error: Exception, line: int | None) -> RenderFailed:
    """Return what is said of an error: our own words, for Python's may quote a member's value."""
    if isinstance(error, OutOfBounds):
        return RenderFailed(str(error), reason="out_of_bounds", line=line)
    if isinstance(error, Unsuitable):
        return RenderFailed(str(error), reason="wrong_type", line=line)
    if isinstance(error, ZeroDivisionError):
        return RenderFailed("division by zero", reason="division_by_zero", line=line)
    if isinstance(error, TypeError | ValueError | AttributeError):
        return RenderFailed("a value has the wrong type for what is done with it", reason="wrong_type", line=line)
    if isinstance(error, TemplateError | LookupError):
        return RenderFailed("a value is missing or may not be used so", reason="missing", line=line)
    return RenderFailed("it can't be evaluated", reason="not_evaluated", line=line)
