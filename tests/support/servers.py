"""The harness' servers with users: `server.user("ann")` is a client with a token of her own."""

from typing import Any

from harness.forked_server import ForkedServer
from harness.in_process_server import InProcessServer
from tests.support.users import User


class Server(InProcessServer):
    """A server in the test's own process and event loop."""

    def user(self, name: str, **claims: Any) -> User:
        """A user with a token of these claims."""
        return User(name, self.url, self.token(name, **claims), self.http)


class ServerProcess(ForkedServer):
    """A server in a process of its own, to be killed."""

    def user(self, name: str) -> User:
        """A user with a token."""
        return User(name, self.url, self.token(name), self.http)


serving = Server.serving
server_process = ServerProcess.running
