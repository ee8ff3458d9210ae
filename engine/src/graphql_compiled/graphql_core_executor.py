"""Executor classes that run compiled code, and drop-ins for graphql-core's `execute`, `execute_sync` and `subscribe`.

graphql-core builds the executor from the arguments of a request; the executor then runs the compiled operation instead
of walking the document, or walks it as before where the request has options that compiled code lacks. A document is
compiled at its second execution, so keep parsed documents; they must not be changed after the first.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

import graphql.execution as graphql_core
from graphql import DocumentNode, GraphQLSchema
from graphql.execution import Executor
from graphql.execution.execute import assume_not_awaitable
from graphql.execution.executor_throwing_on_incremental import ExecutorThrowingOnIncremental
from graphql.execution.incremental import IncrementalExecutor

from graphql_compiled.adapter import adapter_of
from graphql_compiled.compiled_operation import Result
from graphql_compiled.counters import REQUEST_ERROR, outcomes
from graphql_compiled.tiered_operation import OperationCache

P = ParamSpec("P")
R = TypeVar("R")

if TYPE_CHECKING:
    _Base = Executor[Any]
else:
    _Base = object


class CompiledExecution(_Base):
    """Mixin for subclasses of graphql-core's Executor."""

    operations: ClassVar[OperationCache] = OperationCache()
    unsupported: ClassVar[str | None] = None
    """Why executors of this class never run compiled code, or None."""

    document: DocumentNode

    @classmethod
    def build(cls, schema: GraphQLSchema, document: DocumentNode, *args: Any, **options: Any) -> Any:
        executor = super().build(schema, document, *args, **options)
        if isinstance(executor, CompiledExecution):
            executor.document = document
        else:
            outcomes[REQUEST_ERROR] += 1
        return executor

    def execute_operation(self, serially: bool | None = None) -> Any:
        result = self._run_compiled()
        return super().execute_operation(serially) if result is None else result

    def _run_compiled(self) -> Result | None:
        reason = self._unsupported_option()
        if reason is not None:
            outcomes[reason] += 1
            return None
        resolvers = (self.field_resolver, self.type_resolver)
        operation = self.operations.next_run(self.schema, self.document, self.operation, *resolvers)
        if operation is None:
            return None
        return operation.run(
            self.variable_values,
            self.root_value,
            self.context_value,
            hide_suggestions=self.hide_suggestions,
            synchronous=self.is_awaitable is assume_not_awaitable,
            is_async_iterable=self.is_async_iterable,
            build_resolve_info=self._build_resolve_info,
        )

    def _unsupported_option(self) -> str | None:
        if self.unsupported:
            return self.unsupported
        if self.middleware_manager is not None and self.middleware_manager.middlewares:
            return "middleware"
        if self.abort_signal is not None:
            return "abort_signal"
        if self.hooks is not None:
            return "hooks"
        known = self.is_awaitable in adapter_of(self.schema).awaitable_checks
        return None if known else "is_awaitable"

    def _build_resolve_info(self, _state: object, *field: Any) -> Any:
        return self.build_resolve_info(*field)


class CompiledExecutor(CompiledExecution, IncrementalExecutor):
    """For `graphql.execute(..., executor_class=CompiledExecutor)`."""


class CompiledSubscriptionExecutor(CompiledExecution, ExecutorThrowingOnIncremental):
    """For `graphql.subscribe(..., executor_class=CompiledSubscriptionExecutor)`."""


def compiled_executor(base: type[Executor[Any]], *standard: type[Executor[Any]]) -> type[Executor[Any]]:
    """A subclass of an executor class. It runs compiled code only if the class is one of `standard`."""
    unsupported = None if base in standard else "executor_class"
    return type(f"Compiled{base.__name__}", (CompiledExecution, base), {"unsupported": unsupported})


def _drop_in(function: Callable[P, R], executor_class: type[Executor[Any]]) -> Callable[P, R]:
    position = list(inspect.signature(function).parameters).index("executor_class")

    @wraps(function)
    def wrapper(*args: P.args, **options: P.kwargs) -> R:
        if len(args) > position or options.get("executor_class") is not None:
            outcomes["executor_class"] += 1
        else:
            options["executor_class"] = executor_class
        return function(*args, **options)

    return wrapper


execute = _drop_in(graphql_core.execute, CompiledExecutor)
execute_sync = _drop_in(graphql_core.execute_sync, CompiledExecutor)
subscribe = _drop_in(graphql_core.subscribe, CompiledSubscriptionExecutor)
