"""What to do about a database that cannot be used, in plain words, without names, addresses and passwords.

For `/readyz`, which everybody may read, for the log, and for commands. SQLSTATE codes: PostgreSQL manual, appendix A.
"""

import socket
import ssl

from asyncpg.exceptions import ClientConfigurationError, TargetServerAttributeNotMatched

from app.db.access.failures import sqlstate

ONLY_TLS = ("no encryption", "SSL off")
BY_STATE = {
    "28P01": "the password is wrong; see the user and the password in DATABASE_URL",
    "28000": "the server does not admit this user from here; see the user in DATABASE_URL and the server's pg_hba.conf",
    "3D000": "the server has no database of this name; create it with `createdb -E UTF8 NAME`, or see DATABASE_URL",
    "53300": "the server has no connection left; lower POOL_SIZE or the number of replicas, or raise max_connections",
    "42501": "the user of DATABASE_URL lacks a right; migrate and serve as one user, the owner of the database, or run "
    "as an administrator, in this database: GRANT CREATE, USAGE ON SCHEMA public TO the user (PostgreSQL 15 and newer)"
    "; with DATABASE_ROLE the user must be a member of that role: GRANT the role TO the user",
    "22023": "a setting of the connection is not valid; if it is DATABASE_ROLE, run `colloquy migrate` with it, which "
    "creates the role",
    "42P01": "a table is missing; run `colloquy migrate`",
    "57P03": "the server starts, stops or recovers; try again in a moment",
}
BY_STATE["3F000"] = BY_STATE["42501"]  # without USAGE a user has no schema to create tables in
NEEDS_TLS = "the server accepts only connections with TLS; give sslmode=require or stricter in DATABASE_URL"
NO_HOST = (
    "no host is of the kind that DATABASE_URL names, by default one that accepts writes; promote a standby, or see "
    "target_session_attrs in DATABASE_URL"
)
HAS_NO_TLS = "the server refused TLS; switch TLS on there, or give sslmode=prefer in DATABASE_URL"
BY_KIND: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "the server's certificate is not trusted ({}); see sslrootcert in DATABASE_URL"),
    (ssl.SSLError, "the connection with TLS failed ({}); see sslmode, sslcert and sslkey in DATABASE_URL"),
    (socket.gaierror, "the host is unknown; see the host in DATABASE_URL, and the DNS"),
    (ConnectionRefusedError, "nothing accepts connections there; start PostgreSQL, or see the host in DATABASE_URL"),
    (FileNotFoundError, "there is no socket of PostgreSQL in that directory; start it, or see host in DATABASE_URL"),
    (TimeoutError, "it does not answer in time; see host and port in DATABASE_URL, and the firewall"),
    (PermissionError, "{} may not be read; let HOME be a directory of this user, or unset it"),
    (OSError, "it cannot be reached; see host and port in DATABASE_URL, and the firewall"),
    (ClientConfigurationError, "{}; see DATABASE_URL"),
    (TargetServerAttributeNotMatched, NO_HOST),
)


def hint(error: BaseException) -> str | None:
    """What to do about this error of a connection or a statement; None for one that has no hint."""
    cause = _of_driver(error)
    if "rejected SSL upgrade" in str(cause):
        return HAS_NO_TLS
    state = sqlstate(cause)
    if state == "28000" and str(cause).endswith(ONLY_TLS):
        return NEEDS_TLS
    if state in BY_STATE:
        return f"{BY_STATE[state]} ({state})"
    return next((words.format(_detail(cause)) for kind, words in BY_KIND if isinstance(cause, kind)), None)


def explained(error: BaseException) -> str:
    """The text of the error, with names and addresses, and what to do. Commands print it, servers do not."""
    words = hint(error)
    return f"{_of_driver(error)}; {words}" if words else str(error)


def _of_driver(error: BaseException) -> BaseException:
    """The driver's error inside SQLAlchemy's, or inside that of SQLAlchemy's adapter of the driver."""
    inside: BaseException = getattr(error, "orig", None) or error
    return inside.__cause__ if isinstance(inside.__cause__, TargetServerAttributeNotMatched) else inside


def _detail(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return error.verify_message.partition(",")[0]  # the rest names the host
        case ssl.SSLError():
            return error.reason
        case PermissionError():
            return str(error.filename or "a file")
    return str(error)
