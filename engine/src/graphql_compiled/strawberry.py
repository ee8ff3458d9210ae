"""The drop-in for Strawberry: the same Schema class, with compiled execution.

    from graphql_compiled.strawberry import Schema

    schema = Schema(query=Query, mutation=Mutation, subscription=Subscription)

Only execution changes. Extensions, permission classes, custom scalars, `process_errors` and everything else that
Strawberry does before and after stays Strawberry's; what compiled code lacks, graphql-core executes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import strawberry
from graphql import ASTValidationRule, DocumentNode
from strawberry.extensions import SchemaExtension

from graphql_compiled.adapter import EXTENSION_KEY
from graphql_compiled.document_cache import DocumentCache
from graphql_compiled.strawberry_internals import StrawberryAdapter, executor_class

ADAPTER = StrawberryAdapter()


class Schema(strawberry.Schema):
    """A Strawberry schema that compiles the operations of documents which it executes again and again.

    Combine it with another subclass of Strawberry's Schema by deriving from both, this one first:
    `class FederationSchema(Schema, strawberry.federation.Schema)`.
    """

    document_cache_size: ClassVar[int] = 256
    """Documents kept parsed and validated; each at most 16 KiB long, 1 KiB on average."""

    _documents: DocumentCache[_ValidDocument]

    if not TYPE_CHECKING:  # type checkers see the parameters of Strawberry's Schema

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._schema.extensions[EXTENSION_KEY] = ADAPTER
            self.execution_context_class = executor_class(self.execution_context_class)
            self._documents = DocumentCache(self.document_cache_size)

    def get_extensions(self, sync: bool = False) -> list[SchemaExtension]:
        return [*super().get_extensions(sync), _CachedDocument(self._documents)]


@dataclass(slots=True, eq=False)
class _ValidDocument:
    document: DocumentNode
    parse_options: dict[str, Any]
    rules: tuple[type[ASTValidationRule], ...]
    """The rules that the document was validated with."""


class _CachedDocument(SchemaExtension):
    """Takes the document of a request from the cache. The last extension: others see what they see in any schema."""

    def __init__(self, documents: DocumentCache[_ValidDocument]) -> None:
        self._documents = documents
        self._cached: _ValidDocument | None = None
        self._is_parsed_here = False

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        if context.graphql_document is None and context.query:
            self._is_parsed_here = True
            cached = self._documents.get(context.query)
            if cached is not None and cached.parse_options == context.parse_options:
                self._cached, context.graphql_document = cached, cached.document
        yield

    def on_validate(self) -> Iterator[None]:
        context, cached = self.execution_context, self._cached
        if cached is not None and cached.document is not context.graphql_document:
            cached = None  # another extension has put its own document in place
        if cached and cached.rules == context.validation_rules != () and context.pre_execution_errors is None:
            context.pre_execution_errors = []  # the state after a validation without errors: Strawberry skips its own
        yield
        text, document = context.query, context.graphql_document
        if self._is_parsed_here and cached is None and text and document and not context.pre_execution_errors:
            entry = _ValidDocument(document, dict(context.parse_options), context.validation_rules)
            self._documents.offer(text, entry)
