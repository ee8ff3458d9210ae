"""Users: a record under the identifier, and one under the id."""

from datetime import UTC, datetime
from uuid import uuid4

from chainlit.user import PersistedUser, User

from colloquy.chainlit.names import USER_IDS, USERS
from colloquy.errors import Conflict
from colloquy.labels import label_of
from colloquy.operations.record import new_record, put_records, record
from colloquy.results import Record
from colloquy.steps import Steps


def get(identifier: str) -> Steps[PersistedUser | None]:
    """Reads a user."""
    found = yield record(USERS, label_of(identifier))
    return _user(found) if found else None


def save(user: User) -> Steps[PersistedUser]:
    """Creates a user, or replaces the metadata of one."""
    name = (USERS, label_of(user.identifier))
    while True:
        found = yield record(*name)
        value = found.value if found else {"id": str(uuid4()), "createdAt": datetime.now(UTC).isoformat()}
        value |= {"identifier": user.identifier, "metadata": user.metadata, "display_name": user.display_name}
        try:
            stored, _ = yield put_records(
                [
                    new_record(*name, value, expected_revision=found.revision if found else 0),
                    new_record(USER_IDS, label_of(value["id"]), {"identifier": user.identifier}),
                ]
            )
        except Conflict:
            continue  # another call has stored the user
        return _user(stored)


def identifier(id: str) -> Steps[str]:
    """Reads the identifier of a user. Raises ValueError, as Chainlit's own data layers do."""
    found = yield record(USER_IDS, label_of(id))
    if found is None:
        raise ValueError(f"User not found for id {id}")
    return str(found.value["identifier"])


def _user(found: Record) -> PersistedUser:
    return PersistedUser(**found.value)
