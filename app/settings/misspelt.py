"""Names that resemble a setting: a misspelt one is otherwise a setting that silently keeps its default."""

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

SIMILAR = 0.86  # JWT_SECRT and LOGLEVEL resemble a setting, HOSTNAME, PGPORT and XDG_DATA_DIRS do not


def misspelt(names: Iterable[str], settings: Collection[str]) -> Iterator[tuple[str, str]]:
    """Each name, in capitals, that resembles a setting, with that setting. One whose setting is given too is
    somebody else's.
    """
    given = {name.upper() for name in names}
    missing = [setting for setting in map(str.upper, settings) if setting not in given]
    for name in sorted(given.difference(map(str.upper, settings))):
        if similar := get_close_matches(name, missing, n=1, cutoff=SIMILAR):
            yield name, similar[0]
