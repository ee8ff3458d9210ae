"""Coroutines that are not worth a task: most sends are over before they would have to wait."""

from collections.abc import Coroutine, Generator
from typing import Any


class Unfinished:
    """The rest of a coroutine that had to wait."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine, self._waits_for = coroutine, waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            yield self._waits_for
        except BaseException:
            self._coroutine.close()  # it cleans up now, and not when nobody remembers it
            raise
        yield from self._coroutine.__await__()

    def close(self) -> None:
        """Nobody will await it."""
        self._coroutine.close()


def at_once(coroutine: Coroutine[Any, Any, None]) -> Unfinished | None:
    """Run it as far as it goes without waiting; what is left then, if anything, is to be awaited by a task."""
    try:
        waits_for = coroutine.send(None)
    except StopIteration:
        return None
    return Unfinished(coroutine, waits_for)
