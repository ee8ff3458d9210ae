"""Payloads under idempotency keys: stored as ids, codes and positions, and restored with the present objects."""

from collections.abc import Mapping
from typing import Any

from app.db.access.statement import Row
from app.errors import Unavailable
from app.live.cursors import SessionCursor
from app.resolvers.idempotency import StoredResult
from app.schema import ids
from app.schema.user_errors import ERRORS, ErrorCode, UserError

CODES = {code.value for code in ErrorCode}
ERROR_TYPES: dict[str, Any] = {error.__name__: error for error in ERRORS}


def stored_fields(payload: Any) -> dict[str, Any]:
    """The fields of a payload as JSON values: an object as its id, an error as its type and its fields."""
    return {name: _stored(value) for name, value in vars(payload).items()}


def _stored(value: Any) -> Any:
    if isinstance(value, Row):
        return {"id": ids.of_row(value)}
    if isinstance(value, UserError):
        return {"error": type(value).__name__, **vars(value)}
    return [_stored(item) for item in value] if isinstance(value, list) else value


async def restored(payload: Any, result: StoredResult, loaders: Any) -> Any:
    """The payload of a stored result, with its objects as they are now; an object that is gone is null.

    Raises Unavailable for a result that only a newer program can restore: during a rolling deploy another server can.
    """
    if not _is_known(payload, result):
        raise Unavailable("A newer version of the server has stored this result; try again.")
    fields = result["fields"] if result["kind"] == "payload" else _append_fields(result)
    return payload(**{name: await _restored(value, loaders) for name, value in fields.items()})


def _is_known(payload: Any, result: StoredResult) -> bool:
    """True if this program has the kind, the fields, and the errors of the result."""
    if result["kind"] != "payload":
        return result["kind"] == "append"
    errors = result["fields"].get("errors", ())
    return all(map(_is_known_error, errors)) and result["fields"].keys() <= payload.__dataclass_fields__.keys()


def _is_known_error(error: Mapping[str, Any]) -> bool:
    kind = ERROR_TYPES.get(error["error"])
    fields = error.keys() - {"error"}
    return kind is not None and error["code"] in CODES and fields <= kind.__dataclass_fields__.keys()


def _append_fields(result: StoredResult) -> Mapping[str, Any]:
    session_id, cursor = result["session"], SessionCursor.at(result["session"], result["revision"])
    return {"message": {"id": ids.message(session_id, result["sequence"])}, "cursor": str(cursor)}


async def _restored(value: Any, loaders: Any) -> Any:
    if isinstance(value, list):
        return [found for item in value if (found := await _restored(item, loaders)) is not None]
    if not isinstance(value, dict):
        return value
    if "error" in value:
        fields = {name: item for name, item in value.items() if name != "error"}
        return ERROR_TYPES[value["error"]](**{**fields, "code": ErrorCode(value["code"])})
    return await ids.load(loaders, value["id"])
