"""A real Redis that keeps nothing, for one test or experiment."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.ports import free_port
from harness.process import Process
from harness.programs import program

PASSWORD = "not in any log"


class RedisServer(Process):
    """`redis-server` on a port that it keeps when it is started again; `url` holds the password."""

    def __init__(self, directory: Path, name: str = "redis") -> None:
        self.port = free_port()
        self.url = f"redis://:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/0"
        address = ["--bind", "127.0.0.1", "--port", str(self.port)]
        options = ["--save", "", "--appendonly", "no", "--requirepass", PASSWORD]
        super().__init__(name, [program("redis-server"), *address, *options], directory, environment={})


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A started server, killed at the end. Raises MissingPrerequisite."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory))
        try:
            yield server
        finally:
            server.kill()
