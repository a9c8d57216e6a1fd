"""Jinja2's immutable sandbox, closed further: nothing that a template computes is unbounded in size or time.

The sandbox alone lets `'a' * 10**9` through. Here every operator is intercepted (an intercepted one is not folded at
compile time either), filters, tests and joining by `~` charge the render's Budget, loops pay before they begin,
there are no globals, and the tree is rewritten so that templates can't get at any of this. Only trees that
`language.parse` has let through are compiled.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from jinja2 import StrictUndefined, nodes, pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from delivery.compose.bounds import MAX_NUMBER, Budget, OutOfBounds
from delivery.compose.filters import FILTERS, LOOP_FACTS, METHODS, TESTS, Unsuitable, to_text

BUDGET = "_budget"
_ITERATE = "_iterate"
_CONCATENATE = "_concatenate"


class MailEnvironment(ImmutableSandboxedEnvironment):
    """The environment in which all templates are parsed, compiled and rendered."""

    intercepted_binops: ClassVar[frozenset[str]] = frozenset({"+", "-", "*", "/", "//", "%", "**"})  # type: ignore[misc]

    def __init__(self, *, autoescape: bool, finalize: Callable[[object], str]) -> None:
        super().__init__(
            autoescape=autoescape,
            finalize=finalize,
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            newline_sequence="\r\n",
            optimized=False,
            cache_size=0,
        )
        self.globals.clear()
        self.filters = {name: _charged(function) for name, function in FILTERS.items()}
        self.filters[_ITERATE] = _iterate
        self.filters[_CONCATENATE] = _concatenate
        self.tests = dict(TESTS)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Say whether a template may have this attribute: some methods of texts, what a loop knows, no more."""
        closed = METHODS if isinstance(obj, str) else LOOP_FACTS if isinstance(obj, LoopContext) else ()
        return attr in closed and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute an operator, within bounds: numbers all six, texts `+` only."""
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            text = left + right
            _budget(context).made(text)
            return text
        if not (isinstance(left, int | float) and isinstance(right, int | float)) or operator not in _ARITHMETIC:
            raise Unsuitable(f"numbers are needed on both sides of {operator}")
        if abs(left) > MAX_NUMBER or abs(right) > MAX_NUMBER:
            raise OutOfBounds("a number is too large")
        number = _ARITHMETIC[operator](left, right)
        if not abs(number) <= MAX_NUMBER:
            raise OutOfBounds("a number is too large")
        return number

    def compile_tree(self, tree: nodes.Template) -> Any:
        """Return the compiled template of a tree that `language.parse` has let through."""
        guarded = _Guard().visit(tree)
        return self.template_class.from_code(self, self.compile(guarded), {}, None)


_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


class _Guard(NodeTransformer):
    """Puts the counting of loops and the bounded joining into a tree."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - Jinja2's name
        weight = 1 + sum(1 for part in (*node.body, *node.else_) for _ in part.find_all(nodes.Node))
        self.generic_visit(node)
        arguments = [nodes.Const(weight)]
        node.iter = nodes.Filter(node.iter, _ITERATE, arguments, [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        first, *others = node.nodes
        return nodes.Filter(first, _CONCATENATE, others, [], None, None, lineno=node.lineno)


def _budget(context: Context) -> Budget:
    budget = context[BUDGET]
    assert isinstance(budget, Budget)  # noqa: S101 - every render begins by putting one there
    return budget


def _charged(function: Callable[..., object]) -> Callable[..., object]:
    @pass_context
    def charged(context: Context, value: object, *arguments: object, **named: object) -> object:
        made = function(value, *arguments, **named)
        _budget(context).made(made)
        return made

    return charged


@pass_context
def _iterate(context: Context, value: object, weight: int) -> object:
    if not isinstance(value, str | list | tuple):
        raise Unsuitable("a loop needs a list")
    _budget(context).loop(len(value), weight)
    return value


@pass_context
def _concatenate(context: Context, *values: object) -> str:
    texts = [to_text(value) for value in values]
    budget = _budget(context)
    for text in texts:
        budget.made(text)
    joined = "".join(texts)
    budget.made(joined)
    return joined
