"""Tiered execution: graphql-core executes what runs once; what runs again is compiled."""

from __future__ import annotations

from typing import Any
from weakref import ref

from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode

from graphql_compiled.compiled_operation import CompiledOperation, Resolver, compile_operation
from graphql_compiled.counters import FIRST_RUN, outcomes
from graphql_compiled.plan import Uncompilable

COMPILE_THRESHOLD = 2
"""The run at which an operation is compiled. Compiling costs as much CPU as several runs on graphql-core."""


class TieredOperation:
    """One operation that is compiled at its `threshold`-th run."""

    __slots__ = ("_compiled", "_reason", "_runs", "_threshold")

    def __init__(self, threshold: int = COMPILE_THRESHOLD) -> None:
        self._threshold = threshold
        self._runs = 0
        self._compiled: CompiledOperation | None = None
        self._reason: str | None = None

    def next_run(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation_name: str | None,
        field_resolver: Resolver = None,
        type_resolver: Resolver = None,
    ) -> CompiledOperation | None:
        """The compiled operation for one more run; None if graphql-core has to run it, the reason counted."""
        if self._compiled is None and self._reason is None:
            self._runs += 1
            if self._runs < self._threshold:
                outcomes[FIRST_RUN] += 1
                return None
            try:
                self._compiled = compile_operation(schema, document, operation_name, field_resolver, type_resolver)
            except Uncompilable as reason:
                self._reason = str(reason)
        if self._reason is not None:
            outcomes[self._reason] += 1
        return self._compiled


class OperationCache:
    """The tiered operations of documents, by identity, for as long as others keep the documents."""

    def __init__(self, threshold: int = COMPILE_THRESHOLD) -> None:
        self._threshold = threshold
        self._documents: dict[int, tuple[ref[DocumentNode], dict[Any, TieredOperation]]] = {}

    def __len__(self) -> int:
        return len(self._documents)

    def next_run(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        definition: OperationDefinitionNode,
        field_resolver: Resolver,
        type_resolver: Resolver,
    ) -> CompiledOperation | None:
        """As `TieredOperation.next_run`, for the operation of a document that `definition` defines."""
        operations = self._operations(document)
        key = (schema, id(definition), field_resolver, type_resolver)
        operation = operations.get(key)
        if operation is None:
            operation = operations[key] = TieredOperation(self._threshold)
        name = definition.name.value if definition.name else None
        return operation.next_run(schema, document, name, field_resolver, type_resolver)

    def _operations(self, document: DocumentNode) -> dict[Any, TieredOperation]:
        key = id(document)
        entry = self._documents.get(key)
        if entry is None:
            documents = self._documents
            entry = documents[key] = (ref(document, lambda _: documents.pop(key, None)), {})
        return entry[1]
