"""A real PgBouncer in transaction mode, as Debian has it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from harness.ports import free_port
from harness.process import Process
from harness.programs import program

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
    """The URL of the same database through a pool of `size` connections. Raises MissingPrerequisite."""
    address, port = make_url(url), free_port()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o711)  # PgBouncer refuses to run as root, and reads its configuration as nobody
        (directory / "pgbouncer.ini").write_text(CONFIGURATION.format(server=_server(address), port=port, size=size))
        account = ["--user", "nobody"] if os.geteuid() == 0 else []
        command = [program("pgbouncer"), "--quiet", *account, str(directory / "pgbouncer.ini")]
        process = Process("pgbouncer", command, directory, environment={})
        try:
            process.wait_until_listening(port)
            pooled = address.set(host="127.0.0.1", port=port, query={}, username="anybody", password=None)
            yield pooled.render_as_string()
        finally:
            process.stop()


def _server(address: URL) -> str:
    """PgBouncer's connection string for the server of this URL."""
    host = address.query.get("host") or address.host
    options = {"host": host, "port": address.port, "user": address.username, "password": address.password}
    return " ".join(f"{name}={value}" for name, value in options.items() if value)
