"""A real PgBouncer in transaction mode, as Debian has it."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import URL, make_url

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
CONFIGURATION = """
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
"""


@contextmanager
def pgbouncer(url: str, *, size: int) -> Iterator[str]:
    """The URL of the same database past a pool of `size` connections; without the program as `redis_server` does."""
    if PGBOUNCER is None:
        missing = "no PgBouncer on this machine: work behind it was NOT tested (scripts/install-debian)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    address = make_url(url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
        file.write(CONFIGURATION.format(server=_server(address), port=port, size=size))
        file.flush()
        Path(file.name).chmod(0o644)
        account = ["--user", "nobody"] if os.geteuid() == 0 else []
        running = subprocess.Popen([PGBOUNCER, "--quiet", *account, file.name])
        try:
            past = address.set(host="127.0.0.1", port=port, query={}, username="anybody", password=None)
            yield past.render_as_string()
        finally:
            running.terminate()
            running.wait()


def _server(address: URL) -> str:
    """Where PgBouncer finds the server, in its own spelling."""
    host = address.query.get("host") or address.host
    given = {"host": host, "port": address.port, "user": address.username, "password": address.password}
    return " ".join(f"{name}={value}" for name, value in given.items() if value)
