"""An embedded PostgreSQL for machines without a server: a real one, with the programs of a wheel.

Locks that the kernel releases coordinate the processes, so that `kill -9` of any of them needs no clean-up: a process
that starts or stops the server holds `start.lock`, a process that uses it shares `use.lock`, and the last user stops
the server.
"""

import fcntl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote

from app.db.operations.binaries import EmbeddedError, account
from app.db.operations.cluster import Cluster

__all__ = ["EmbeddedError", "embedded_postgres"]


@contextmanager
def embedded_postgres(root: Path, *, durable: bool = True) -> Iterator[str]:
    """A running PostgreSQL with its data below `root`, as a SQLAlchemy URL.

    Processes on the same `root` share one server; the last one stops it. `durable=False` gives up safety against a
    power cut for speed. Blocks for about a second the first time. Raises EmbeddedError.
    """
    with _lock_file(root, "start.lock") as starting, _lock_file(root, "use.lock") as using:
        with _locked(starting):
            cluster = Cluster(_accessible(root.resolve()), durable)
            sockets = cluster.start()
            fcntl.flock(using, fcntl.LOCK_SH)
        try:
            yield f"postgresql+asyncpg://app@/postgres?host={quote(str(sockets), safe='/')}"
        finally:
            with _locked(starting):
                if _is_last_user(using):
                    cluster.stop()


def _lock_file(root: Path, name: str) -> IO[str]:
    try:
        root.mkdir(mode=0o711, parents=True, exist_ok=True)
        return (root / name).open("a")
    except OSError as error:
        raise EmbeddedError(
            f"PostgreSQL cannot store anything in {root} ({error.strerror}): give a directory to write to in DATA_DIR, "
            "or set DATABASE_URL."
        ) from error


@contextmanager
def _locked(file: IO[str]) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _is_last_user(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _accessible(root: Path) -> Path:
    """`root`, or a directory in /var/lib if the server's account cannot enter `root`; the link `elsewhere` names it."""
    owner = account()
    if not owner or subprocess.run(["test", "-x", root], check=False, **owner).returncode == 0:
        return root
    link = root / "elsewhere"
    if not link.exists():
        link.unlink(missing_ok=True)
        directory = Path(tempfile.mkdtemp(prefix="colloquy-", dir="/var/lib"))
        directory.chmod(0o711)
        link.symlink_to(directory)
    return link.resolve()
