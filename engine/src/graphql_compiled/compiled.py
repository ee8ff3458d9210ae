"""Operations compiled once and run many times, and drop-ins for graphql-core's execute and subscribe.

    compiled = compile_operation(schema, document, "Name")
    result = compiled.execute(context_value=..., variable_values=...)   # ExecutionResult, or its awaitable

What cannot be compiled runs on graphql-core: `compile_operation` answers None, a `Compiled` falls back for
variable values that it cannot plan for, and `outcomes` counts both by reason.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

import graphql.execution as graphql_core
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationType,
    assert_valid_schema,
    default_type_resolver,
    parse,
    validate,
)
from graphql.execution import Executor, create_source_event_stream, map_async_iterable
from graphql.execution.values import VariableValues, get_variable_values
from graphql.pyutils import Undefined, is_awaitable

from graphql_compiled.codegen import Code, build, generate
from graphql_compiled.null_propagation import settle
from graphql_compiled.plan import Operation, Uncompilable, find_operation, make_plan
from graphql_compiled.runtime import Run
from graphql_compiled.variables import Variables

MAX_VARIANTS = 16
"""Plans kept per operation, one for each combination of the variables that `@skip` and `@include` read."""

Result = ExecutionResult | Awaitable[ExecutionResult]
Events = AsyncIterator[ExecutionResult] | ExecutionResult
Resolver = Callable[..., Any] | None

outcomes: Counter[str] = Counter()
"""Runs since the start of the process: "compiled", "refused variables", and each reason of falling back."""

_execute = graphql_core.execute
_subscribe = graphql_core.subscribe


def compile_operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation_name: str | None = None,
    field_resolver: Resolver = None,
    type_resolver: Resolver = None,
) -> Compiled | None:
    """Compile one operation of a validated document; None (and counted) if graphql-core must run it."""
    try:
        assert_valid_schema(schema)
        if schema.get_directive("defer") or schema.get_directive("stream"):
            raise Uncompilable("incremental delivery")
        operation = find_operation(schema, document, operation_name)
    except Uncompilable as reason:
        outcomes[str(reason)] += 1
        return None
    return Compiled(document, operation_name, operation, field_resolver, type_resolver)


class Compiled:
    """One operation. Holds the code of its newest `MAX_VARIANTS` variants; compiles each when first met."""

    def __init__(
        self,
        document: DocumentNode,
        operation_name: str | None,
        operation: Operation,
        field_resolver: Resolver = None,
        type_resolver: Resolver = None,
    ) -> None:
        self.document = document
        self.operation_name = operation_name
        self.operation = operation
        self.field_resolver = field_resolver
        self.type_resolver = type_resolver
        self.variables = Variables(operation)
        self.reads = operation.node.operation is OperationType.QUERY
        self.variants: OrderedDict[tuple[Any, ...], Code | str] = OrderedDict()

    def coerce(
        self,
        given: Mapping[str, Any] | None,
        *,
        max_errors: int = 50,
        hide_suggestions: bool = False,
    ) -> VariableValues | list[GraphQLError]:
        """The values of the variables, or what is wrong with them (counted)."""
        values = self.variables.quick(given or {}) or get_variable_values(
            self.operation.schema,
            self.operation.node.variable_definitions or (),
            cast("dict[str, Any]", given or {}),
            max_errors=max_errors,
            hide_suggestions=hide_suggestions,
        )
        if isinstance(values, list):
            outcomes["refused variables"] += 1
        return values

    def run(
        self,
        variables: VariableValues,
        root_value: Any = None,
        context_value: Any = None,
        *,
        hide_suggestions: bool = False,
        synchronous: bool = False,
        operation_extensions: dict[str, Any] | None = None,
    ) -> Result | None:
        """Execute; None if graphql-core must, for these values. Awaitable only if something has to be awaited.

        For a subscription this is one event, its payload the root value. A context that has `selecting` is told
        what a query selects, as (type, field).
        """
        code = self.code(variables, synchronous=synchronous)
        if code is None:
            return None
        if self.reads and (told := getattr(context_value, "selecting", None)):
            told(code.selected)
        run = Run(
            self.operation,
            root_value,
            context_value,
            variables,
            hide_suggestions=hide_suggestions,
            synchronous=synchronous,
            type_resolver=self.type_resolver or default_type_resolver,
            operation_extensions=operation_extensions,
        )
        return perform(run, code)

    def execute(
        self,
        root_value: Any = None,
        context_value: Any = None,
        variable_values: Mapping[str, Any] | None = None,
        *,
        max_coercion_errors: int = 50,
        hide_suggestions: bool = False,
        synchronous: bool = False,
        fall_back: Callable[[], Result] | None = None,
    ) -> Result:
        """What `graphql.execute` would answer."""
        variables = self.coerce(variable_values, max_errors=max_coercion_errors, hide_suggestions=hide_suggestions)
        if isinstance(variables, list):
            return ExecutionResult(None, variables)
        options: dict[str, Any] = {"hide_suggestions": hide_suggestions, "synchronous": synchronous}
        result = self.run(variables, root_value, context_value, **options)
        if result is None:
            result = (fall_back or partial(self.fall_back, root_value, context_value, variable_values))()
        return result

    def subscribe(
        self,
        root_value: Any = None,
        context_value: Any = None,
        variable_values: dict[str, Any] | None = None,
        subscribe_field_resolver: Resolver = None,
        *,
        max_coercion_errors: int = 50,
        hide_suggestions: bool = False,
    ) -> Events | Awaitable[Events]:
        """The response stream, or the reason why there is none. Compiled once for all its events."""
        schema, name = self.operation.schema, self.operation_name
        given = (schema, self.document, root_value, context_value, variable_values, name)
        resolvers = (self.field_resolver, self.type_resolver, subscribe_field_resolver)
        executor = Executor.build(
            *given,
            *resolvers,
            max_coercion_errors=max_coercion_errors,
            hide_suggestions=hide_suggestions,
        )
        if isinstance(executor, list):
            outcomes["refused variables"] += 1
            return ExecutionResult(None, executor)
        if self.code(executor.variable_values) is None:
            return _subscribe(*given, *resolvers)
        stream = create_source_event_stream(executor)
        if is_awaitable(stream):
            return self.awaited(executor, stream)
        return self.events(executor, stream)

    async def awaited(self, executor: Executor[Any], stream: Awaitable[Any]) -> Events:
        return self.events(executor, await stream)

    def events(self, executor: Executor[Any], stream: Any) -> Events:
        if isinstance(stream, ExecutionResult):
            return stream

        async def event(payload: Any) -> ExecutionResult:
            result = self.run(executor.variable_values, payload, executor.context_value)
            assert result is not None
            return result if isinstance(result, ExecutionResult) else await result

        return map_async_iterable(stream, event)

    def code(self, variables: VariableValues, *, synchronous: bool = False) -> Code | None:
        """The code for these variable values; None (and counted) where there can be none."""
        values = [variables.coerced.get(name, Undefined) for name in self.operation.conditions]
        variant = (synchronous, *values)
        if not all(value is Undefined or value is None or isinstance(value, bool) for value in values):
            code: Code | str | None = "conditions are not Boolean"
        elif (code := self.variants.get(variant)) is None:
            code = self.variants[variant] = self.compile(variables, synchronous=synchronous)
            if len(self.variants) > MAX_VARIANTS:
                self.variants.popitem(last=False)
        outcomes[code if isinstance(code, str) else "compiled"] += 1
        return None if isinstance(code, str) else code

    def compile(self, variables: VariableValues, *, synchronous: bool) -> Code | str:
        try:
            plan = make_plan(self.operation, variables)
        except Uncompilable as reason:
            return str(reason)
        return build(plan, self.field_resolver, synchronous=synchronous)

    def fall_back(self, root_value: Any, context: Any, variables: Mapping[str, Any] | None) -> Result:
        values = cast("dict[str, Any]", variables)
        given = (self.operation.schema, self.document, root_value, context, values, self.operation_name)
        return _execute(*given, field_resolver=self.field_resolver, type_resolver=self.type_resolver)


def perform(run: Run, code: Code) -> Result:
    run.data = code.empty.copy()
    for number in range(len(code.steps)):
        take(run, code, number)
        run.forsake()
        if run.pending:
            return perform_later(run, code, number + 1)
        if run.data is None:
            break
    return ExecutionResult(run.data, run.errors or None)


async def perform_later(run: Run, code: Code, start: int) -> ExecutionResult:
    await settle(run)
    for number in range(start, len(code.steps)):
        if run.data is None:
            break
        take(run, code, number)
        await settle(run)
    return ExecutionResult(run.data, run.errors or None)


def take(run: Run, code: Code, number: int) -> None:
    assert run.data is not None
    try:
        code.steps[number](run, run.root_value, None, run.data)
    except GraphQLError as error:
        run.data = None
        run.note(error, ())


def explain(
    schema: GraphQLSchema,
    text: str,
    operation_name: str | None = None,
    variable_values: dict[str, Any] | None = None,
) -> str:
    """The Python source that a document is compiled to. Uncompilable if it is invalid, or says why else.

    Conditions of `@skip` and `@include` that are not given count as true.
    """
    try:
        document = parse(text)
    except GraphQLError as error:
        raise Uncompilable(str(error)) from None
    if errors := validate(schema, document):
        raise Uncompilable("\n\n".join(map(str, errors)))
    operation = find_operation(schema, document, operation_name)
    given = dict.fromkeys(operation.conditions, True) | (variable_values or {})
    return generate(make_plan(operation, VariableValues({}, given)))[0]
