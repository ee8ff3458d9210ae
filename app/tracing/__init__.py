"""OpenTelemetry: traces from a request to the delivery of the events that it caused, and the metrics of `/metrics`.

`parts` is what the application is built of; only the modules beside it import OpenTelemetry, when tracing is on.
"""

from app.tracing.parts import NotInstalled, Parts, parts_of

__all__ = ["NotInstalled", "Parts", "parts_of"]
