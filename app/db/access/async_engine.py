"""SQLAlchemy's asyncio engine, without the ORM that its package imports.

`sqlalchemy.ext.asyncio` imports the ORM for `AsyncSession`: a tenth of a server's start and 13 MiB that no statement
here needs. Its engine module does without. A later import of the package runs its own `__init__` as usual.
"""

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from app.db.access.servers import Servers

PACKAGE = "sqlalchemy.ext.asyncio"
CONNECT_SECONDS = 60


def _engine_module() -> ModuleType:
    if PACKAGE in sys.modules:
        return import_module(f"{PACKAGE}.engine")
    spec = find_spec(PACKAGE)
    assert spec is not None
    sys.modules[PACKAGE] = module_from_spec(spec)  # its path, and none of its imports
    try:
        return import_module(f"{PACKAGE}.engine")
    finally:
        del sys.modules[PACKAGE]


if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
else:
    _module = _engine_module()
    AsyncConnection, AsyncEngine = _module.AsyncConnection, _module.AsyncEngine
    create_async_engine = _module.create_async_engine

__all__ = ["AsyncConnection", "AsyncEngine", "create_async_engine", "open_engine"]


def open_engine(servers: Servers, *, connect_args: dict[str, Any] | None = None, **options: Any) -> AsyncEngine:
    """An engine for a database, whose connections `servers` opens."""
    arguments = {"timeout": CONNECT_SECONDS, **(connect_args or {}), "async_creator_fn": servers.connect}
    return create_async_engine("postgresql+asyncpg://", connect_args=arguments, **options)
