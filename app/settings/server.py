"""The settings of the process: see `Settings`."""

import os
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_dir
from pydantic import AfterValidator, BaseModel, BeforeValidator

from app.settings.fields import Names, is_development, setting, whole_number
from app.settings.values import absolute_path, networks, path_prefix, to_lower


def data_dir() -> Path | None:
    """The platform's data directory; None for an account without a home.

    For root a place that the database's own account can enter: not its home.
    """
    try:
        return Path("/var/lib/colloquy" if os.geteuid() == 0 else user_data_dir("colloquy"))
    except RuntimeError:
        return None


class Server(BaseModel):
    """The process: where it listens, what it logs, when it stops."""

    environment: Annotated[Literal["development", "production"], BeforeValidator(to_lower)] = setting(
        "development",
        "`development` or `production`; production refuses the embedded database and a generated secret.",
        "development or production",
    )
    host: str = setting(
        "127.0.0.1", "Address to listen on; in a container `0.0.0.0`, or `::` for IPv6 and IPv4.", "an address"
    )
    port: int = whole_number(8000, "Port to listen on; 0 selects a free port.", low=0, high=65535)
    workers: int = whole_number(
        1, "Processes that share the port, such as one for each core; each has POOL_SIZE connections.", high=256
    )
    root_path: Annotated[str, AfterValidator(path_prefix)] = setting(
        "",
        "Path under which a proxy serves this server, such as `/chat`; needed only if the proxy leaves it in the path.",
        "a path",
    )
    forwarded_allow_ips: Annotated[Names, AfterValidator(networks)] = setting(
        (),
        "Proxies whose `X-Forwarded-Host` and `X-Forwarded-Proto` are used: addresses, networks or `*`.",
        "addresses",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(to_lower)] = setting(
        "info", "Lowest level that is logged: debug, info, warning or error.", "debug, info, warning or error"
    )
    log_format: Annotated[Literal["json", "console"], BeforeValidator(to_lower)] = setting(
        lambda valid: "console" if is_development(valid) else "json",
        "`json`: one object per line; `console`: text, coloured in a terminal.",
        "json or console",
        default_text="console in development, json in production",
    )
    no_color: str | None = setting(None, "Any text: no colours in a terminal either (no-color.org).", "any text")
    opentelemetry: bool = setting(
        False,
        "Send traces and metrics with OpenTelemetry, as the standard `OTEL_*` variables configure it; needs "
        "`colloquy-server[otel]`.",
        "true or false",
    )
    data_dir: Annotated[Path, AfterValidator(absolute_path)] | None = setting(
        data_dir,
        "Directory of the embedded database and of the generated secret.",
        "a directory",
        default_text="the platform's data directory; /var/lib/colloquy as root",
    )
    request_timeout_seconds: int = whole_number(30, "Time after which a query or mutation is cancelled.", high=3600)
    shutdown_seconds: int = whole_number(10, "Time that running requests get after a stop signal.", low=0, high=3600)
