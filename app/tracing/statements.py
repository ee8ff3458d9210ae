"""The span of a database statement (https://opentelemetry.io/docs/specs/semconv/db/sql/)."""

from typing import Any
from urllib.parse import unquote, urlsplit

from opentelemetry import trace
from opentelemetry.semconv.attributes import db_attributes as db
from opentelemetry.semconv.attributes import server_attributes as server
from opentelemetry.trace import SpanKind, Tracer

from app.db.access.slow_statements import SlowStatements
from app.db.access.statement import Query, R
from app.tracing.spans import set_failure

ROWS = "db.response.returned_rows"  # not stable yet in the convention


class TracedStatements(SlowStatements):
    """Runs statements in spans with their registered names, without SQL text and arguments.

    A statement outside of a recorded span, such as a sweep's, has none.
    """

    def __init__(self, tracer: Tracer, database_url: str, threshold: float) -> None:
        super().__init__(threshold)
        self._tracer, self._database = tracer, database_attributes(database_url)

    async def fetch(self, driver: Any, query: Query[R], arguments: tuple[Any, ...]) -> list[R]:
        if not trace.get_current_span().is_recording():
            return await super().fetch(driver, query, arguments)
        attributes = {**self._database, db.DB_QUERY_SUMMARY: query.name}
        span = self._tracer.start_span(query.name, kind=SpanKind.CLIENT, attributes=attributes)
        try:
            rows = await super().fetch(driver, query, arguments)
            span.set_attribute(ROWS, len(rows))
            return rows
        except BaseException as failure:
            set_failure(span, failure)
            if code := getattr(failure, "sqlstate", None):
                span.set_attribute(db.DB_RESPONSE_STATUS_CODE, code)
            raise
        finally:
            span.end()


def database_attributes(url: str) -> dict[str, Any]:
    """The database of a URL; several hosts, or a socket's directory, are left out."""
    parts = urlsplit(url)
    attributes: dict[str, Any] = {db.DB_SYSTEM_NAME: "postgresql", db.DB_NAMESPACE: unquote(parts.path.lstrip("/"))}
    if parts.hostname and "," not in parts.netloc:
        attributes |= {server.SERVER_ADDRESS: parts.hostname, server.SERVER_PORT: parts.port or 5432}
    return attributes
