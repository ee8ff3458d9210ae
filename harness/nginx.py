"""A real nginx with the configuration that docs/proxies.md shows, TLS and path prefix included."""

import os
import re
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from harness.certificates import Authority
from harness.ports import free_port
from harness.process import Process
from harness.programs import program

PAGE = Path(__file__).resolve().parents[1] / "docs" / "proxies.md"
CONFIGURATION = """
user {user};
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
http {{
access_log off;
client_body_temp_path {directory};
proxy_temp_path {directory};
fastcgi_temp_path {directory};
uwsgi_temp_path {directory};
scgi_temp_path {directory};
gzip on;
gzip_types *;
gzip_min_length 1;
proxy_buffering on;
{more}
{shown}
}}
"""
TRUSTED = ssl.create_default_context()


@contextmanager
def nginx(upstream: str, *, keep_prefix: bool = False, more: str = "") -> Iterator[str]:
    """The URL of the prefix, for a server at the URL `upstream`; `TRUSTED` accepts its certificate.

    `keep_prefix` leaves the prefix in the path; `more` are further directives of `http`. Raises MissingPrerequisite.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="colloquy-nginx-") as name:
        directory = Path(name)
        for end, pem in zip(("pem", "key"), _certificate(), strict=True):
            (directory / f"server.{end}").write_bytes(pem)
        shown = _shown(name, port, urlsplit(upstream).netloc, keep_prefix)
        user = "root" if os.geteuid() == 0 else "nobody"
        configuration = directory / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(directory=name, user=user, more=more, shown=shown))
        command = [program("nginx"), "-e", "error.log", "-p", name, "-c", str(configuration)]
        process = Process("nginx", command, directory, environment={})
        try:
            process.wait_until_listening(port)
            yield f"https://127.0.0.1:{port}/chat"
        finally:
            process.stop()


def _shown(directory: str, port: int, upstream: str, keep_prefix: bool) -> str:
    """The page's configuration, on this machine's ports and with this run's certificate."""
    [text] = re.findall(r"^```nginx\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    for written, here in {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/ssl/chat.example.com": f"{directory}/server",
        "http://127.0.0.1:8000/;": f"http://{upstream}{'' if keep_prefix else '/'};",
    }.items():
        assert written in text
        text = text.replace(written, here)
    return text


@cache
def _certificate() -> tuple[bytes, bytes]:
    """This process's certificate and its key."""
    authority = Authority()
    TRUSTED.load_verify_locations(cadata=authority.pem.decode())
    return authority.issue("colloquy test")
