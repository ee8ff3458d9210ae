"""A schema as Strawberry users write it: a library of books, with one of every feature that resolvers have.

`load` executes this module again, because Strawberry's field extensions change the types that a schema is built from.
"""

import asyncio
import enum
import importlib.util
import sys
from collections.abc import AsyncGenerator, Iterable
from itertools import count
from types import ModuleType
from typing import Annotated, Any, Generic, NewType, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry import relay
from strawberry.dataloader import DataLoader
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission
from strawberry.schema.config import StrawberryConfig

NUMBERS = count()
T = TypeVar("T")
Isbn = NewType("Isbn", str)
ISBN = strawberry.scalar(name="Isbn", serialize=lambda value: f"ISBN {value}", parse_value=lambda text: text[5:])


def load() -> ModuleType:
    """A fresh copy of this module, with types of its own."""
    name = f"{__name__}_{next(NUMBERS)}"
    spec = importlib.util.spec_from_file_location(name, __file__)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@strawberry.enum
class Genre(enum.Enum):
    NOVEL = "novel"
    ESSAY = "essay"


class IsLibrarian(BasePermission):
    message = "Librarians only."
    error_extensions = {"code": "FORBIDDEN"}

    def has_permission(self, source: Any, info: strawberry.Info, **_: Any) -> bool:
        return info.context["user"] == "librarian"


class IsMember(BasePermission):
    message = "Members only."

    async def has_permission(self, source: Any, info: strawberry.Info, **_: Any) -> bool:
        await asyncio.sleep(0)
        return info.context["user"] != "guest"


class UpperCase(FieldExtension):
    def resolve(self, next_: Any, source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        return next_(source, info, **kwargs).upper()


class Exclaim(FieldExtension):
    async def resolve_async(self, next_: Any, source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        return await next_(source, info, **kwargs) + "!"


@strawberry.type
class Page(Generic[T]):
    items: list[T]
    total: int


@strawberry.type
class Author(relay.Node):
    key: relay.NodeID[int]
    name: str

    @classmethod
    def resolve_nodes(cls, *, info: strawberry.Info, node_ids: Iterable[str], required: bool = False) -> Any:
        return [AUTHORS.get(int(node_id)) for node_id in node_ids]


AUTHORS = {n: Author(key=n, name=f"Author {n}") for n in range(1, 6)}


async def load_authors(keys: list[int]) -> list[Author | ValueError]:
    return [AUTHORS.get(key) or ValueError(f"no author {key}") for key in keys]


def make_context(user: str = "member") -> dict[str, Any]:
    return {"user": user, "authors": DataLoader(load_fn=load_authors), "added": []}


@strawberry.interface
class Publication:
    number: strawberry.ID
    title: str


@strawberry.type
class Book(Publication):
    author_key: strawberry.Private[int]
    isbn: Isbn = Isbn("1-23")
    genre: Genre = Genre.NOVEL

    @strawberry.field
    async def author(self, info: strawberry.Info) -> Author | None:
        return await info.context["authors"].load(self.author_key)

    @strawberry.field
    def summary(self, length: int = 10, suffix: str | None = None) -> str:
        return self.title[:length] + (suffix or "")

    @strawberry.field
    def position(self, info: strawberry.Info) -> str:
        selected = [field.name for field in info.selected_fields]
        return f"{info.path.as_list()} {info.field_name} {selected} {info.variable_values} {info.input_extensions}"

    @strawberry.field(permission_classes=[IsLibrarian])
    def shelf(self) -> str | None:
        return "A1"

    @strawberry.field(permission_classes=[IsMember])
    async def loans(self) -> int:
        return 3

    @strawberry.field(extensions=[UpperCase()])
    def loud_title(self) -> str:
        return self.title

    @strawberry.field(extensions=[Exclaim()])
    async def exciting_title(self) -> str:
        return self.title

    @strawberry.field
    def lost(self) -> str:
        raise GraphQLError("lost", extensions={"code": "LOST"})

    @strawberry.field
    async def damaged(self) -> str | None:
        raise ValueError("damaged")


@strawberry.type
class Magazine(Publication):
    issue: int


SearchResult = Annotated[Book | Magazine | Author, strawberry.union("SearchResult")]
PUBLICATIONS: list[Book | Magazine] = [
    Book(number=strawberry.ID("1"), title="A long first title", author_key=1),
    Magazine(number=strawberry.ID("2"), title="Weekly", issue=7),
    Book(number=strawberry.ID("3"), title="Second", author_key=9, isbn=Isbn("4-56"), genre=Genre.ESSAY),
]
BOOKS = [one for one in PUBLICATIONS if isinstance(one, Book)]


@strawberry.input
class Filter:
    genre: Genre | None = None
    words: list[str] = strawberry.field(default_factory=list)
    limit: strawberry.Maybe[int | None]


@strawberry.input(one_of=True)
class Key:
    number: strawberry.ID | None = strawberry.UNSET
    isbn: Isbn | None = strawberry.UNSET


@strawberry.type
class Query:
    name: str = "Library"

    @strawberry.field
    def books(self, filter: Filter | None = None) -> Page[Book]:
        found = BOOKS
        if filter and filter.genre:
            found = [book for book in found if book.genre is filter.genre]
        if filter and filter.words:
            found = [book for book in found if any(word in book.title for word in filter.words)]
        limit = filter.limit.value if filter and filter.limit else None
        return Page(items=found[:limit], total=len(found))

    @strawberry.field
    async def publications(self) -> list[Publication]:
        return list(PUBLICATIONS)

    @strawberry.field
    def search(self, text: str) -> list[SearchResult]:
        found: list[Any] = [*PUBLICATIONS, *AUTHORS.values()]
        return [one for one in found if text in (one.name if isinstance(one, Author) else one.title)]

    @strawberry.field
    def book(self, key: Key) -> Book | None:
        return next((book for book in BOOKS if key.number == book.number or key.isbn == book.isbn), None)

    node: relay.Node | None = relay.node()

    @relay.connection(relay.ListConnection[Author])
    def authors(self) -> Iterable[Author]:
        return list(AUTHORS.values())


@strawberry.type
class TitleTaken:
    title: str


class TitleTakenError(Exception):
    pass


class TitleTakenHandler(strawberry.ExceptionHandler[TitleTakenError, TitleTaken]):
    def handle(self, exception: TitleTakenError, *, field: Any, info: Any) -> TitleTaken:
        return TitleTaken(title=str(exception))


AddResult = Annotated[Book | TitleTaken, strawberry.union("AddResult")]


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def add_book(self, info: strawberry.Info, title: str, isbn: Isbn | None = None) -> AddResult:
        await asyncio.sleep(0)
        if title in info.context["added"]:
            raise TitleTakenError(title)
        info.context["added"].append(title)
        return Book(number=strawberry.ID("9"), title=title, author_key=2, isbn=isbn or Isbn("0-00"))


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def arrivals(self, info: strawberry.Info, fail_at: int = -1) -> AsyncGenerator[Publication, None]:
        for index, publication in enumerate(PUBLICATIONS):
            if index == fail_at:
                raise ValueError("delivery failed")
            yield publication

    @strawberry.subscription(permission_classes=[IsLibrarian])
    async def returns(self) -> AsyncGenerator[int, None]:
        yield 1


def build(schema_class: type[strawberry.Schema], **options: Any) -> strawberry.Schema:
    config = options.pop("config", StrawberryConfig(scalar_map={Isbn: ISBN}))
    options |= {"types": [Book, Magazine], "config": config, "exception_handlers": [TitleTakenHandler()]}
    return schema_class(Query, Mutation, Subscription, **options)
