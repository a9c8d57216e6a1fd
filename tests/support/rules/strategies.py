"""Rule trees of every kind, drawn at random; the operands are such that some members meet them."""

from typing import Any

from hypothesis import strategies as st

from tests.support.rules.world import MOMENTS, PARTS, PROTECTIONS, SOURCES, TAGS, TYPES, VALUES, World

OPERATORS = {
    "text": ["equals", "not_equals", "in", "contains", "starts_with", "is_set"],
    "number": ["equals", "not_equals", "in", "less", "greater", "between", "is_set"],
    "boolean": ["equals", "not_equals", "in", "is_set"],
    "date": ["equals", "not_equals", "in", "before", "after", "between", "within_days", "is_set"],
    "datetime": ["equals", "not_equals", "in", "before", "after", "between", "within_days", "is_set"],
    "choice": ["equals", "not_equals", "in", "is_set"],
    "tags": ["contains", "is_set"],
}


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    type_ = draw(st.sampled_from(TYPES))
    attribute = f"{draw(st.sampled_from(PROTECTIONS))}_{type_}"
    operator = draw(st.sampled_from(OPERATORS[type_]))
    single = st.sampled_from(TAGS if type_ == "tags" else VALUES[type_])
    operands: dict[str, st.SearchStrategy[Any]] = {
        "is_set": st.booleans(),
        "within_days": st.sampled_from([1, 10, 30]),
        "in": st.lists(single, min_size=1, max_size=3),
        "between": st.lists(single, min_size=2, max_size=2),
        "contains": st.sampled_from(TAGS if type_ == "tags" else PARTS),
        "starts_with": st.sampled_from(["x", "tokyo", "東", "ﾀ", "[X", "$"]),
    }
    return {"attribute": attribute, operator: draw(operands.get(operator, single))}


def leaves(world: World) -> st.SearchStrategy[dict[str, Any]]:
    moments = st.sampled_from([moment.isoformat() for moment in MOMENTS])
    bounds = st.fixed_dictionaries({}, optional={"after": moments, "before": moments})
    consent = st.fixed_dictionaries(
        {"given": st.booleans()},
        optional={
            "scope": st.sampled_from(["all", *world.topics]),
            "source": st.sampled_from([*SOURCES, "link"]),
            "after": moments,
            "before": moments,
        },
    )
    seen = (
        bounds.filter(bool)
        | st.fixed_dictionaries({"within_days": st.sampled_from([1, 10, 30])})
        | st.fixed_dictionaries({"never": st.booleans()})
    )
    statuses = st.sampled_from(["active", "unsubscribed", "pending", "paused"])
    others = [
        st.fixed_dictionaries({"group": st.sampled_from(world.groups)}),
        st.fixed_dictionaries({"topic": st.sampled_from(world.topics)}),
        st.fixed_dictionaries({"segment": st.sampled_from(sorted(world.segments))}),
        st.fixed_dictionaries({"status": statuses | st.lists(statuses, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"consent": consent}),
        *(
            st.fixed_dictionaries({event: st.sampled_from(world.campaigns)})
            for event in ("received", "opened", "clicked")
        ),
        *(st.fixed_dictionaries({event: seen}) for event in ("last_open", "last_click")),
    ]
    return comparisons() | st.one_of(others)


def rules(world: World) -> st.SearchStrategy[dict[str, Any]]:
    return st.recursive(
        leaves(world),
        lambda inner: (
            st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=4)})
            | st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=4)})
            | st.fixed_dictionaries({"not": inner})
        ),
        max_leaves=8,
    )
