"""The parameters of a well-formed GraphQL request (GraphQL over HTTP §5.1 and its appendix on persisted documents)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.errors import BadInput

MAX_ID_CHARS = 512
SHA256 = "sha256:"


class Reference(NamedTuple):
    """A document named by its id, a `sha256:` prefix left away.

    `automatic`: in Apollo's protocol of automatic persisted queries, in which the client repeats an unknown id together
    with the document. None as the id: of a kind or version that is not known here.
    """

    id: str | None
    automatic: bool


@dataclass(frozen=True, slots=True)
class Parameters:
    """A request for `query`, for the document that `reference` names, or for both, to keep one under the other.

    `variables` are not coerced yet.
    """

    query: str
    operation_name: str | None
    variables: Mapping[str, Any]
    extensions: Mapping[str, Any]
    reference: Reference | None = None

    @classmethod
    def of(cls, request: Any) -> "Parameters":
        """From decoded JSON. Raises BadInput with what is wrong."""
        if not isinstance(request, dict):
            raise BadInput("A request is one JSON object with the key query.")
        query, name = request.get("query"), request.get("operationName")
        if name is not None and not isinstance(name, str):
            raise BadInput("operationName must be a string or null.")
        extensions = _map(request, "extensions") if "extensions" in request else {}
        reference = _reference(request, extensions) if extensions or "documentId" in request else None
        if query is None and reference is not None:
            query = ""
        if not isinstance(query, str):
            raise BadInput("query must be a string.")
        if query and reference is not None and not reference.automatic:
            raise BadInput("A request has a query or a documentId, not both.")
        return cls(query, name, _map(request, "variables"), extensions, reference)


def _reference(request: dict[str, Any], extensions: Mapping[str, Any]) -> Reference | None:
    if (document_id := request.get("documentId")) is not None:
        if not isinstance(document_id, str) or not 0 < len(document_id) <= MAX_ID_CHARS:
            raise BadInput(f"documentId must be a string of 1 to {MAX_ID_CHARS} characters.")
        return Reference(document_id.removeprefix(SHA256), automatic=False)
    if (persisted := extensions.get("persistedQuery")) is None:
        return None
    known = isinstance(persisted, dict) and persisted.get("version") == 1
    digest = persisted.get("sha256Hash") if known else None
    if not isinstance(digest, str) or not 0 < len(digest) <= MAX_ID_CHARS:
        return Reference(None, automatic=True)
    return Reference(digest.removeprefix(SHA256), automatic=True)


def _map(request: dict[str, Any], key: str) -> Mapping[str, Any]:
    value = request.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadInput(f"{key} must be an object or null.")
    return value
