"""The URL of a PostgreSQL database: what is accepted, and what it means to the driver.

The parameters are those of libpq (PostgreSQL manual, 34.1.2) that the driver knows. What is not accepted raises
ValueError, in words that repeat no password.
"""

import getpass
import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

SCHEMES = {"postgres", "postgresql", "postgresql+asyncpg"}
EXAMPLE = "give postgresql://user:password@host:5432/database"
MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
UNVERIFIED = ("disable", "allow", "prefer")
SYSTEM = "system"  # as sslrootcert: the authorities that this machine trusts
FILES = ("sslrootcert", "sslcert", "sslkey")
PARAMETERS = ("sslmode", "ssl", *FILES, "host", "port", "target_session_attrs")
TARGETS = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
HOST = re.compile(r"(\[[0-9A-Za-z:.%]+\]|[^:\[\]]*)(?::([0-9]{1,5}))?")


def postgres_url(url: str) -> str:
    """The URL in one spelling, `postgresql://…?sslmode=…`."""
    if "#" in url:
        raise ValueError("it has a #, which begins a comment in a URL; give %23 instead, in a password too")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(f"it is not a URL; {EXAMPLE}") from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f"it is not a PostgreSQL URL; {EXAMPLE}")
    if "@" in parts.query and "@" not in parts.netloc:
        raise ValueError("it has a ? before the @; give %3F instead, in a password too")
    parameters = _parameters(parts.query)
    user, _, hosts = parts.netloc.rpartition("@")
    _check_hosts(hosts, parameters)
    if len(parts.path) < 2:
        raise ValueError(f"it names no database; {EXAMPLE}")
    _check_user(user.partition(":")[0])
    _check_tls(parameters)
    _check_target(parameters)
    query = urlencode(parameters, quote_via=quote, safe="/")
    return f"postgresql://{parts.netloc}{parts.path}" + (f"?{query}" if query else "")


def driver_arguments(url: str) -> dict[str, Any]:
    """The arguments of `asyncpg.connect` for a URL."""
    dsn = postgres_url(url)
    base, _, query = dsn.partition("?")
    parameters = dict(parse_qsl(query))
    if parameters.get("sslrootcert") != SYSTEM:
        return {"dsn": dsn}
    import ssl  # a tenth of a second that only this URL needs

    context = ssl.create_default_context()
    if certificate := parameters.get("sslcert"):
        context.load_cert_chain(certificate, parameters.get("sslkey"))
    others = {name: value for name, value in parameters.items() if not name.startswith("ssl")}
    return {"dsn": f"{base}?{urlencode(others, quote_via=quote, safe='/')}", "ssl": context}


def each_host(url: str) -> list[str]:
    """URLs of one host each, in the order of the URL's hosts.

    Of several hosts each has `target_session_attrs`, read-write unless the URL has another; `prefer-standby` gives
    every host twice, as a standby first.
    """
    parts = urlsplit(postgres_url(url))
    parameters = dict(parse_qsl(parts.query))
    account, at, hosts = parts.netloc.rpartition("@")
    if hosts:
        addresses = [(host, dict[str, str]()) for host in hosts.split(",")]
    else:
        names, ports = parameters.pop("host").split(","), parameters.pop("port", "").split(",")
        ports = ports * len(names) if len(ports) == 1 else ports
        addresses = [("", {"host": name, "port": port}) for name, port in zip(names, ports, strict=True)]
    target = parameters.pop("target_session_attrs", "read-write" if len(addresses) > 1 else "any")
    found = []
    for kind in ("standby", "any") if target == "prefer-standby" else (target,):
        for host, own in addresses:
            values = parameters | own | {"target_session_attrs": "" if kind == "any" else kind}
            query = urlencode({name: value for name, value in values.items() if value}, quote_via=quote, safe="/")
            found.append(f"postgresql://{account}{at}{host}{parts.path}" + (f"?{query}" if query else ""))
    return found


def without_password(url: str) -> str:
    """The URL for a message: user, host and database."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return f"postgresql://{user.partition(':')[0]}@{host}{parts.path}"


def _parameters(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, strict_parsing=bool(query))
    except ValueError:
        raise ValueError("its parameters are not name=value; give ?sslmode=require") from None
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        raise ValueError("it has a parameter twice; give one value, such as host=one,two for two hosts")
    for name in parameters:
        if name not in PARAMETERS:
            raise ValueError(f"it has the parameter {name}, which is unknown here; {_instead(name)}")
    if "ssl" in parameters:  # as SQLAlchemy spells it
        parameters["sslmode"] = parameters.pop("ssl")
    return parameters


def _instead(name: str) -> str:
    similar = get_close_matches(name.lower(), PARAMETERS, n=1)
    return f"give {similar[0]}" if similar else f"give none, or {', '.join(PARAMETERS)}"


def _check_hosts(hosts: str, parameters: dict[str, str]) -> None:
    if not hosts and not parameters.get("host"):
        raise ValueError(f"it names no host; {EXAMPLE}")
    for host in hosts.split(",") if hosts else []:
        found = HOST.fullmatch(host)
        if not found or int(found[2] or 1) not in range(1, 65_536):
            raise ValueError(f"it is not a URL; {EXAMPLE}")
        if not found[1]:
            raise ValueError(f"one of its hosts has no name; {EXAMPLE}")
    names, ports = parameters.get("host", "").split(","), parameters.get("port", "").split(",")
    if len(ports) not in (1, len(names)) or not all(port.isdecimal() or len(ports) == 1 for port in ports):
        raise ValueError("it has another number of ports than of hosts; give one port, or one for each host")


def _check_target(parameters: dict[str, str]) -> None:
    if (target := parameters.get("target_session_attrs", "any")) not in TARGETS:
        raise ValueError(f"target_session_attrs={target} is not accepted; give one of {', '.join(TARGETS)}")


def _check_user(name: str) -> None:
    if name:
        return
    try:
        getpass.getuser()
    except (KeyError, OSError):
        raise ValueError(f"it names no user, and the account of this process has no name; {EXAMPLE}") from None


def _check_tls(parameters: dict[str, str]) -> None:
    mode, root = parameters.get("sslmode", "prefer"), parameters.get("sslrootcert")
    if mode not in MODES:
        raise ValueError(f"sslmode={mode} is not accepted; give one of {', '.join(MODES)}")
    if root and (mode in UNVERIFIED or (root == SYSTEM and mode != "verify-full")):
        raise ValueError(f"sslrootcert is set, and sslmode={mode} does not check it; give sslmode=verify-full")
    if not root and mode.startswith("verify") and not _has_default_root():
        raise ValueError(f"sslmode={mode} needs to know the authority; give sslrootcert=FILE, or sslrootcert={SYSTEM}")
    if "sslkey" in parameters and "sslcert" not in parameters:
        raise ValueError("sslkey is set without sslcert; give both, or neither")
    if files := {name: parameters[name] for name in FILES if parameters.get(name, SYSTEM) != SYSTEM}:
        _check_files(**files)


def _check_files(sslrootcert: str = "", sslcert: str = "", sslkey: str = "") -> None:
    import ssl

    for file in filter(None, (sslrootcert, sslcert, sslkey)):
        try:
            Path(file).read_bytes()
        except OSError as error:
            raise ValueError(f"{file} cannot be read ({error.strerror}); give a file that this process reads") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    loading = "sslrootcert"
    try:
        if sslrootcert:
            context.load_verify_locations(sslrootcert)
        loading = "sslcert and sslkey"
        if sslcert:
            context.load_cert_chain(sslcert, sslkey or None, password="")
    except ssl.SSLError as error:
        raise ValueError(f"{loading} cannot be used ({error.reason or error}); give files in PEM format") from None


def _has_default_root() -> bool:
    """True if the driver finds an authority without sslrootcert, as libpq does."""
    try:
        return "PGSSLROOTCERT" in os.environ or (Path.home() / ".postgresql/root.crt").is_file()
    except (RuntimeError, OSError):  # no home directory, or not one of ours
        return False
