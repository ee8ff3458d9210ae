"""Operations that are compiled once and executed many times.

    operation = compile_operation(schema, document, "Name")
    result = operation.execute(context_value=..., variable_values=...)   # ExecutionResult, or its awaitable

`compile_operation` raises Uncompilable where graphql-core must execute the operation. A compiled operation falls back
by itself for variable values that it cannot plan for. `counters.outcomes` counts both.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationType,
    assert_valid_schema,
    default_type_resolver,
    execute,
    parse,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values
from graphql.pyutils import Undefined
from graphql.pyutils.is_awaitable import is_async_iterable

from graphql_compiled.adapter import adapter_of
from graphql_compiled.codegen import CompiledPlan, compile_plan, generate_source
from graphql_compiled.counters import COMPILED, REQUEST_ERROR, outcomes
from graphql_compiled.null_propagation import await_pending
from graphql_compiled.plan import Operation, Uncompilable, build_plan, find_operation
from graphql_compiled.resolve_info import build_resolve_info
from graphql_compiled.runtime import ExecutionState
from graphql_compiled.variables import VariableCoercion

MAX_VARIANTS = 16
"""Plans kept per operation, one for each combination of the variables that `@skip` and `@include` read."""

Result = ExecutionResult | Awaitable[ExecutionResult]
Resolver = Callable[..., Any] | None


def compile_operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation_name: str | None = None,
    field_resolver: Resolver = None,
    type_resolver: Resolver = None,
) -> CompiledOperation:
    """Compile one operation of a validated document. Raises Uncompilable; the schema must not change afterwards."""
    assert_valid_schema(schema)
    if schema.get_directive("defer") or schema.get_directive("stream"):
        raise Uncompilable("incremental delivery")
    operation = find_operation(schema, document, operation_name)
    return CompiledOperation(operation, field_resolver, type_resolver)


class CompiledOperation:
    """One operation with the code of its newest `MAX_VARIANTS` variants, each compiled when it first occurs."""

    def __init__(self, operation: Operation, field_resolver: Resolver = None, type_resolver: Resolver = None) -> None:
        self.operation = operation
        self.field_resolver = field_resolver
        self.type_resolver = type_resolver
        self.adapter = adapter_of(operation.schema)
        self.variable_coercion = VariableCoercion(operation)
        self.is_query = operation.definition.operation is OperationType.QUERY
        self.variants: OrderedDict[tuple[Any, ...], CompiledPlan | str] = OrderedDict()
        """By the values of the condition variables: the code, or the reason why there can be none."""

    def coerce_variables(
        self,
        variable_values: Mapping[str, Any] | None,
        *,
        max_errors: int = 50,
        hide_suggestions: bool = False,
    ) -> VariableValues | list[GraphQLError]:
        """The coerced variable values, or the errors in them (counted)."""
        values = self.variable_coercion.coerce_leaves(variable_values or {}) or get_variable_values(
            self.operation.schema,
            self.operation.definition.variable_definitions or (),
            cast("dict[str, Any]", variable_values or {}),
            max_errors=max_errors,
            hide_suggestions=hide_suggestions,
        )
        if isinstance(values, list):
            outcomes[REQUEST_ERROR] += 1
        return values

    def run(
        self,
        variable_values: VariableValues,
        root_value: Any = None,
        context_value: Any = None,
        *,
        hide_suggestions: bool = False,
        synchronous: bool = False,
        is_async_iterable: Callable[[Any], bool] = is_async_iterable,
        build_resolve_info: Callable[..., Any] = build_resolve_info,
        on_selection: Callable[[Any, frozenset[tuple[str, str]]], None] | None = None,
    ) -> Result | None:
        """Execute with coerced variables; None if graphql-core must, for these values.

        Returns an awaitable only if something has to be awaited. For a subscription this executes one event, which is
        the root value. `on_selection(context, fields)` is called before a query runs; the fields are the selected ones
        as (type name, field name).
        """
        plan = self.plan_for(variable_values, synchronous=synchronous)
        if plan is None:
            return None
        if on_selection is not None and self.is_query:
            on_selection(context_value, plan.selected_fields)
        state = ExecutionState(
            self.operation,
            root_value,
            context_value,
            variable_values,
            type_resolver=self.type_resolver or default_type_resolver,
            build_resolve_info=build_resolve_info,
            hide_suggestions=hide_suggestions,
            synchronous=synchronous,
            is_async_iterable=is_async_iterable,
        )
        return _execute_steps(state, plan)

    def execute(
        self,
        root_value: Any = None,
        context_value: Any = None,
        variable_values: Mapping[str, Any] | None = None,
    ) -> Result:
        """What `graphql.execute` returns for this operation."""
        values = self.coerce_variables(variable_values)
        if isinstance(values, list):
            return ExecutionResult(None, values)
        result = self.run(values, root_value, context_value)
        return self._fall_back(root_value, context_value, variable_values) if result is None else result

    def plan_for(self, variable_values: VariableValues, *, synchronous: bool = False) -> CompiledPlan | None:
        """The code for these values, counted; None if there is none, its reason counted."""
        names = self.operation.condition_variables
        values = [variable_values.coerced.get(name, Undefined) for name in names] if names else []
        variant = (synchronous, *values)
        if values and not all(value is Undefined or value is None or isinstance(value, bool) for value in values):
            plan: CompiledPlan | str | None = "conditions are not Boolean"
        elif (plan := self.variants.get(variant)) is None:
            plan = self.variants[variant] = self._compile(variable_values, synchronous=synchronous)
            if len(self.variants) > MAX_VARIANTS:
                self.variants.popitem(last=False)
        outcomes[plan if isinstance(plan, str) else COMPILED] += 1
        return None if isinstance(plan, str) else plan

    def _compile(self, variable_values: VariableValues, *, synchronous: bool) -> CompiledPlan | str:
        try:
            plan = build_plan(self.operation, variable_values)
        except Uncompilable as reason:
            return str(reason)
        return compile_plan(plan, self.adapter, self.field_resolver, synchronous=synchronous)

    def _fall_back(self, root_value: Any, context_value: Any, variable_values: Mapping[str, Any] | None) -> Result:
        operation = self.operation
        definitions = (operation.definition, *operation.fragment_definitions.values())
        return execute(
            operation.schema,
            DocumentNode(definitions=definitions),
            root_value,
            context_value,
            cast("dict[str, Any]", variable_values),
            field_resolver=self.field_resolver,
            type_resolver=self.type_resolver,
        )


def _execute_steps(state: ExecutionState, plan: CompiledPlan) -> Result:
    state.data = plan.empty_data.copy()
    for index in range(len(plan.steps)):
        _execute_step(state, plan, index)
        if state.nulled_paths:
            state.abandon_nulled()
        if state.pending:
            return _execute_remaining_steps(state, plan, index + 1)
        if state.data is None:
            break
    return _result(state)


def _result(state: ExecutionState) -> ExecutionResult:
    if state.completed:
        state.keep_completed()
    return ExecutionResult(state.data, state.errors or None)


async def _execute_remaining_steps(state: ExecutionState, plan: CompiledPlan, start: int) -> ExecutionResult:
    await await_pending(state)
    for index in range(start, len(plan.steps)):
        if state.data is None:
            break
        _execute_step(state, plan, index)
        await await_pending(state)
    return _result(state)


def _execute_step(state: ExecutionState, plan: CompiledPlan, index: int) -> None:
    assert state.data is not None
    try:
        plan.steps[index](state, state.root_value, None, state.data)
    except GraphQLError as error:
        state.data = None
        state.add_error(error, ())


def explain(
    schema: GraphQLSchema,
    text: str,
    operation_name: str | None = None,
    variable_values: dict[str, Any] | None = None,
) -> str:
    """The Python source that a document is compiled to. Raises Uncompilable, also if the document is invalid.

    Condition variables of `@skip` and `@include` without a value count as true.
    """
    try:
        document = parse(text)
    except GraphQLError as error:
        raise Uncompilable(str(error)) from None
    if errors := validate(schema, document):
        raise Uncompilable("\n\n".join(map(str, errors)))
    operation = find_operation(schema, document, operation_name)
    conditions = dict.fromkeys(operation.condition_variables, True) | (variable_values or {})
    plan = build_plan(operation, VariableValues({}, conditions))
    return generate_source(plan, adapter_of(schema))[0]
