"""Ports of the loopback for programs that keep theirs across restarts."""

import socket
from random import SystemRandom

HOST = "127.0.0.1"
BELOW_EPHEMERAL = range(20_000, 32_768)


def free_port() -> int:
    """A free port below the ephemeral range: no outgoing connection takes it while its killed server is away."""
    for port in SystemRandom().sample(BELOW_EPHEMERAL, len(BELOW_EPHEMERAL)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise RuntimeError("there is no free port")


def accepts(port: int) -> bool:
    """True if a server accepts connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
