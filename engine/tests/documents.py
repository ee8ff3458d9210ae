"""Documents for differential tests: hypothesis-graphql's, seasoned with what it does not make by itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    REMOVE,
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLCompositeType,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_composite_type,
    is_non_null_type,
    is_required_argument,
    parse_type,
    parse_value,
    print_ast,
    value_from_ast_untyped,
    visit,
)
from hypothesis import strategies as st
from hypothesis_graphql import from_schema, queries


@dataclass(frozen=True)
class Request:
    """A document as text, and values for its variables."""

    text: str
    variables: dict[str, Any]


Tame = Callable[[str, GraphQLArgument, random.Random], ValueNode | None]
"""A likely value for an argument; None leaves the argument out."""


def requests(
    schema: GraphQLSchema, custom_scalars: dict[str, Any], tame: Tame | None = None, *, writes: bool = True
) -> st.SearchStrategy[Request]:
    """Queries, and with `writes` mutations, whose optional and unlikely arguments are as `tame` says."""
    make = from_schema if writes else queries
    plain = make(schema, custom_scalars=custom_scalars, print_ast=lambda document: document)
    return st.builds(lambda document, dice: Seasoning(schema, dice, tame).season(document), plain, dice())


def dice() -> st.SearchStrategy[random.Random]:
    return st.integers(0, 2**32).map(random.Random)


@dataclass
class Seasoning:
    """Lifts arguments into variables, adds aliases, merged fields, fragments, conditions and `__typename`."""

    schema: GraphQLSchema
    dice: random.Random
    tame: Tame | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    definitions: list[VariableDefinitionNode] = field(default_factory=list)
    fragments: list[FragmentDefinitionNode] = field(default_factory=list)

    def season(self, document: DocumentNode) -> Request:
        info = TypeInfo(self.schema)
        document = visit(document, TypeInfoVisitor(info, _Lifting(self, info)))
        operation = document.definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        root = self.schema.get_root_type(operation.operation)
        assert root is not None
        seasoned = OperationDefinitionNode(
            operation=operation.operation,
            name=NameNode(value="Seasoned"),
            selection_set=self.selection_set(operation.selection_set, root),
            variable_definitions=tuple(self.definitions),
            directives=(),
        )
        text = print_ast(DocumentNode(definitions=(seasoned, *self.fragments)))
        return Request(text, self.variables)

    def chance(self, percent: int) -> bool:
        return self.dice.randrange(100) < percent

    def selection_set(self, node: SelectionSetNode, parent: GraphQLCompositeType) -> SelectionSetNode:
        found: list[SelectionNode] = []
        for selection in node.selections:
            if isinstance(selection, FieldNode):
                found += self.fields(selection, parent)
            elif isinstance(selection, InlineFragmentNode):
                found.append(self.inline(selection, parent))
        if self.chance(20):
            found.insert(self.dice.randrange(len(found) + 1), FieldNode(name=NameNode(value="__typename")))
        return SelectionSetNode(selections=tuple(self.in_fragments(found, parent)))

    def fields(self, node: FieldNode, parent: GraphQLCompositeType) -> list[FieldNode]:
        definition = self.schema.get_field(parent, node.name.value)
        assert definition is not None
        inner = get_named_type(definition.type)
        seasoned = []
        for again in range(1 + self.chance(10) + self.chance(10)):
            selections = node.selection_set
            if selections is not None and is_composite_type(inner):
                selections = self.selection_set(selections, inner)
            alias = node.alias if again == 0 or self.chance(50) else NameNode(value=f"x{self.fresh()}")
            seasoned.append(
                FieldNode(
                    alias=alias,
                    name=node.name,
                    arguments=node.arguments,
                    directives=self.conditions(),
                    selection_set=selections,
                )
            )
        return seasoned

    def inline(self, node: InlineFragmentNode, parent: GraphQLCompositeType) -> InlineFragmentNode:
        condition = node.type_condition
        inner: Any = self.schema.get_type(condition.name.value) if condition else parent
        return InlineFragmentNode(
            type_condition=condition,
            directives=self.conditions(),
            selection_set=self.selection_set(node.selection_set, inner),
        )

    def in_fragments(self, found: list[SelectionNode], parent: GraphQLCompositeType) -> Sequence[SelectionNode]:
        if not self.chance(25):
            return found
        start = self.dice.randrange(len(found))
        end = self.dice.randrange(start, len(found)) + 1
        inner = SelectionSetNode(selections=tuple(found[start:end]))
        wrapped: SelectionNode
        if self.chance(50):
            wrapped = InlineFragmentNode(
                type_condition=self.named(parent) if self.chance(50) else None,
                directives=self.conditions(),
                selection_set=inner,
            )
        else:
            name = NameNode(value=f"Part{self.fresh()}")
            self.fragments.append(
                FragmentDefinitionNode(name=name, type_condition=self.named(parent), selection_set=inner, directives=())
            )
            wrapped = FragmentSpreadNode(name=name, directives=self.conditions())
        return [*found[:start], wrapped, *found[end:]]

    def named(self, type_: GraphQLCompositeType) -> NamedTypeNode:
        return NamedTypeNode(name=NameNode(value=type_.name))

    def argument(self, node: ArgumentNode, definition: GraphQLArgument) -> ArgumentNode:
        if not self.chance(40):
            return node
        value = value_from_ast_untyped(node.value)
        type_ = str(definition.type)
        if is_non_null_type(definition.type) and not is_required_argument(definition) and self.chance(20):
            type_ = type_.removesuffix("!")
        return ArgumentNode(name=node.name, value=self.variable(type_, value, default=node.value))

    def variable(self, type_: str, value: Any, default: Any = None) -> VariableNode:
        name = f"v{self.fresh()}"
        with_default = default is not None and value is not None and self.chance(30)
        self.definitions.append(
            VariableDefinitionNode(
                variable=VariableNode(name=NameNode(value=name)),
                type=parse_type(type_),
                default_value=default if with_default else None,
                directives=(),
            )
        )
        optional = with_default or not type_.endswith("!")
        if not (optional and self.chance(30)):
            self.variables[name] = None if not type_.endswith("!") and self.chance(10) else value
        return VariableNode(name=NameNode(value=name))

    def conditions(self) -> tuple[DirectiveNode, ...]:
        names = [name for name in ("skip", "include") if self.chance(6)]
        return tuple(self.condition(name) for name in names)

    def condition(self, name: str) -> DirectiveNode:
        wanted = self.chance(70) == (name == "include")
        value: Any = BooleanValueNode(value=wanted)
        if self.chance(50):
            value = self.variable("Boolean!", wanted, parse_value(str(wanted).lower()))
        argument = ArgumentNode(name=NameNode(value="if"), value=value)
        return DirectiveNode(name=NameNode(value=name), arguments=(argument,))

    def fresh(self) -> int:
        return len(self.variables) + len(self.definitions) * 100 + self.dice.randrange(10**6)


class _Lifting(Visitor):
    """Variables for arguments, before anything is doubled: doubles of a field must keep its arguments."""

    def __init__(self, seasoning: Seasoning, info: TypeInfo) -> None:
        super().__init__()
        self.seasoning = seasoning
        self.info = info

    def enter_argument(self, node: ArgumentNode, *_: Any) -> Any:
        definition, tame = self.info.get_argument(), self.seasoning.tame
        if definition is None or self.info.get_directive() is not None:
            return None
        if tame is not None:
            value = tame(node.name.value, definition, self.seasoning.dice)
            if value is None:
                return REMOVE
            node = ArgumentNode(name=node.name, value=value)
        return self.seasoning.argument(node, definition)
