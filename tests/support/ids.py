"""What the public ids hold."""


def row_of(session: str) -> str:
    """The database's id of a session."""
    return session.removeprefix("ses_")
