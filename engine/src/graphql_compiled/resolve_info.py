"""graphql-core's ResolveInfo for a position of the plan, built when a resolver needs it."""

from __future__ import annotations

from typing import Any

from graphql import FieldNode, GraphQLField, GraphQLObjectType, GraphQLResolveInfo
from graphql.pyutils import Path

from graphql_compiled.plan import PlanNode
from graphql_compiled.response_path import ListPath, response_path
from graphql_compiled.runtime import ExecutionState


def resolve_info(state: ExecutionState, node: PlanNode, path: ListPath) -> Any:
    """ResolveInfo of the field that the node belongs to; the items of a list share their field's."""
    while node.key is None and node.parent is not None and path is not None:
        node, path = node.parent, path[0]
    field = node.field
    linked_path = _linked_path(node, response_path(path, node.keys))
    return state.build_resolve_info(state, field.definition, field.nodes, field.parent_type, linked_path)


def build_resolve_info(
    state: ExecutionState,
    definition: GraphQLField,
    nodes: list[FieldNode],
    parent_type: GraphQLObjectType,
    path: Path,
) -> GraphQLResolveInfo[Any]:
    """What graphql-core's executor builds. `abort_signal` is always None: compiled code has none."""
    operation = state.operation
    return GraphQLResolveInfo(
        nodes[0].name.value,
        nodes,
        definition.type,
        parent_type,
        path,
        operation.schema,
        operation.fragment_definitions,
        state.root_value,
        operation.definition,
        state.variable_values,
        state.context,
        state.is_awaitable,
        None,
        state.async_helpers,
    )


def _linked_path(node: PlanNode, keys: list[str | int]) -> Path:
    """graphql-core's form of a response path: a linked list, with the parent type of every field."""
    path: Path | None = None
    for position, key in zip(reversed(list(node.ancestry())), keys, strict=True):
        path = Path(path, key, None if position.key is None else position.field.parent_type.name)
    assert path is not None
    return path
