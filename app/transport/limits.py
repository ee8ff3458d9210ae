"""What a document may ask for, measured in one pass before it is validated.

Every fragment is measured once, so the work is linear in the length of the document, however often a
fragment is spread. Costs are bottom-up: a field costs 1 and what is below it, times its page size.
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
from graphql_compiled.engine import Check, Rejected

from app.errors import TooComplex
from app.limits import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE

UNBOUNDED = 10**9
"""Where counting stops: a bomb of fragments has more digits than anybody wants to read."""
INTROSPECTION = {"__schema": 1_000, "__type": 50}
"""What the root fields of introspection cost beside what is selected from them: they have no pages."""

Definition = TypeVar("Definition", FragmentDefinitionNode, OperationDefinitionNode)
Size: TypeAlias = Callable[[str], int]
"""The page size or the number of ids that a variable stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that one operation may have of each, fragments expanded; `cost` is in fields of the answer.

    The defaults leave room for a sidebar: 50 sessions, each with its newest 20 messages and their agents.
    """

    depth: int = 15
    fields: int = 1_000
    aliases: int = 100
    directives: int = 50
    cost: int = 25_000


class Measure(NamedTuple):
    """How much an operation, a fragment or a selection has of each."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0


SENTENCES: dict[str, Callable[[str, str], str]] = {
    "depth": lambda found, limit: f"The document is {found} levels deep; {limit} are allowed.",
    "fields": lambda found, limit: f"The document selects {found} fields; {limit} are allowed.",
    "aliases": lambda found, limit: f"The document has {found} aliases; {limit} are allowed.",
    "directives": lambda found, limit: f"The document has {found} directives; {limit} are allowed.",
    "cost": lambda found, limit: f"The document asks for up to {found} fields; {limit} are allowed.",
}


class DocumentLimits:
    """The engine's `inspect`: refuses what is over a limit whatever its variables are.

    An unknown page size counts as the largest; if that is too much and the smallest is not, the operation
    is measured again with the variables of each request.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def __call__(self, schema: GraphQLSchema, document: DocumentNode) -> Mapping[str | None, Check]:
        """A check per operation whose cost depends on its variables; `Rejected` if one is over a limit."""
        try:
            excess = self._excess(schema, document, lambda _: MAX_PAGE_SIZE)
            if not excess:
                return {}
            if errors := [e for found in self._excess(schema, document, lambda _: 1).values() for e in found]:
                raise Rejected(errors)
        except RecursionError:
            raise Rejected([_too_complex("The document nests its fragments too deeply.")]) from None
        return {name: self._check(schema, document, name) for name in excess}

    def _check(self, schema: GraphQLSchema, document: DocumentNode, name: str | None) -> Check:
        operation = next(node for node in _all(document, OperationDefinitionNode) if _name(node) == name)

        def check(variables: Mapping[str, Any]) -> list[GraphQLError]:
            size = _sizes(operation, variables)
            return self._excess(schema, document, size).get(name, [])

        return check

    def _excess(
        self, schema: GraphQLSchema, document: DocumentNode, size: Size
    ) -> dict[str | None, list[GraphQLError]]:
        measured = measure(schema, document, size)
        found = {_name(node): self._errors(total, node) for node, total in measured}
        return {name: errors for name, errors in found.items() if errors}

    def _errors(self, total: Measure, operation: OperationDefinitionNode) -> list[GraphQLError]:
        pairs = ((f.name, getattr(total, f.name), getattr(self.limits, f.name)) for f in fields(self.limits))
        return [
            _too_complex(SENTENCES[name](f"{found:,}", f"{limit:,}"), operation)
            for name, found, limit in pairs
            if found > limit
        ]


def measure(schema: GraphQLSchema, document: DocumentNode, size: Size) -> list[tuple[OperationDefinitionNode, Measure]]:
    """Each operation with what it amounts to, when a variable in a page size stands for `size(name)`."""
    ruler = _Ruler(schema, document, size)
    return [(node, ruler.operation(node)) for node in _all(document, OperationDefinitionNode)]


class _Ruler:
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
            min(count, UNBOUNDED),
            min(aliases, UNBOUNDED),
            min(directives, UNBOUNDED),
            min(cost, UNBOUNDED),
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
            self._known[name] = Measure()  # a cycle adds nothing: it is a validation rule's to refuse
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
            1 + INTROSPECTION.get(name, 0) + times * below.cost,
        )

    def _times(self, node: FieldNode, arguments: Mapping[str, Any]) -> int:
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        if "first" in arguments:
            sizes = [self._page(given[name]) for name in ("first", "last") if name in given]
            return max(sizes, default=DEFAULT_PAGE_SIZE)
        return self._page(given["ids"]) if "ids" in arguments and "ids" in given else 1

    def _page(self, value: ValueNode) -> int:
        """At least 1 and at most the largest page: a size out of range is a resolver's to refuse."""
        return max(1, min(MAX_PAGE_SIZE, _literal(value, self._size)))


def _literal(value: ValueNode, size: Size) -> int:
    if isinstance(value, VariableNode):
        return size(value.name.value)
    if isinstance(value, IntValueNode):
        return int(value.value[:9])
    return len(value.values) if isinstance(value, ListValueNode) else DEFAULT_PAGE_SIZE


def _sizes(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Size:
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
