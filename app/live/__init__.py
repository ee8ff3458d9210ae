"""Live events: commit, bus, channel, one read, one batch for all listeners. `app.transport.fan_out` sends them on."""
