"""What one operation selects: a tree of slots, one for every place of the answer; code is generated from it.

Fields are collected by graphql-core's own functions, once, for given values of the variables that
`@skip` and `@include` read; so fragments, aliases and merged fields mean here what they mean there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
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

MAX_SLOTS = 1_000
"""Largest plan that is compiled, in about a quarter of a second: abstract types multiply what a document selects."""

CONDITIONAL = frozenset({"skip", "include", "defer", "stream"})


class Uncompilable(Exception):
    """This operation is left to graphql-core, for the reason given."""


@dataclass(frozen=True, eq=False, slots=True)
class Field:
    """A field of an object type as the operation asks for it, its nodes merged."""

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
class Slot:
    """One place of the answer: a field of an object, or any item of a list.

    `keys` are the names that lead here from the nearest list index above. `bubbles`: an error here
    takes the parent with it. `climb`: how many keys of a path to drop until the null may stay.
    """

    number: int
    field: Field
    parent: Slot | None
    key: str | None
    type: GraphQLOutputType
    required: bool
    bubbles: bool
    item: Slot | None = None
    choices: dict[str, Selection] = dataclasses.field(default_factory=dict)

    @property
    def keys(self) -> tuple[str, ...]:
        if self.key is None:
            return ()
        return (*(self.parent.keys if self.parent else ()), self.key)

    @property
    def climb(self) -> int:
        return 1 + (self.parent.climb if self.parent else 0) if self.bubbles else 0

    def upwards(self) -> Iterator[Slot]:
        slot: Slot | None = self
        while slot is not None:
            yield slot
            slot = slot.parent


@dataclass(eq=False, slots=True)
class Selection:
    """What is asked of an object once its type is known."""

    type: GraphQLObjectType
    slots: list[Slot]


@dataclass(frozen=True, eq=False, slots=True)
class Operation:
    """One operation of a document, with all that does not depend on variables."""

    schema: GraphQLSchema
    node: OperationDefinitionNode
    root_type: GraphQLObjectType
    definitions: dict[str, FragmentDefinitionNode]
    fragments: dict[str, FragmentDetails]
    conditions: tuple[str, ...]
    """Names of the variables that decide what is selected at all."""

    @property
    def serial(self) -> bool:
        return self.node.operation is OperationType.MUTATION


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    operation: Operation
    root: Selection

    @property
    def selected(self) -> frozenset[tuple[str, str]]:
        """All that is asked for, as (type, field)."""
        return frozenset((slot.field.parent_type.name, slot.field.field_name) for slot in _slots(self.root))


def _slots(selection: Selection) -> Iterator[Slot]:
    for slot in selection.slots:
        yield slot
        while slot.item is not None:
            slot = slot.item
        for choice in slot.choices.values():
            yield from _slots(choice)


def find_operation(schema: GraphQLSchema, document: DocumentNode, name: str | None) -> Operation:
    """The named operation, or the only one; anything else is graphql-core's to refuse."""
    definitions: dict[str, FragmentDefinitionNode] = {}
    operations: list[OperationDefinitionNode] = []
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            operations.append(node)
        elif isinstance(node, FragmentDefinitionNode):
            if node.variable_definitions:
                raise Uncompilable("fragment variables")
            definitions[node.name.value] = node
    if name is not None:
        operations = [node for node in operations if node.name and node.name.value == name]
    if not operations or (name is None and len(operations) > 1):
        raise Uncompilable("no such operation")
    node = operations[-1]
    root_type = schema.get_root_type(node.operation)
    if root_type is None:
        raise Uncompilable("no root type")
    fragments = {key: FragmentDetails(value) for key, value in definitions.items()}
    conditions = _conditions([node, *definitions.values()])
    return Operation(schema, node, root_type, definitions, fragments, conditions)


def _conditions(nodes: list[Any]) -> tuple[str, ...]:
    class Conditions(Visitor):
        def enter_directive(self, node: Any, *_: Any) -> None:
            if node.name.value in CONDITIONAL:
                names.update(
                    argument.value.name.value
                    for argument in node.arguments or ()
                    if isinstance(argument.value, VariableNode)
                )

    names: set[str] = set()
    for node in nodes:
        visit(node, Conditions())
    return tuple(sorted(names))


def make_plan(operation: Operation, variables: VariableValues) -> Plan:
    """Lay out every slot of the answer. `variables` must hold the operation's `conditions`."""
    try:
        return Plan(operation, _Planner(operation, variables).root())
    except (GraphQLError, RecursionError, ValueError) as error:
        raise Uncompilable("fields cannot be collected") from error


class _Planner:
    def __init__(self, operation: Operation, variables: VariableValues) -> None:
        self.operation = operation
        self.schema = operation.schema
        self.variables = variables
        self.count = 0
        unpropagated = GraphQLDisableErrorPropagationDirective.name
        self.propagates = all(d.name.value != unpropagated for d in operation.node.directives or ())

    def root(self) -> Selection:
        operation = self.operation
        collected = collect_fields(
            self.schema, operation.fragments, self.variables, operation.root_type, operation.node
        )
        return self.selection(operation.root_type, collected, None)

    def selection(self, type_: GraphQLObjectType, collected: CollectedFields, parent: Slot | None) -> Selection:
        if collected.new_defer_usages:
            raise Uncompilable("@defer")
        slots = []
        for key, details in collected.grouped_field_set.items():
            definition = self.schema.get_field(type_, details[0].node.name.value)
            if definition is not None:
                self.refuse_stream(details)
                slots.append(self.slot(Field(type_, definition, details), parent, key, definition.type))
        return Selection(type_, slots)

    def refuse_stream(self, details: FieldDetailsList) -> None:
        stream = get_directive_values(GraphQLStreamDirective, details[0].node, self.variables)
        if stream and stream.get("if") is not False:
            raise Uncompilable("@stream")

    def slot(self, field: Field, parent: Slot | None, key: str | None, type_: GraphQLOutputType) -> Slot:
        self.count += 1
        if self.count > MAX_SLOTS:
            raise Uncompilable("too many fields")
        required = is_non_null_type(type_)
        if is_non_null_type(type_):
            type_ = type_.of_type
        slot = Slot(self.count, field, parent, key, type_, required, required and self.propagates)
        if is_list_type(type_):
            slot.item = self.slot(field, slot, None, type_.of_type)
        elif not is_leaf_type(type_):
            for object_type in self.object_types(type_):
                slot.choices[object_type.name] = self.subselection(object_type, slot)
        return slot

    def object_types(self, type_: GraphQLOutputType) -> list[GraphQLObjectType]:
        if is_object_type(type_):
            return [type_]
        if is_abstract_type(type_):
            return list(self.schema.get_possible_types(type_))
        raise Uncompilable("unknown kind of type")

    def subselection(self, type_: GraphQLObjectType, slot: Slot) -> Selection:
        operation = self.operation
        collected = collect_subfields(
            self.schema,
            operation.fragments,
            self.variables,
            operation.node,
            type_,
            slot.field.details,
        )
        return self.selection(type_, collected, slot)
