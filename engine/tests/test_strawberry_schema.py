"""The Schema drop-in returns what Strawberry's Schema returns, compiled, whatever resolvers are made of."""

import asyncio
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NewType

import pytest
import strawberry
from graphql import GraphQLError
from graphql_compiled.compiled_operation import explain
from graphql_compiled.graphql_core_executor import CompiledExecution
from graphql_compiled.strawberry import Schema
from strawberry.exceptions import MissingQueryError
from strawberry.federation import Schema as StrawberryFederationSchema
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from engine.tests import adversarial_schema, sample_schema
from engine.tests.slow_fields import slow_fields
from engine.tests.strawberry_pair import Pair

Word = NewType("Word", object)
PAGES = "query ($filter: Filter) { books(filter: $filter) { total items { title genre isbn summary(length: 3) } } }"
DOCUMENTS: list[tuple[str, dict[str, Any]]] = [
    ("{ books { items { title author { id name } } } }", {}),
    (PAGES, {}),
    (PAGES, {"filter": {"genre": "ESSAY", "limit": 1}}),
    (PAGES, {"filter": {"words": ["first", "Second"], "limit": None}}),
    ('{ books(filter: { genre: NOVEL, words: ["A"], limit: 2 }) { items { summary(suffix: "...") } } }', {}),
    ("{ publications { __typename number title ... on Magazine { issue } ... on Book { isbn author { name } } } }", {}),
    ('{ search(text: "A") { __typename ... on Author { name } ... on Publication { title } } }', {}),
    ("query ($key: Key!) { book(key: $key) { title } }", {"key": {"isbn": "ISBN 4-56"}}),
    ("query ($key: Key!) { book(key: $key) { title } }", {"key": {"number": "1", "isbn": "ISBN 4-56"}}),
    ("{ authors(first: 2) { pageInfo { hasNextPage endCursor } edges { cursor node { id name } } } }", {}),
    ('{ node(id: "QXV0aG9yOjI=") { id __typename ... on Author { name } } }', {}),
    ("query ($n: Int!) { books { items { position a: summary(length: $n) } } }", {"n": 4}),
    ("{ books { items { shelf loans loudTitle excitingTitle } } }", {}),
    ("{ books { items { damaged } } }", {}),
    ("{ books { items { lost } total } }", {}),
    ('mutation { a: addBook(title: "X") { __typename } b: addBook(title: "X") { ... on TitleTaken { title } } }', {}),
    ('mutation ($isbn: Isbn) { addBook(title: "Y", isbn: $isbn) { ... on Book { isbn } } }', {"isbn": "ISBN 7"}),
    (
        "query ($with: Boolean!) { books { items { title @include(if: $with) genre @skip(if: $with) } } }",
        {"with": True},
    ),
    ("{ __schema { queryType { name } types { name kind isOneOf } } }", {}),
]


@pytest.fixture(scope="module")
def library() -> Pair:
    return Pair.of_library()


@pytest.mark.parametrize(("query", "variables"), DOCUMENTS)
@pytest.mark.parametrize("user", ["librarian", "guest"])
async def test_queries_and_mutations(library: Pair, query: str, variables: dict[str, Any], user: str) -> None:
    result, ways = await library.execute(query, variable_values=variables, user=user)
    assert ways == ({"compiled": 1} if result.data is not None or result.errors[0].path else {"request error": 1})


async def test_the_loads_of_strawberrys_dataloader_form_one_batch(library: Pair) -> None:
    batches: list[list[int]] = []

    async def load(keys: list[int]) -> list[None]:
        batches.append(keys)
        return [None for _ in keys]

    context = library.compiled_context() | {"authors": strawberry.dataloader.DataLoader(load_fn=load)}
    for _ in range(3):
        context["authors"].clear_all()
        await library.compiled.execute("{ books { items { author { name } } } }", context_value=context)
    assert batches == [[1, 9]] * 3


@pytest.mark.parametrize(
    ("query", "runs"),
    [
        ("subscription { arrivals { __typename title ... on Book { author { name } } } }", 3),
        ("subscription { arrivals(failAt: 1) { title } }", 1),
        ("subscription { arrivals { ... on Book { lost } } }", 3),
    ],
)
async def test_subscriptions(library: Pair, query: str, runs: int) -> None:
    results, ways = await library.subscribe(query)
    assert len(results) >= runs
    assert ways == {"compiled": runs}


async def test_a_subscription_that_may_not_start(library: Pair) -> None:
    results, ways = await library.subscribe("subscription { returns }", user="guest")
    assert [error.message for error in results[0].errors] == ["Librarians only."]
    assert ways == {}


def test_execute_sync(library: Pair) -> None:
    result, ways = library.execute_sync("{ name books { items { title genre } } }", root_value=sample_schema.Query())
    assert result.data["name"] == "Library"
    assert ways == {"compiled": 1}


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_execute_sync_refuses_awaitables(library: Pair) -> None:
    result, _ = library.execute_sync("{ books { items { author { name } } } }")
    assert result.errors[0].message == "GraphQL execution failed to complete synchronously."
    del result
    await asyncio.sleep(0)  # Strawberry cancels the execution by a task
    gc.collect()


async def test_operation_names_root_values_and_operation_extensions(library: Pair) -> None:
    query = "query A { name } query B { books { items { position } } }"
    options = {"root_value": sample_schema.Query(), "operation_extensions": {"trace": "1"}}
    result, ways = await library.execute(query, operation_name="B", **options)
    assert "{'trace': '1'}" in result.data["books"]["items"][0]["position"]
    assert ways == {"compiled": 1}
    result, ways = await library.execute(query, operation_name="A", **options)
    assert result.data == {"name": "Library"}


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ nope }", {}),
        ("{ books { ", {}),
        ("query ($key: Key!) { book(key: $key) { title } }", {}),
        ("query ($key: Key!) { book(key: $key) { title } }", {"key": {"number": None}}),
    ],
)
async def test_request_errors(library: Pair, query: str, variables: dict[str, Any]) -> None:
    result, _ = await library.execute(query, variable_values=variables)
    assert result.data is None
    assert result.errors


@pytest.mark.parametrize(
    ("query", "options", "error"),
    [
        ("query A { name }", {"operation_name": "B"}, CannotGetOperationTypeError),
        ('mutation { addBook(title: "Z") { __typename } }', {"allowed_operation_types": [OperationType.QUERY]},
         InvalidOperationTypeError),
        (None, {}, MissingQueryError),
    ],
)  # fmt: skip
async def test_errors_that_strawberry_raises(
    library: Pair, query: str | None, options: dict[str, Any], error: type[Exception]
) -> None:
    for schema in (library.stock, library.compiled, library.compiled):
        with pytest.raises(error):
            await schema.execute(query, **options)


async def test_process_errors_receives_the_same_errors() -> None:
    class Recording:
        def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
            self.__dict__.setdefault("seen", []).append([error.formatted for error in errors])

    class CompiledRecording(Recording, Schema):
        pass

    class StockRecording(Recording, strawberry.Schema):
        pass

    one, other = sample_schema.load(), sample_schema.load()
    pair = Pair(one.build(StockRecording), other.build(CompiledRecording), one.make_context, other.make_context)
    await pair.execute("{ books { items { lost } } }")
    await pair.execute("{ nope }")
    assert pair.compiled.seen == pair.stock.seen  # type: ignore[attr-defined]
    assert len(pair.stock.seen) == 6  # type: ignore[attr-defined]


async def test_a_custom_info_class_and_a_custom_default_resolver() -> None:
    class LibraryInfo(strawberry.Info):
        @property
        def user(self) -> str:
            return self.context["user"]  # type: ignore[no-any-return]

    @strawberry.type
    class Query:
        name: str

        @strawberry.field
        def user(self, info: LibraryInfo) -> str:
            return info.user

    def default_resolver(source: Any, name: str) -> Any:
        return source[name]

    config = StrawberryConfig(info_class=LibraryInfo, default_resolver=default_resolver)
    schemas = strawberry.Schema(Query, config=config), Schema(Query, config=config)
    pair = Pair(*schemas, sample_schema.make_context, sample_schema.make_context)
    result, ways = await pair.execute("{ name user }", root_value={"name": "Library"})
    assert result.data == {"name": "Library", "user": "member"}
    assert ways == {"compiled": 1}


def test_execute_sync_in_several_threads(library: Pair) -> None:
    queries = [f"query Q{n} {{ books {{ items {{ title a{n}: genre }} }} }}" for n in range(40)]
    expected = {query: library.stock.execute_sync(query).data for query in queries}
    with ThreadPoolExecutor(8) as threads:
        for query, result in zip(queries * 10, threads.map(library.compiled.execute_sync, queries * 10), strict=True):
            assert result.data == expected[query]


async def test_a_federation_schema() -> None:
    class FederationSchema(Schema, StrawberryFederationSchema):
        pass

    @strawberry.federation.type(keys=["id"])
    class Product:
        id: strawberry.ID

        @classmethod
        def resolve_reference(cls, id: strawberry.ID) -> "Product":
            return cls(id=id)

    @strawberry.type
    class Query:
        @strawberry.field
        def product(self) -> Product:
            return Product(id=strawberry.ID("1"))

    pair = Pair(
        StrawberryFederationSchema(Query),
        FederationSchema(Query),
        sample_schema.make_context,
        sample_schema.make_context,
    )
    query = "query ($of: [_Any!]!) { _entities(representations: $of) { ... on Product { id } } product { id } }"
    result, ways = await pair.execute(query, variable_values={"of": [{"__typename": "Product", "id": "2"}]})
    assert result.data == {"_entities": [{"id": "2"}], "product": {"id": "1"}}
    assert ways == {"compiled": 1}


def test_compiled_operations_are_freed_with_their_documents() -> None:
    module = sample_schema.load()
    schema = module.build(Schema)
    for _ in range(3):
        schema.execute_sync("{ books { total } }")
    [entry] = schema._documents._entries.values()
    document = weakref.ref(entry.value.document)
    count = len(CompiledExecution.operations)
    del entry
    schema._documents._entries.clear()
    gc.collect()
    assert document() is None
    assert len(CompiledExecution.operations) < count


def test_no_field_has_a_slow_access_but_those_with_extensions_or_unusual_arguments() -> None:
    book = {"Book.shelf", "Book.loans", "Book.loudTitle", "Book.excitingTitle"}
    query = {"Query.node", "Query.authors"}  # relay's, by field extensions
    assert slow_fields(sample_schema.load().build(Schema)._schema) == {*book, *query, "Mutation.addBook"}
    assert slow_fields(adversarial_schema.schema._schema) == {
        *(f"Thing.{name}" for name in ("guarded", "guardedThing", "extended", "doubled")),
        *("Thing.echo", "Mutation.change"),  # `Maybe` without null: only Strawberry has the error message
    }


def serialize_word(value: Any) -> Any:
    return value if type(value) is str else SERIALIZED.append(value) or f"word {value}"


serialize_word.unchanged = (str,)  # type: ignore[attr-defined]
SERIALIZED: list[Any] = []


@strawberry.type
class Edge:
    @strawberry.field
    def node(self) -> "Edge":
        return self

    @strawberry.field
    def word(self, number: int | None = None) -> Word | None:  # type: ignore[valid-type]
        return number if number else "as it is"

    @strawberry.field
    def missing(self) -> Word | None:  # type: ignore[valid-type]
        return None


async def test_no_call_for_unchanged_values_and_for_a_resolver_that_returns_its_source() -> None:
    @strawberry.type
    class Query:
        @strawberry.field
        def edge(self) -> Edge:
            return Edge()

    schema = Schema(
        Query, config=StrawberryConfig(scalar_map={Word: strawberry.scalar(name="Word", serialize=serialize_word)})
    )
    document = "{ edge { node { word missing node { other: word(number: 1) } } } }"
    source = explain(schema._schema, document)
    assert "= source\n" in source
    for _ in range(3):
        SERIALIZED.clear()
        result = await schema.execute(document)
        assert result.errors is None
        assert result.data == {"edge": {"node": {"word": "as it is", "missing": None, "node": {"other": "word 1"}}}}
        assert SERIALIZED == [1]
