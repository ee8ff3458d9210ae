"""Random documents for differential tests: those of hypothesis-graphql, mutated to contain what it never generates."""

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
    """A document's text, and values for its variables."""

    text: str
    variables: dict[str, Any]


ArgumentGenerator = Callable[[str, GraphQLArgument, random.Random], ValueNode | None]
"""A value for an argument of this name and definition; None leaves the argument out."""


def requests(
    schema: GraphQLSchema,
    custom_scalars: dict[str, Any],
    arguments: ArgumentGenerator | None = None,
    *,
    mutations: bool = True,
) -> st.SearchStrategy[Request]:
    """Queries, and mutations if wanted. `arguments` replaces every argument value that hypothesis-graphql generates."""
    generate = from_schema if mutations else queries
    documents = generate(schema, custom_scalars=custom_scalars, print_ast=lambda document: document)
    seeds = st.integers(0, 2**32).map(random.Random)
    return st.builds(lambda document, rng: DocumentMutator(schema, rng, arguments).mutate(document), documents, seeds)


@dataclass
class DocumentMutator:
    """Lifts arguments into variables, adds aliases, merged fields, fragments, conditions and `__typename`."""

    schema: GraphQLSchema
    random: random.Random
    arguments: ArgumentGenerator | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    definitions: list[VariableDefinitionNode] = field(default_factory=list)
    fragments: list[FragmentDefinitionNode] = field(default_factory=list)

    def mutate(self, document: DocumentNode) -> Request:
        info = TypeInfo(self.schema)
        document = visit(document, TypeInfoVisitor(info, _ArgumentVisitor(self, info)))
        operation = document.definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        root = self.schema.get_root_type(operation.operation)
        assert root is not None
        mutated = OperationDefinitionNode(
            operation=operation.operation,
            name=NameNode(value="Mutated"),
            selection_set=self.selection_set(operation.selection_set, root),
            variable_definitions=tuple(self.definitions),
            directives=(),
        )
        text = print_ast(DocumentNode(definitions=(mutated, *self.fragments)))
        return Request(text, self.variables)

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def selection_set(self, node: SelectionSetNode, parent: GraphQLCompositeType) -> SelectionSetNode:
        found: list[SelectionNode] = []
        for selection in node.selections:
            if isinstance(selection, FieldNode):
                found += self.fields(selection, parent)
            elif isinstance(selection, InlineFragmentNode):
                found.append(self.inline_fragment(selection, parent))
        if self.chance(20):
            found.insert(self.random.randrange(len(found) + 1), FieldNode(name=NameNode(value="__typename")))
        return SelectionSetNode(selections=tuple(self.with_fragment(found, parent)))

    def fields(self, node: FieldNode, parent: GraphQLCompositeType) -> list[FieldNode]:
        definition = self.schema.get_field(parent, node.name.value)
        assert definition is not None
        inner = get_named_type(definition.type)
        copies = []
        for copy in range(1 + self.chance(10) + self.chance(10)):
            selections = node.selection_set
            if selections is not None and is_composite_type(inner):
                selections = self.selection_set(selections, inner)
            alias = node.alias if copy == 0 or self.chance(50) else NameNode(value=f"x{self.unique_number()}")
            copies.append(
                FieldNode(
                    alias=alias,
                    name=node.name,
                    arguments=node.arguments,
                    directives=self.conditions(),
                    selection_set=selections,
                )
            )
        return copies

    def inline_fragment(self, node: InlineFragmentNode, parent: GraphQLCompositeType) -> InlineFragmentNode:
        condition = node.type_condition
        inner: Any = self.schema.get_type(condition.name.value) if condition else parent
        return InlineFragmentNode(
            type_condition=condition,
            directives=self.conditions(),
            selection_set=self.selection_set(node.selection_set, inner),
        )

    def with_fragment(self, found: list[SelectionNode], parent: GraphQLCompositeType) -> Sequence[SelectionNode]:
        if not self.chance(25):
            return found
        start = self.random.randrange(len(found))
        end = self.random.randrange(start, len(found)) + 1
        inner = SelectionSetNode(selections=tuple(found[start:end]))
        wrapped: SelectionNode
        if self.chance(50):
            wrapped = InlineFragmentNode(
                type_condition=self.named_type(parent) if self.chance(50) else None,
                directives=self.conditions(),
                selection_set=inner,
            )
        else:
            name = NameNode(value=f"Part{self.unique_number()}")
            self.fragments.append(
                FragmentDefinitionNode(
                    name=name, type_condition=self.named_type(parent), selection_set=inner, directives=()
                )
            )
            wrapped = FragmentSpreadNode(name=name, directives=self.conditions())
        return [*found[:start], wrapped, *found[end:]]

    def named_type(self, type_: GraphQLCompositeType) -> NamedTypeNode:
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
        name = f"v{self.unique_number()}"
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
        is_set = self.chance(70) == (name == "include")
        value: Any = BooleanValueNode(value=is_set)
        if self.chance(50):
            value = self.variable("Boolean!", is_set, parse_value(str(is_set).lower()))
        argument = ArgumentNode(name=NameNode(value="if"), value=value)
        return DirectiveNode(name=NameNode(value=name), arguments=(argument,))

    def unique_number(self) -> int:
        return len(self.variables) + len(self.definitions) * 100 + self.random.randrange(10**6)


class _ArgumentVisitor(Visitor):
    """Lifts arguments into variables before fields are copied: the copies of a field must have equal arguments."""

    def __init__(self, mutator: DocumentMutator, info: TypeInfo) -> None:
        super().__init__()
        self.mutator = mutator
        self.info = info

    def enter_argument(self, node: ArgumentNode, *_: Any) -> Any:
        definition, arguments = self.info.get_argument(), self.mutator.arguments
        if definition is None or self.info.get_directive() is not None:
            return None
        if arguments is not None:
            value = arguments(node.name.value, definition, self.mutator.random)
            if value is None:
                return REMOVE
            node = ArgumentNode(name=node.name, value=value)
        return self.mutator.argument(node, definition)
