"""Loggers of structlog, which imports Rich wherever it finds it: here it does not, and a start is a tenth shorter."""

import sys


def _without_rich() -> None:
    """Import structlog while Rich cannot be found."""
    absent = "rich" not in sys.modules
    if absent:
        sys.modules["rich"] = None  # type: ignore[assignment]  # what Python remembers of a module that is not there
    try:
        import structlog.dev  # noqa: F401
    finally:
        if absent:
            del sys.modules["rich"]


_without_rich()

import structlog.stdlib  # noqa: E402
from structlog import get_logger  # noqa: E402

__all__ = ["get_logger", "structlog"]
