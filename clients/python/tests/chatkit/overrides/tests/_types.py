"""What the peer's tests pass as context; its source distribution lacks the module."""

from dataclasses import dataclass


@dataclass
class RequestContext:
    """The user of a request."""

    user_id: str
