"""Descriptions that types of several nouns share."""

NODE_ID = "The id of the object: opaque, globally unique, never reused. `node(id:)` returns the object for this id."
METADATA = "Any JSON value that the client stores with the object; `{}` if none. The server does not interpret it."
NEW_METADATA = "Any JSON value to store with the object. Null or omitted: `{}`."
CHANGED_METADATA = "The JSON value that replaces the stored one as a whole. Omitted: no change. Null is refused."
CLIENT_CREATED_AT = (
    "The time of creation that the client sent; null if it sent none. The server does not use it for any order."
)
EXPECTED_REVISION = (
    "The value of `revision` that the client has read. If the object has another revision by now, the mutation returns "
    "CONFLICT with `currentRevision` and changes nothing. Null or omitted: no check."
)
EXPECTED_SEQUENCE = (
    "The `sequence` of the newest message that the client has read; 0 for a session without messages. If another "
    "message is the newest, the mutation returns CONFLICT and stores nothing. Null or omitted: no check."
)
