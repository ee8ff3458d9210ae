"""Limits on documents: depth, fields, aliases, directives and cost, measured in one pass before validation.

Each fragment is measured once, so the work is linear in the length of the document, however often fragments are
spread. Cost is computed from the leaves up: a field costs 1, plus the cost of its selection times its page size.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_composite_type,
)
from graphql_compiled.engine import RequestError, VariableCheck

from app.errors import TooComplex
from app.limits import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE

MAX_COUNT = 10**9
"""Where counting stops: fragments that spread fragments can multiply to numbers of any length."""
INTROSPECTION_COST = {"__schema": 1_000, "__type": 50}
"""What the root fields of introspection cost on top of their selection, because they have no page size."""

Definition = TypeVar("Definition", FragmentDefinitionNode, OperationDefinitionNode)
Size: TypeAlias = Callable[[str], int]
"""The page size or the number of ids in a variable, by the variable's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that one operation may have of each, with fragments expanded.

    `cost` counts the fields of the largest possible response.
    """

    depth: int
    fields: int
    aliases: int
    directives: int
    cost: int


class Measure(NamedTuple):
    """What an operation, a fragment or a selection has of each."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0


MESSAGES: dict[str, Callable[[str, str], str]] = {
    "depth": lambda found, limit: f"The document is {found} levels deep; {limit} are allowed.",
    "fields": lambda found, limit: f"The document selects {found} fields; {limit} are allowed.",
    "aliases": lambda found, limit: f"The document has {found} aliases; {limit} are allowed.",
    "directives": lambda found, limit: f"The document has {found} directives; {limit} are allowed.",
    "cost": lambda found, limit: f"The document asks for up to {found} fields; {limit} are allowed.",
}


class DocumentLimits:
    """The engine's `inspect`: refuses documents that exceed a limit.

    A page size in a variable counts as the largest. If an operation exceeds a limit with the largest page size and
    not with the smallest, it is measured again with the variables of each request.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def __call__(self, schema: GraphQLSchema, document: DocumentNode) -> Mapping[str | None, VariableCheck]:
        """A check for each operation whose cost depends on its variables. Raises RequestError above a limit."""
        try:
            excess = self._excess(schema, document, lambda _: MAX_PAGE_SIZE)
            if not excess:
                return {}
            if errors := [e for found in self._excess(schema, document, lambda _: 1).values() for e in found]:
                raise RequestError(errors)
        except RecursionError:
            raise RequestError([_too_complex("The document nests its fragments too deeply.")]) from None
        return {name: self._check(schema, document, name) for name in excess}

    def _check(self, schema: GraphQLSchema, document: DocumentNode, name: str | None) -> VariableCheck:
        operation = next(node for node in _all(document, OperationDefinitionNode) if _name(node) == name)

        def check(variables: Mapping[str, Any]) -> list[GraphQLError]:
            size = variable_sizes(operation, variables)
            return self._excess(schema, document, size).get(name, [])

        return check

    def _excess(
        self, schema: GraphQLSchema, document: DocumentNode, size: Size
    ) -> dict[str | None, list[GraphQLError]]:
        measured = measure(schema, document, size)
        errors_by_name = {_name(node): self._errors(total, node) for node, total in measured}
        return {name: errors for name, errors in errors_by_name.items() if errors}

    def _errors(self, total: Measure, operation: OperationDefinitionNode) -> list[GraphQLError]:
        pairs = ((f.name, getattr(total, f.name), getattr(self.limits, f.name)) for f in fields(self.limits))
        return [
            _too_complex(MESSAGES[name](f"{found:,}", f"{limit:,}"), operation)
            for name, found, limit in pairs
            if found > limit
        ]


def measure(schema: GraphQLSchema, document: DocumentNode, size: Size) -> list[tuple[OperationDefinitionNode, Measure]]:
    """Each operation with its measure, where a variable `name` as a page size counts as `size(name)`."""
    meter = _Meter(schema, document, size)
    return [(node, meter.operation(node)) for node in _all(document, OperationDefinitionNode)]


def operation_cost(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, size: Size
) -> int:
    """The cost of one operation, where a variable `name` as a page size counts as `size(name)`."""
    return _Meter(schema, document, size).operation(operation).cost


class _Meter:
    __slots__ = ("_fragments", "_known", "_schema", "_size")

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, size: Size) -> None:
        self._schema = schema
        self._size = size
        self._fragments = {node.name.value: node for node in _all(document, FragmentDefinitionNode)}
        self._known: dict[str, Measure] = {}

    def operation(self, node: OperationDefinitionNode) -> Measure:
        total = self._selections(node.selection_set.selections, self._schema.get_root_type(node.operation))
        return total._replace(directives=total.directives + len(node.directives or ()))

    def _selections(self, nodes: Iterable[SelectionNode], parent: GraphQLNamedType | None) -> Measure:
        depth = count = aliases = directives = cost = 0
        for node in nodes:
            found = self._selection(node, parent)
            depth = max(depth, found.depth)
            count += found.fields
            aliases += found.aliases
            directives += found.directives + len(node.directives or ())
            cost += found.cost
        return Measure(
            depth,
            min(count, MAX_COUNT),
            min(aliases, MAX_COUNT),
            min(directives, MAX_COUNT),
            min(cost, MAX_COUNT),
        )

    def _selection(self, node: SelectionNode, parent: GraphQLNamedType | None) -> Measure:
        if isinstance(node, FieldNode):
            return self._field(node, parent)
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value)
        inline = cast(InlineFragmentNode, node)
        on = self._schema.get_type(inline.type_condition.name.value) if inline.type_condition else parent
        return self._selections(inline.selection_set.selections, on)

    def _fragment(self, name: str) -> Measure:
        if name not in self._known:
            self._known[name] = Measure()  # a cycle adds nothing, and a validation rule refuses it
            if fragment := self._fragments.get(name):
                on = self._schema.get_type(fragment.type_condition.name.value)
                self._known[name] = self._selections(fragment.selection_set.selections, on)
        return self._known[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Measure:
        name = node.name.value
        field = self._schema.get_field(parent, name) if is_composite_type(parent) else None
        below = (
            self._selections(node.selection_set.selections, get_named_type(field.type) if field else None)
            if node.selection_set
            else Measure()
        )
        unwraps = name == "ofType" and parent is not None and parent.name == "__Type"
        times = self._times(node, field.args if field else {})
        return Measure(
            below.depth + (not unwraps),
            below.fields + 1,
            below.aliases + (node.alias is not None),
            below.directives,
            1 + INTROSPECTION_COST.get(name, 0) + times * below.cost,
        )

    def _times(self, node: FieldNode, arguments: Mapping[str, Any]) -> int:
        """How often the field's selection may be in the response."""
        values = {argument.name.value: argument.value for argument in node.arguments or ()}
        if "first" in arguments:
            sizes = [self._page_size(values[name]) for name in ("first", "last") if name in values]
            return max(sizes, default=DEFAULT_PAGE_SIZE)
        return self._page_size(values["ids"]) if "ids" in arguments and "ids" in values else 1

    def _page_size(self, value: ValueNode) -> int:
        """From 1 to MAX_PAGE_SIZE; the field's resolver refuses a size out of range."""
        return max(1, min(MAX_PAGE_SIZE, _literal(value, self._size)))


def _literal(value: ValueNode, size: Size) -> int:
    if isinstance(value, VariableNode):
        return size(value.name.value)
    if isinstance(value, IntValueNode):
        return int(value.value[:9])
    return len(value.values) if isinstance(value, ListValueNode) else DEFAULT_PAGE_SIZE


def variable_sizes(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Size:
    """The page size or the number of ids in each variable, as a request sends it."""
    defaults = {v.variable.name.value: v.default_value for v in operation.variable_definitions or ()}

    def size(name: str) -> int:
        value = variables.get(name)
        if name not in variables and (default := defaults.get(name)) is not None:
            return _literal(default, lambda _: DEFAULT_PAGE_SIZE)
        if isinstance(value, list):
            return len(value)
        return value if isinstance(value, int) else DEFAULT_PAGE_SIZE

    return size


def _all(document: DocumentNode, kind: type[Definition]) -> list[Definition]:
    return [node for node in document.definitions if isinstance(node, kind)]


def _name(operation: OperationDefinitionNode) -> str | None:
    return operation.name.value if operation.name else None


def _too_complex(message: str, operation: OperationDefinitionNode | None = None) -> GraphQLError:
    return GraphQLError(message, operation, extensions={"code": TooComplex.code})
