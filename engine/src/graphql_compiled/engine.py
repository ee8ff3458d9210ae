"""Executes requests on a schema: a document is parsed and validated once per text, and its operations are compiled.

The engine has no limits of its own on what a document may cost: `inspect` has them.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias, cast

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

from graphql_compiled.compiled_operation import CompiledOperation, Result
from graphql_compiled.document_cache import DocumentCache
from graphql_compiled.selection import nested_variables, schema_coordinates
from graphql_compiled.tiered_operation import COMPILE_THRESHOLD, TieredOperation

OperationKind: TypeAlias = Literal["query", "mutation", "subscription"]
VariableCheck: TypeAlias = Callable[[Mapping[str, Any]], Sequence[GraphQLError]]
"""Returns the errors of an operation for these raw variable values."""
DocumentInspector: TypeAlias = Callable[[GraphQLSchema, DocumentNode], Mapping[str | None, VariableCheck]]
"""Inspects a document before it is validated. Raises RequestError, or returns a check, by operation name, for each
operation that only its variable values can refuse."""

MAX_ERRORS = 5
"""The most errors that validation reports of one document."""

PreExecutionHook: TypeAlias = Callable[[Any], Awaitable[None]]
"""Awaited with the context before an operation that selects a certain field is executed."""
SelectionHook: TypeAlias = Callable[[Any, frozenset[tuple[str, str]]], None]
"""Called with the context and the selected fields, as (type name, field name), before a compiled query runs."""


class RequestError(Exception):
    """The request was not executed: its document, operation name or variables are wrong (a "request error")."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


@dataclass(eq=False)
class PreparedOperation:
    """One operation of a valid document; the same object for as long as the document is cached."""

    document: DocumentNode
    definition: OperationDefinitionNode
    kind: OperationKind
    name: str | None
    check_variables: VariableCheck | None
    pre_execution_hooks: Sequence[PreExecutionHook] = ()
    tiers: TieredOperation = field(init=False)

    def __post_init__(self) -> None:
        # One subscription executes many events: it is worth compiling at once.
        self.tiers = TieredOperation(threshold=1 if self.kind == "subscription" else COMPILE_THRESHOLD)

    @cached_property
    def nested_variables(self) -> frozenset[str]:
        """The variables that change what is selected below the root fields."""
        return nested_variables(self.document, self.definition)


class Engine:
    """Prepares and executes operations.

    `max_tokens` limits a document; `cache_size` is the number of documents kept; `rules` are validated beside those of
    the specification. `pre_execution_hooks` are by schema coordinate ("Type.field"). `event_context` makes the context
    of one event from that of its subscription; without it, events share the subscription's.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        inspect: DocumentInspector,
        max_tokens: int,
        cache_size: int,
        introspection: bool = True,
        rules: Sequence[type[ASTValidationRule]] = (),
        pre_execution_hooks: Mapping[str, PreExecutionHook] | None = None,
        on_selection: SelectionHook | None = None,
        event_context: Callable[[Any], Any] | None = None,
    ) -> None:
        self.schema = schema
        self._inspect = inspect
        self._max_tokens = max_tokens
        self._hide_suggestions = not introspection
        self._rules = [*specified_rules, *rules, *([] if introspection else [NoSchemaIntrospectionCustomRule])]
        self._pre_execution_hooks = pre_execution_hooks or {}
        self._on_selection = on_selection
        self._event_context = event_context
        self._documents: DocumentCache[dict[str | None, PreparedOperation]] = DocumentCache(cache_size)

    def prepare(self, query: str, operation_name: str | None = None) -> PreparedOperation:
        """The operation to execute. Raises RequestError if the document is invalid or over a limit."""
        operations = self._documents.get(query)
        if operations is None:
            operations = self._prepare_document(query)
            self._documents.offer(query, operations)
        return _choose(operations, operation_name or None)

    async def execute(
        self, prepared: PreparedOperation, variable_values: Mapping[str, Any], context: Any
    ) -> ExecutionResult:
        """Execute a query or a mutation. Raises RequestError if the variable values are invalid."""
        result = self.start(prepared, variable_values, context)
        return result if isinstance(result, ExecutionResult) else await result

    def start(self, prepared: PreparedOperation, variable_values: Mapping[str, Any], context: Any) -> Result:
        """As `execute`; the result itself, or the coroutine that returns it: no coroutine around another one."""
        self._check_variables(prepared, variable_values)
        if prepared.pre_execution_hooks:
            return self._start_after_hooks(prepared, variable_values, context)
        return self._start(prepared, variable_values, context)

    async def _start_after_hooks(
        self, prepared: PreparedOperation, variable_values: Mapping[str, Any], context: Any
    ) -> ExecutionResult:
        for hook in prepared.pre_execution_hooks:
            await hook(context)
        result = self._start(prepared, variable_values, context)
        return result if isinstance(result, ExecutionResult) else await result

    def _start(self, prepared: PreparedOperation, variable_values: Mapping[str, Any], context: Any) -> Result:
        compiled = prepared.tiers.next_run(self.schema, prepared.document, prepared.name)
        result = None if compiled is None else self._run(compiled, variable_values, context)
        if result is None:
            executor = self._build_executor(prepared, variable_values, context)
            result = cast(Result, executor.execute_operation())
        return result

    async def subscribe(
        self, prepared: PreparedOperation, variable_values: Mapping[str, Any], context: Any
    ) -> "ResponseStream | ExecutionResult":
        """Start a subscription. Returns the errors if its source stream cannot be created. Raises RequestError."""
        self._check_variables(prepared, variable_values)
        executor = self._build_executor(prepared, variable_values, context)
        created = create_source_event_stream(executor)
        source = await created if executor.is_awaitable(created) else created
        if isinstance(source, ExecutionResult):
            return source
        events = cast(AsyncIterable[Any], source)
        return ResponseStream(events, context, self, prepared, variable_values, executor.variable_values)

    async def execute_event(self, stream: "ResponseStream", event: Any) -> ExecutionResult:
        """Execute a subscription's operation on one event of its source."""
        prepared, context = stream.prepared, stream.context
        if self._event_context is not None:
            context = self._event_context(context)
        compiled = prepared.tiers.next_run(self.schema, prepared.document, prepared.name)
        result = None
        if compiled is not None:
            result = compiled.run(stream.coerced_variables, event, context, hide_suggestions=self._hide_suggestions)
        if result is None:
            executor = self._build_executor(prepared, stream.variable_values, context)
            result = cast(Result, executor.build_per_event_executor(event).execute_operation(False))
        return result if isinstance(result, ExecutionResult) else await result

    def _prepare_document(self, query: str) -> dict[str | None, PreparedOperation]:
        try:
            document = parse(query, max_tokens=self._max_tokens)
        except GraphQLError as error:
            raise RequestError([error.with_traceback(None)]) from None
        checks = self._inspect(self.schema, document)
        hidden = self._hide_suggestions
        if errors := validate(self.schema, document, self._rules, max_errors=MAX_ERRORS, hide_suggestions=hidden):
            raise RequestError(errors[:MAX_ERRORS])  # one more says that there are more
        hooks = self._pre_execution_hooks
        selected = schema_coordinates(self.schema, document) if hooks else frozenset()
        selected_hooks = [hook for coordinate, hook in hooks.items() if coordinate in selected]
        return {
            name: PreparedOperation(document, node, node.operation.value, name, checks.get(name), selected_hooks)
            for node in document.definitions
            if isinstance(node, OperationDefinitionNode)
            for name in [node.name.value if node.name else None]
        }

    def _check_variables(self, prepared: PreparedOperation, variable_values: Mapping[str, Any]) -> None:
        if prepared.check_variables is not None and (errors := prepared.check_variables(variable_values)):
            raise RequestError(errors)

    def _run(self, compiled: CompiledOperation, variable_values: Mapping[str, Any], context: Any) -> Result | None:
        hidden = self._hide_suggestions
        values = compiled.coerce_variables(variable_values, hide_suggestions=hidden)
        if isinstance(values, list):
            raise RequestError(values)
        return compiled.run(values, None, context, hide_suggestions=hidden, on_selection=self._on_selection)

    def _build_executor(
        self, prepared: PreparedOperation, variable_values: Mapping[str, Any], context: Any
    ) -> Executor[Any]:
        executor = ExecutorThrowingOnIncremental.build(
            self.schema,
            prepared.document,
            context_value=context,
            raw_variable_values=cast(dict[str, Any], variable_values),
            operation_name=prepared.name,
            hide_suggestions=self._hide_suggestions,
        )
        if isinstance(executor, list):
            raise RequestError(executor)
        return executor


def _choose(operations: dict[str | None, PreparedOperation], name: str | None) -> PreparedOperation:
    if name is None and len(operations) == 1:
        return next(iter(operations.values()))
    if name is not None and name in operations:
        return operations[name]
    raise RequestError([GraphQLError(_no_choice(operations, name))])


def _no_choice(operations: dict[str | None, PreparedOperation], name: str | None) -> str:
    if name is not None:
        return f"The document has no operation named {name[:100]!r}."
    if operations:
        return "The document has several operations; say which one by operationName."
    return "The document has no operation."


@dataclass(frozen=True, slots=True)
class ResponseStream:
    """The responses of a subscription: iterate over them, or call `execute_event` for each event of `source`.

    Holds no executor of graphql-core, which is large: most subscriptions wait most of the time.
    """

    source: AsyncIterable[Any]
    context: Any
    engine: Engine
    prepared: PreparedOperation
    variable_values: Mapping[str, Any]
    coerced_variables: VariableValues

    async def __aiter__(self) -> AsyncGenerator[ExecutionResult, None]:
        async with aclosing(aiter(self.source)) as events:
            async for event in events:
                yield await self.execute_event(event)

    async def execute_event(self, event: Any) -> ExecutionResult:
        """The response to one event of the source."""
        return await self.engine.execute_event(self, event)
