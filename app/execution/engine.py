"""Runs GraphQL documents on a schema: parse and validate once per text, execute many times.

Knows GraphQL and nothing of chats. What a document may cost is its owner's to say: `inspect`.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
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
from graphql.validation import NoSchemaIntrospectionCustomRule

from app.execution.compiled import Compiled, Result, compile_operation
from app.execution.documents import Documents

Kind: TypeAlias = Literal["query", "mutation", "subscription"]
Check: TypeAlias = Callable[[Mapping[str, Any]], Sequence[GraphQLError]]
"""What is wrong with an operation, given its variables as they were sent."""
Inspect: TypeAlias = Callable[[GraphQLSchema, DocumentNode], Mapping[str | None, Check]]
"""Looks at a document before it is validated: raises `Rejected`, or returns a check per name of those
operations whose verdict depends on their variables."""


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


@dataclass(slots=True, eq=False, weakref_slot=True)
class Prepared:
    """One operation of a valid document; the same object as long as its document is kept."""

    document: DocumentNode
    operation: OperationDefinitionNode
    kind: Kind
    name: str | None
    check: Check | None
    runs: int = 0
    compiled: Compiled | None = None

    def compile(self, schema: GraphQLSchema) -> Compiled | None:
        """Compiled code from the second run on: what comes once is not worth it. None: graphql-core runs it."""
        self.runs += 1
        if self.runs == 2:
            self.compiled = compile_operation(schema, self.document, self.name)
        return self.compiled


class Engine:
    """Prepares and executes. `max_tokens` caps a document, `cache_size` counts the documents kept.

    `rules` are asked beside those of the specification.
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
    ) -> None:
        self.schema = schema
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
        compiled = prepared.compile(self.schema)
        result = None if compiled is None else self._run(compiled, variables, context)
        if result is None:
            executor = self._executor(prepared, variables, context)
            result = cast(ExecutionResult | Awaitable[ExecutionResult], executor.execute_operation())
        return result if isinstance(result, ExecutionResult) else await result

    async def subscribe(
        self, prepared: Prepared, variables: Mapping[str, Any], context: Any
    ) -> AsyncGenerator[ExecutionResult, None] | ExecutionResult:
        """Start a subscription: its results, or the one result that says why it could not start.

        Each event is executed with a context of its own if the context is `Renewable`. `Rejected` as above.
        """
        self._check(prepared, variables)
        compiled = prepared.compile(self.schema)
        executor = self._executor(prepared, variables, context)
        found = create_source_event_stream(executor)
        source = cast(AsyncIterable[Any] | ExecutionResult, await found if executor.is_awaitable(found) else found)
        return source if isinstance(source, ExecutionResult) else _responses(compiled, executor, source)

    def _operations(self, query: str) -> dict[str | None, Prepared]:
        try:
            document = parse(query, max_tokens=self._max_tokens)
        except GraphQLError as error:
            raise Rejected([error.with_traceback(None)]) from None
        checks = self._inspect(self.schema, document)
        hidden = not self._introspection
        if errors := validate(self.schema, document, self._rules, hide_suggestions=hidden):
            raise Rejected(errors)
        return {
            name: Prepared(document, node, node.operation.value, name, checks.get(name))
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


async def _responses(
    compiled: Compiled | None, executor: Executor[Any], source: AsyncIterable[Any]
) -> AsyncGenerator[ExecutionResult, None]:
    async with aclosing(aiter(source)) as events:
        async for event in events:
            yield await _respond(compiled, executor, event)


async def _respond(compiled: Compiled | None, executor: Executor[Any], event: Any) -> ExecutionResult:
    context = executor.context_value
    if isinstance(context, Renewable):
        context = context.fresh()
    result = None
    if compiled is not None:
        hidden = executor.hide_suggestions
        result = compiled.run(executor.variable_values, event, context, hide_suggestions=hidden)
    if result is None:
        once = executor.build_per_event_executor(event)
        once.context_value = context
        result = cast(ExecutionResult | Awaitable[ExecutionResult], once.execute_operation(False))
    return result if isinstance(result, ExecutionResult) else await result
