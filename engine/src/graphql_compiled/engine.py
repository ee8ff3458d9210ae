"""Runs GraphQL documents on a schema: parse and validate once per text, execute many times.

Knows GraphQL and nothing of chats. What a document may cost is its owner's to say: `inspect`.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, Protocol, TypeAlias, cast, runtime_checkable

from graphql import (
    ASTValidationRule,
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from graphql.execution import Executor, create_source_event_stream
from graphql.execution.async_iterables import aclosing
from graphql.execution.executor_throwing_on_incremental import ExecutorThrowingOnIncremental
from graphql.execution.values import VariableValues
from graphql.validation import NoSchemaIntrospectionCustomRule

from graphql_compiled.compiled import Compiled, Result, compile_operation
from graphql_compiled.document_cache import Documents
from graphql_compiled.selection import coordinates, variables_below

Kind: TypeAlias = Literal["query", "mutation", "subscription"]
Check: TypeAlias = Callable[[Mapping[str, Any]], Sequence[GraphQLError]]
"""What is wrong with an operation, given its variables as they were sent."""
Inspect: TypeAlias = Callable[[GraphQLSchema, DocumentNode], Mapping[str | None, Check]]
"""Looks at a document before it is validated: raises `Rejected`, or returns a check per name of those
operations whose verdict depends on their variables."""

MAX_ERRORS = 5
"""The most errors that validation reports of one document."""

Early: TypeAlias = Callable[[Any], Awaitable[None]]
"""What has to be done with the context before an operation that selects a certain field reads anything."""


class Rejected(Exception):
    """A request that was not executed: its document, its operation name or its variables are at fault."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


@runtime_checkable
class Renewable(Protocol):
    """A context that lends itself to one event of a subscription at a time."""

    def fresh(self) -> Any:
        """The same context with nothing remembered: no loader, no cached row."""


@dataclass(eq=False)
class Prepared:
    """One operation of a valid document; the same object as long as its document is kept."""

    document: DocumentNode
    operation: OperationDefinitionNode
    kind: Kind
    name: str | None
    check: Check | None
    early: Sequence[Early] = ()
    runs: int = 0
    compiled: Compiled | None = None

    @cached_property
    def variables_below(self) -> frozenset[str]:
        """The variables on which what is selected below the root's fields depends."""
        return variables_below(self.document, self.operation)

    def compile(self, schema: GraphQLSchema) -> Compiled | None:
        """Compiled code from the second run on: what comes once is not worth it, unless it is a subscription.

        None: graphql-core runs it.
        """
        self.runs += 1
        if self.runs == (1 if self.kind == "subscription" else 2):
            self.compiled = compile_operation(schema, self.document, self.name)
        return self.compiled


class Engine:
    """Prepares and executes. `max_tokens` caps a document, `cache_size` counts the documents kept.

    `rules` are asked beside those of the specification. `early` names fields by their schema coordinates
    ("Type.field").
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        inspect: Inspect,
        max_tokens: int,
        cache_size: int,
        introspection: bool = True,
        rules: Sequence[type[ASTValidationRule]] = (),
        early: Mapping[str, Early] | None = None,
    ) -> None:
        self.schema = schema
        self._early = early or {}
        self._inspect = inspect
        self._max_tokens = max_tokens
        self._introspection = introspection
        self._rules = [*specified_rules, *rules, *([] if introspection else [NoSchemaIntrospectionCustomRule])]
        self._documents: Documents[dict[str | None, Prepared]] = Documents(cache_size)

    def prepare(self, query: str, operation_name: str | None = None) -> Prepared:
        """The operation to run, from a document that is within the limits and valid; `Rejected` otherwise."""
        operations = self._documents.get(query)
        if operations is None:
            operations = self._operations(query)
            self._documents.offer(query, operations)
        return _choose(operations, operation_name or None)

    async def execute(self, prepared: Prepared, variables: Mapping[str, Any], context: Any) -> ExecutionResult:
        """Run a query or a mutation; `Rejected` if the variables do not fit."""
        self._check(prepared, variables)
        for look in prepared.early:
            await look(context)
        compiled = prepared.compile(self.schema)
        result = None if compiled is None else self._run(compiled, variables, context)
        if result is None:
            executor = self._executor(prepared, variables, context)
            result = cast(ExecutionResult | Awaitable[ExecutionResult], executor.execute_operation())
        return result if isinstance(result, ExecutionResult) else await result

    async def subscribe(
        self, prepared: Prepared, variables: Mapping[str, Any], context: Any
    ) -> "Subscription | ExecutionResult":
        """Start a subscription; or the one result that says why it could not start. `Rejected` as above."""
        self._check(prepared, variables)
        compiled = prepared.compile(self.schema)
        executor = self._executor(prepared, variables, context)
        found = create_source_event_stream(executor)
        source = cast(AsyncIterable[Any] | ExecutionResult, await found if executor.is_awaitable(found) else found)
        if isinstance(source, ExecutionResult):
            return source
        executor_of, hidden = partial(self._executor, prepared, variables), not self._introspection
        return Subscription(source, context, compiled, executor.variable_values, executor_of, hidden)

    def _operations(self, query: str) -> dict[str | None, Prepared]:
        try:
            document = parse(query, max_tokens=self._max_tokens)
        except GraphQLError as error:
            raise Rejected([error.with_traceback(None)]) from None
        checks = self._inspect(self.schema, document)
        hidden = not self._introspection
        if errors := validate(self.schema, document, self._rules, max_errors=MAX_ERRORS, hide_suggestions=hidden):
            raise Rejected(errors[:MAX_ERRORS])  # one more says that there are more
        selected = coordinates(self.schema, document) if self._early else frozenset()
        early = [look for field, look in self._early.items() if field in selected]
        return {
            name: Prepared(document, node, node.operation.value, name, checks.get(name), early)
            for node in document.definitions
            if isinstance(node, OperationDefinitionNode)
            for name in [node.name.value if node.name else None]
        }

    def _check(self, prepared: Prepared, variables: Mapping[str, Any]) -> None:
        if prepared.check is not None and (errors := prepared.check(variables)):
            raise Rejected(errors)

    def _run(self, compiled: Compiled, variables: Mapping[str, Any], context: Any) -> Result | None:
        hidden = not self._introspection
        values = compiled.coerce(variables, hide_suggestions=hidden)
        if isinstance(values, list):
            raise Rejected(values)
        return compiled.run(values, None, context, hide_suggestions=hidden)

    def _executor(self, prepared: Prepared, variables: Mapping[str, Any], context: Any) -> Executor[Any]:
        executor = ExecutorThrowingOnIncremental.build(
            self.schema,
            prepared.document,
            context_value=context,
            raw_variable_values=cast(dict[str, Any], variables),
            operation_name=prepared.name,
            hide_suggestions=not self._introspection,
        )
        if isinstance(executor, list):
            raise Rejected(executor)
        return executor


def _choose(operations: dict[str | None, Prepared], name: str | None) -> Prepared:
    if name is None and len(operations) == 1:
        return next(iter(operations.values()))
    if name is not None and name in operations:
        return operations[name]
    raise Rejected([GraphQLError(_no_choice(operations, name))])


def _no_choice(operations: dict[str | None, Prepared], name: str | None) -> str:
    if name is not None:
        return f"The document has no operation named {name[:100]!r}."
    if operations:
        return "The document has several operations; say which one by operationName."
    return "The document has no operation."


@dataclass(frozen=True, slots=True)
class Subscription:
    """A source of events, and what a client is told of each: iterate, or ask `respond` event by event.

    It waits for long, and mostly: graphql-core's executor, which is large, is made for the events that need it.
    """

    source: AsyncIterable[Any]
    context: Any
    compiled: Compiled | None
    values: VariableValues
    executor: Callable[[Any], Executor[Any]]
    hide_suggestions: bool

    async def __aiter__(self) -> AsyncGenerator[ExecutionResult, None]:
        async with aclosing(aiter(self.source)) as events:
            async for event in events:
                yield await self.respond(event)

    async def respond(self, event: Any) -> ExecutionResult:
        """The operation run on one event, with a context of its own if the subscription's is `Renewable`."""
        context = self.context.fresh() if isinstance(self.context, Renewable) else self.context
        result = None
        if self.compiled is not None:
            result = self.compiled.run(self.values, event, context, hide_suggestions=self.hide_suggestions)
        if result is None:
            once = self.executor(context).build_per_event_executor(event)
            result = cast(ExecutionResult | Awaitable[ExecutionResult], once.execute_operation(False))
        return result if isinstance(result, ExecutionResult) else await result
