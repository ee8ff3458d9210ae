"""A GraphQL operation before it is sent: document, variables, the decoder of its result, and whether to retry it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from colloquy.decoding import camel_case, decode
from colloquy.errors import payload_error, response_error
from colloquy.results import Page, PageInfo

T = TypeVar("T")
JSONObject = Mapping[str, Any]


class Unset:
    """The type of UNSET. An argument left UNSET is not sent, and its field stays as it is; None clears the field."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset()


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """One GraphQL operation; `decode` takes the `data` of its response.

    Sending a `repeatable` operation twice has the effect of sending it once. So has every operation with an
    `idempotency_key`.
    """

    document: str
    variables: JSONObject
    decode: Callable[[JSONObject], T]
    repeatable: bool = True
    idempotency_key: str | None = None

    def result(self, response: JSONObject) -> T:
        """Decodes a response. Raises a ColloquyError for the first of its errors."""
        if response.get("errors"):
            raise response_error(response["errors"][0])
        return self.decode(response["data"])


@dataclass(frozen=True, slots=True)
class PagedOperation(Generic[T]):
    """The operations that read one connection forward, page by page."""

    page: Callable[..., Operation[Page[T]]]
    arguments: JSONObject = field(default_factory=dict)

    def after(self, cursor: str | None) -> Operation[Page[T]]:
        """The operation that reads the page after `cursor`; None reads the first page."""
        return self.page(after=cursor, **self.arguments)


def mutation(
    document: str,
    input: JSONObject,
    decode: Callable[[JSONObject], T],
    idempotency_key: str | None = None,
    repeatable: bool = False,
) -> Operation[T]:
    """An operation with one mutation field: `input` has camelCase keys, `decode` takes the payload."""

    def decode_payload(data: JSONObject) -> T:
        [payload] = data.values()
        if payload["errors"]:
            raise payload_error(payload["errors"][0])
        return decode(payload)

    return Operation(document, {"input": provided(input)}, decode_payload, repeatable, idempotency_key)


def custom_operation(
    document: str,
    variables: JSONObject | None = None,
    *,
    repeatable: bool = False,
    idempotency_key: str | None = None,
) -> Operation[JSONObject]:
    """An operation with a document of the caller; its result is the response's `data`."""
    return Operation(document, variables or {}, dict, repeatable, idempotency_key)


def provided(values: JSONObject) -> dict[str, Any]:
    """Returns `values` without those that are UNSET."""
    return {name: value for name, value in values.items() if value is not UNSET}


def camel_case_keys(values: JSONObject) -> dict[str, Any]:
    """Returns `values` with the schema's camelCase keys, without those that are UNSET."""
    return {camel_case(name): value for name, value in provided(values).items()}


def decode_page(cls: type[T], connection: JSONObject) -> Page[T]:
    """Returns one page of a connection with its nodes as instances of `cls`."""
    nodes = [decode(cls, node) for node in connection["nodes"]]
    return Page(nodes, decode(PageInfo, connection["pageInfo"]), connection.get("totalCount"))
