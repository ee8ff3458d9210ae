"""Execution plans: a tree with a node for every response position of an operation. Code is generated from it.

graphql-core's own functions collect the fields, once, for given values of the variables that `@skip` and `@include`
read. Fragments, aliases and merged fields therefore have the same meaning as in graphql-core.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLStreamDirective,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    visit,
)
from graphql.execution.collect_fields import (
    CollectedFields,
    FieldDetailsList,
    FragmentDetails,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues, get_directive_values
from graphql.type.directives import GraphQLDisableErrorPropagationDirective

MAX_PLAN_NODES = 1_000
"""Largest plan that is compiled, in about a quarter of a second. Abstract types multiply what a document selects."""

CONDITIONAL_DIRECTIVES = frozenset({"skip", "include", "defer", "stream"})


class Uncompilable(Exception):
    """The operation is left to graphql-core, for the reason that the message names."""


@dataclass(frozen=True, eq=False, slots=True)
class CollectedField:
    """A field of an object type that the operation selects, its AST nodes merged.

    graphql-core's error messages read `parent_type` and `field_name`, as from a ResolveInfo.
    """

    parent_type: GraphQLObjectType
    definition: GraphQLField
    details: FieldDetailsList

    @property
    def nodes(self) -> list[FieldNode]:
        return [detail.node for detail in self.details]

    @property
    def field_name(self) -> str:
        return self.details[0].node.name.value


@dataclass(eq=False, slots=True)
class PlanNode:
    """One response position: a field of an object, or every item of a list (its `key` is None).

    `type` is without its outer non-null. `propagates_null`: an error here also nulls the parent position.
    """

    number: int
    field: CollectedField
    parent: PlanNode | None
    key: str | None
    type: GraphQLOutputType
    non_null: bool
    propagates_null: bool
    item: PlanNode | None = None
    selections: dict[str, ObjectSelection] = dataclasses.field(default_factory=dict)
    """What is selected from each object type that the value may have, by type name."""
    serial: int = dataclasses.field(default_factory=count().__next__)
    """Unique in the process, among the nodes of all plans."""
    same_everywhere: bool = False
    """No resolver below reads its position, so a value has the same response value at every one."""
    _selected: frozenset[tuple[str, str]] | None = None

    @property
    def selected_fields(self) -> frozenset[tuple[str, str]]:
        """All fields below this position, as (type name, field name)."""
        if self._selected is None:
            node = self
            while node.item is not None:
                node = node.item
            self._selected = frozenset(_names(node.selections.values()))
        return self._selected

    @property
    def keys(self) -> tuple[str, ...]:
        """The response keys from the nearest list item above to this position."""
        if self.key is None:
            return ()
        return (*(self.parent.keys if self.parent else ()), self.key)

    @property
    def propagation_depth(self) -> int:
        """How many path elements above this position a null propagates."""
        return 1 + (self.parent.propagation_depth if self.parent else 0) if self.propagates_null else 0

    def ancestry(self) -> Iterator[PlanNode]:
        """This node, its parent, and so on up to a root field."""
        node: PlanNode | None = self
        while node is not None:
            yield node
            node = node.parent


@dataclass(eq=False, slots=True)
class ObjectSelection:
    """The fields that are selected from an object of one type."""

    type: GraphQLObjectType
    fields: list[PlanNode]


@dataclass(frozen=True, eq=False, slots=True)
class Operation:
    """One operation of a document, with everything that does not depend on variables."""

    schema: GraphQLSchema
    definition: OperationDefinitionNode
    root_type: GraphQLObjectType
    fragment_definitions: dict[str, FragmentDefinitionNode]
    fragments: dict[str, FragmentDetails]
    condition_variables: tuple[str, ...]
    """Names of the variables that decide which fields are selected."""

    @property
    def is_serial(self) -> bool:
        return self.definition.operation is OperationType.MUTATION


@dataclass(frozen=True, eq=False, slots=True)
class ExecutionPlan:
    operation: Operation
    root: ObjectSelection

    @property
    def selected_fields(self) -> frozenset[tuple[str, str]]:
        """All fields that the operation selects, as (type name, field name)."""
        return frozenset(_names([self.root]))


def _names(selections: Iterable[ObjectSelection]) -> Iterator[tuple[str, str]]:
    for selection in selections:
        for node in _nodes(selection):
            yield node.field.parent_type.name, node.field.field_name


def _nodes(selection: ObjectSelection) -> Iterator[PlanNode]:
    for node in selection.fields:
        yield node
        while node.item is not None:
            node = node.item
        for below in node.selections.values():
            yield from _nodes(below)


def find_operation(schema: GraphQLSchema, document: DocumentNode, name: str | None) -> Operation:
    """The named operation, or the only one. Raises Uncompilable where graphql-core has to refuse."""
    fragment_definitions: dict[str, FragmentDefinitionNode] = {}
    definitions: list[OperationDefinitionNode] = []
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            definitions.append(node)
        elif isinstance(node, FragmentDefinitionNode):
            if node.variable_definitions:
                raise Uncompilable("fragment variables")
            fragment_definitions[node.name.value] = node
    if name is not None:
        definitions = [node for node in definitions if node.name and node.name.value == name]
    if not definitions or (name is None and len(definitions) > 1):
        raise Uncompilable("no such operation")
    definition = definitions[-1]
    root_type = schema.get_root_type(definition.operation)
    if root_type is None:
        raise Uncompilable("no root type")
    fragments = {key: FragmentDetails(value) for key, value in fragment_definitions.items()}
    conditions = _condition_variables([definition, *fragment_definitions.values()])
    return Operation(schema, definition, root_type, fragment_definitions, fragments, conditions)


def _condition_variables(nodes: list[Any]) -> tuple[str, ...]:
    class ConditionVisitor(Visitor):
        def enter_directive(self, node: Any, *_: Any) -> None:
            if node.name.value in CONDITIONAL_DIRECTIVES:
                names.update(
                    argument.value.name.value
                    for argument in node.arguments or ()
                    if isinstance(argument.value, VariableNode)
                )

    names: set[str] = set()
    for node in nodes:
        visit(node, ConditionVisitor())
    return tuple(sorted(names))


def build_plan(operation: Operation, variable_values: VariableValues) -> ExecutionPlan:
    """The plan for these values; only those of the operation's `condition_variables` are read."""
    try:
        return ExecutionPlan(operation, _PlanBuilder(operation, variable_values).root())
    except (GraphQLError, RecursionError, ValueError) as error:
        raise Uncompilable("fields cannot be collected") from error


class _PlanBuilder:
    def __init__(self, operation: Operation, variable_values: VariableValues) -> None:
        self.operation = operation
        self.schema = operation.schema
        self.variable_values = variable_values
        self.count = 0
        disabling = GraphQLDisableErrorPropagationDirective.name
        self.error_propagation = all(d.name.value != disabling for d in operation.definition.directives or ())

    def root(self) -> ObjectSelection:
        operation = self.operation
        collected = collect_fields(
            self.schema, operation.fragments, self.variable_values, operation.root_type, operation.definition
        )
        return self.selection(operation.root_type, collected, None)

    def selection(
        self, type_: GraphQLObjectType, collected: CollectedFields, parent: PlanNode | None
    ) -> ObjectSelection:
        if collected.new_defer_usages:
            raise Uncompilable("@defer")
        fields = []
        for key, details in collected.grouped_field_set.items():
            definition = self.schema.get_field(type_, details[0].node.name.value)
            if definition is not None:
                self.refuse_stream(details)
                fields.append(self.node(CollectedField(type_, definition, details), parent, key, definition.type))
        return ObjectSelection(type_, fields)

    def refuse_stream(self, details: FieldDetailsList) -> None:
        stream = get_directive_values(GraphQLStreamDirective, details[0].node, self.variable_values)
        if stream and stream.get("if") is not False:
            raise Uncompilable("@stream")

    def node(
        self, field: CollectedField, parent: PlanNode | None, key: str | None, type_: GraphQLOutputType
    ) -> PlanNode:
        self.count += 1
        if self.count > MAX_PLAN_NODES:
            raise Uncompilable("too many fields")
        non_null = is_non_null_type(type_)
        if is_non_null_type(type_):
            type_ = type_.of_type
        node = PlanNode(self.count, field, parent, key, type_, non_null, non_null and self.error_propagation)
        if is_list_type(type_):
            node.item = self.node(field, node, None, type_.of_type)
        elif not is_leaf_type(type_):
            for object_type in self.object_types(type_):
                node.selections[object_type.name] = self.subselection(object_type, node)
        return node

    def object_types(self, type_: GraphQLOutputType) -> list[GraphQLObjectType]:
        if is_object_type(type_):
            return [type_]
        if is_abstract_type(type_):
            return list(self.schema.get_possible_types(type_))
        raise Uncompilable("unknown kind of type")

    def subselection(self, type_: GraphQLObjectType, node: PlanNode) -> ObjectSelection:
        operation = self.operation
        collected = collect_subfields(
            self.schema,
            operation.fragments,
            self.variable_values,
            operation.definition,
            type_,
            node.field.details,
        )
        return self.selection(type_, collected, node)
