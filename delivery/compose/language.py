"""The closed language of templates: what of Jinja2's syntax a mail may use, and what is wrong with a given source.

Allowed are texts, attributes, conditions, loops, `set`, arithmetic, comparisons, the filters and tests of
`filters.py` and some methods of texts. Everything else is refused before it is compiled: other nodes (import,
include, extends, block, macro, call, filter, with, autoescape, slices, dicts, powers), other names, attributes and
calls. All faults of a source are listed at once. The walk is iterative: a source nested deep can't exhaust the stack.
"""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice

from jinja2 import Environment, TemplateError, TemplateSyntaxError, meta, nodes

from core.errors import Fault
from delivery.compose.bounds import MAX_BLOCKS, MAX_DEPTH, MAX_LOOPS, MAX_NODES, MAX_NUMBER, MAX_SOURCE, MAX_TEXT
from delivery.compose.errors import InvalidTemplate
from delivery.compose.filters import FILTERS, LOOP_FACTS, METHODS, TESTS

UNSUBSCRIBE_URL = "unsubscribe_url"
PREFERENCES_URL = "preferences_url"
WEB_URL = "web_url"
OWN_LINKS = frozenset({UNSUBSCRIBE_URL, PREFERENCES_URL, WEB_URL})
"""The names under which every template finds this recipient's own links: to leave, to choose, to read it as a page."""

MAX_FAULTS = 100

_RESERVED = frozenset({"self", "super", "caller", "varargs", "kwargs", "loop", *OWN_LINKS})

_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.Name, nodes.Const),
    *(nodes.List, nodes.Tuple, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos, nodes.Concat),
    *(nodes.Filter, nodes.Test, nodes.Getattr, nodes.Getitem, nodes.Call, nodes.Keyword),
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the tree a node stands."""

    node: nodes.Node
    parent: nodes.Node | None
    blocks: int
    loops: int


def parse(environment: Environment, source: str, names: AbstractSet[str], pointer: str) -> nodes.Template:
    """Return the syntax tree of `source`, in which templates may use `names`.

    Raises InvalidTemplate with every fault that can be seen without rendering, each with its line.
    """
    if len(source) > MAX_SOURCE:
        raise InvalidTemplate(faults=[Fault(pointer, "too_large", f"more than {MAX_SOURCE} characters")])
    if "\0" in source or any("\ud800" <= char <= "\udfff" for char in source if char > "\ud7ff"):
        raise InvalidTemplate(faults=[Fault(pointer, "not_text", "holds a NUL or half a surrogate pair")])
    try:
        tree = environment.parse(source)
    except TemplateSyntaxError as error:
        raise InvalidTemplate(faults=[Fault(pointer, "syntax", f"line {error.lineno}: {error.message}")]) from None
    except (ValueError, OverflowError, SyntaxError):
        raise InvalidTemplate(faults=[Fault(pointer, "syntax", "a number or text can't be read")]) from None
    except (RecursionError, MemoryError):
        raise InvalidTemplate(faults=[Fault(pointer, "too_deep", "nested too deep")]) from None
    if complexity := _complexity(tree):
        raise InvalidTemplate(faults=[Fault(pointer, "too_complex", complexity)])
    if faults := list(islice(_faults(tree, names, pointer), MAX_FAULTS)) or list(_unbound(tree, names, pointer)):
        raise InvalidTemplate(faults=faults)
    return tree


def _complexity(tree: nodes.Template) -> str | None:
    """Say what makes a tree too large to be looked at closer, which other walks may then do at leisure."""
    pending: list[tuple[nodes.Node, int]] = [(tree, 0)]
    count = 0
    while pending:
        node, depth = pending.pop()
        count += 1
        if depth > MAX_DEPTH:
            return f"line {node.lineno}: nested too deep"
        if count > MAX_NODES:
            return f"it has more than {MAX_NODES} parts"
        pending.extend((child, depth + 1) for child in node.iter_child_nodes())
    return None


def _faults(tree: nodes.Template, names: AbstractSet[str], pointer: str) -> Iterator[Fault]:
    stored = {node.name for node in _every(tree) if isinstance(node, nodes.Name) and node.ctx == "store"}
    known = names | stored | OWN_LINKS
    for place in _places(tree):
        for code, detail in _complaints(place, known):
            yield Fault(pointer, code, f"line {place.node.lineno}: {detail}")


def _unbound(tree: nodes.Template, names: AbstractSet[str], pointer: str) -> Iterator[Fault]:
    """Names that are set somewhere, yet not where they are used (a loop's variable after its loop)."""
    try:
        undeclared = meta.find_undeclared_variables(tree) - names - OWN_LINKS
    except TemplateError as error:
        yield Fault(pointer, "syntax", error.message or "can't be compiled")
        return
    for name in sorted(undeclared):
        line = next((n.lineno for n in _every(tree) if isinstance(n, nodes.Name) and n.name == name), 1)
        yield Fault(pointer, "unknown_name", f"line {line}: {name!r} is not set here")


def _every(tree: nodes.Node) -> Iterator[nodes.Node]:
    return (place.node for place in _places(tree))


def _places(tree: nodes.Node) -> Iterator[_Place]:
    """All nodes in the order of the source."""
    pending = [_Place(tree, None, 0, 0)]
    while pending:
        place = pending.pop()
        yield place
        node = place.node
        blocks = place.blocks + isinstance(node, nodes.If | nodes.For)
        loops = place.loops + isinstance(node, nodes.For)
        children = [_Place(child, node, blocks, loops) for child in node.iter_child_nodes()]
        pending.extend(reversed(children))


def _complaints(place: _Place, known: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    node = place.node
    if not isinstance(node, _ALLOWED):
        yield "not_allowed", f"{type(node).__name__.lower()} is not part of the language of templates"
        return
    if place.blocks > MAX_BLOCKS or place.loops > MAX_LOOPS:
        yield "too_complex", "too many conditions or loops within one another"
    rule = _RULES.get(type(node))
    if rule:
        yield from rule(place, known)


def _name(place: _Place, known: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    node = place.node
    assert isinstance(node, nodes.Name)  # noqa: S101 - the rule's table says so
    if node.ctx == "store":
        if node.name in _RESERVED or node.name.startswith("_"):
            yield "reserved_name", f"{node.name!r} can't be set"
    elif node.name == "loop":
        if not place.loops or not isinstance(place.parent, nodes.Getattr):
            yield "unknown_name", "'loop' has a meaning inside a loop only, as in loop.index"
    elif node.name in _RESERVED - OWN_LINKS or node.name not in known:
        yield "unknown_name", f"{node.name!r} is not an attribute of this account"


def _getattr(place: _Place, _known: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    node = place.node
    assert isinstance(node, nodes.Getattr)  # noqa: S101
    if isinstance(node.node, nodes.Name) and node.node.name == "loop":
        if node.attr not in LOOP_FACTS:
            yield "unknown_attribute", f"loop has no {node.attr!r}"
    elif not (isinstance(place.parent, nodes.Call) and place.parent.node is node):
        yield "unknown_attribute", f"values have no attribute {node.attr!r}"
    elif node.attr not in METHODS:
        yield "unknown_attribute", f"{node.attr!r} can't be called; there are filters instead"


def _call(place: _Place, _known: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    node = place.node
    assert isinstance(node, nodes.Call)  # noqa: S101
    if not isinstance(node.node, nodes.Getattr):
        yield "not_allowed", "functions can't be called"
    if node.kwargs or node.dyn_args or node.dyn_kwargs:
        yield "not_allowed", "a method takes plain arguments only"


def _getitem(place: _Place, _known: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    node = place.node
    assert isinstance(node, nodes.Getitem)  # noqa: S101
    if not (isinstance(node.arg, nodes.Const) and type(node.arg.value) is int):
        yield "not_allowed", "only a number may stand in [ ]"


def _filter(place: _Place, _known: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    node = place.node
    assert isinstance(node, nodes.Filter | nodes.Test)  # noqa: S101
    kind, closed = ("filter", FILTERS) if isinstance(node, nodes.Filter) else ("test", TESTS)
    if node.name not in closed:
        yield f"unknown_{kind}", f"there is no {kind} {node.name!r}; there are {', '.join(sorted(closed))}"
    if node.dyn_args or node.dyn_kwargs:
        yield "not_allowed", f"a {kind} takes plain arguments only"


def _for(place: _Place, _known: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    node = place.node
    assert isinstance(node, nodes.For)  # noqa: S101
    if node.recursive or not isinstance(node.target, nodes.Name):
        yield "not_allowed", "a loop sets one name and is not recursive"


def _assign(place: _Place, _known: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    node = place.node
    assert isinstance(node, nodes.Assign)  # noqa: S101
    if not isinstance(node.target, nodes.Name):
        yield "not_allowed", "set gives a value to one name"


def _const(place: _Place, _known: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    node = place.node
    assert isinstance(node, nodes.Const)  # noqa: S101
    if isinstance(node.value, int | float) and not abs(node.value) <= MAX_NUMBER:
        yield "too_large", "a number is too large"
    if isinstance(node.value, str) and len(node.value) > MAX_TEXT:
        yield "too_large", "a text is too long"


_RULES: dict[type[nodes.Node], Callable[[_Place, AbstractSet[str]], Iterator[tuple[str, str]]]] = {
    nodes.Name: _name,
    nodes.Getattr: _getattr,
    nodes.Call: _call,
    nodes.Getitem: _getitem,
    nodes.Filter: _filter,
    nodes.Test: _filter,
    nodes.For: _for,
    nodes.Assign: _assign,
    nodes.Const: _const,
}
