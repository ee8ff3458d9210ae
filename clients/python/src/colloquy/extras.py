"""Modules that need an extra of the distribution, such as `colloquy-client[mcp]`."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """A block of imports that need the extra `name`. Raises ImportError with the command that installs it."""
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{error}: install colloquy-client[{name}]", name=error.name) from error
