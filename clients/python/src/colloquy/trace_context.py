"""The context of the caller's span, for the server: present if OpenTelemetry is installed in the caller's process."""

from collections.abc import MutableMapping

try:
    from opentelemetry.propagate import inject
except ImportError:

    def add_trace_context(carrier: MutableMapping[str, str]) -> None:
        """Adds nothing."""

else:

    def add_trace_context(carrier: MutableMapping[str, str]) -> None:
        """Adds `traceparent`, or what OTEL_PROPAGATORS names, if a span is current."""
        inject(carrier)
