"""Compiled execution for graphql-core schemas. `graphql_compiled.strawberry` has the drop-in for Strawberry."""

from graphql_compiled.compiled_operation import CompiledOperation, compile_operation, explain
from graphql_compiled.counters import outcomes
from graphql_compiled.graphql_core_executor import execute, execute_sync, subscribe
from graphql_compiled.plan import Uncompilable

__all__ = [
    "CompiledOperation",
    "Uncompilable",
    "compile_operation",
    "execute",
    "execute_sync",
    "explain",
    "outcomes",
    "subscribe",
]
