"""The MCP server: its tools, and its two transports."""

from typing import Any

from colloquy.async_client import AsyncClient
from colloquy.extras import extra
from colloquy.mcp.authorization import Authorization, KeysRequired, Verifier
from colloquy.mcp.memory_tools import MemoryTools
from colloquy.mcp.tools import Tools

with extra("mcp"):
    from mcp.server.mcpserver import MCPServer

INSTRUCTIONS = (
    "Conversations stored in Colloquy: their status, their messages, and appending messages. And memories: documents "
    "under keys that outlast a conversation."
)


def mcp_server(client: AsyncClient, authorization: Authorization | None = None) -> MCPServer:
    """Returns an MCP server whose tools use this client.

    With an authorization, `client` is one that acts for `colloquy.mcp.authorization.subject`.
    """
    options: dict[str, Any] = {}
    if authorization is not None:
        options = {"auth": authorization.settings, "token_verifier": Verifier(authorization)}
    server = _Server("colloquy", instructions=INSTRUCTIONS, log_level="WARNING", **options)
    tools, memories = Tools(client), MemoryTools(client)
    for tool in (
        *(tools.fetch_status, tools.list_sessions, tools.read_history, tools.append_message),
        *(memories.remember, memories.recall),
    ):
        server.add_tool(tool)
    return server


class _Server(MCPServer):
    def streamable_http_app(self, **options: Any) -> Any:
        app = super().streamable_http_app(**options)
        app.add_middleware(KeysRequired)
        return app


async def serve(
    client: AsyncClient, address: tuple[str, int] | None, authorization: Authorization | None = None
) -> None:
    """Serves streamable HTTP at `/mcp` of this host and port, or stdio for None, until it is cancelled."""
    async with client:
        server = mcp_server(client, authorization)
        if address is None:
            await server.run_stdio_async()
        else:
            security = authorization.transport_security if authorization else None
            await server.run_streamable_http_async(
                host=address[0], port=address[1], stateless_http=True, transport_security=security
            )
