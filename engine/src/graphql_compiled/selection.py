"""What a document selects, and on which variables that depends."""

from collections.abc import Iterator
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    visit,
)


def schema_coordinates(schema: GraphQLSchema, document: DocumentNode) -> frozenset[str]:
    """The fields of a valid document, each as "Type.field" (GraphQL specification, "Schema Coordinates")."""
    found: set[str] = set()
    types = TypeInfo(schema)

    class FieldVisitor(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            if (parent := types.get_parent_type()) is not None:
                found.add(f"{parent.name}.{node.name.value}")

    visit(document, TypeInfoVisitor(types, FieldVisitor()))
    return frozenset(found)


def nested_variables(document: DocumentNode, operation: OperationDefinitionNode) -> frozenset[str]:
    """The variables that are used anywhere but in the arguments of the operation's root fields."""
    fragments = [node for node in document.definitions if isinstance(node, FragmentDefinitionNode)]
    nested: list[Any] = [*fragments, *(operation.directives or ())]
    for selection in operation.selection_set.selections:
        if isinstance(selection, FieldNode):
            nested += [*(selection.directives or ()), *([selection.selection_set] if selection.selection_set else [])]
        else:
            nested.append(selection)
    return frozenset(name for node in nested for name in _variables(node))


def _variables(node: Any) -> Iterator[str]:
    found: list[str] = []

    class VariableVisitor(Visitor):
        def enter_variable(self, variable: VariableNode, *_: Any) -> None:
            found.append(variable.name.value)

    visit(node, VariableVisitor())
    return iter(found)
