"""Durations and sizes of live delivery that no setting exposes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTuning:
    """Times are in seconds. A server uses these values; a test that needs others passes its own."""

    poll_seconds: float = 30.0
    """Between two polls of all channels while the bus is healthy."""
    degraded_poll_seconds: float = 2.0
    """Between two polls while the bus is down."""
    batch_size: int = 100
    """The most changes that one read returns."""
    send_timeout_seconds: float = 2.0
    """For all wake-ups that wait in one process; afterwards the bus sends them again."""
    postgres_heartbeat_seconds: float = 10.0
    """Without wake-ups, PostgresBus checks its connection after this time."""
