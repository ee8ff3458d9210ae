"""The MCP server: its tools, and its two transports."""

from colloquy.async_client import AsyncClient
from colloquy.extras import extra
from colloquy.mcp.tools import Tools

with extra("mcp"):
    from mcp.server.mcpserver import MCPServer

INSTRUCTIONS = "Conversations stored in Colloquy: their status, their messages, and appending messages."


def mcp_server(client: AsyncClient) -> MCPServer:
    """Returns an MCP server whose tools use this client."""
    server = MCPServer("colloquy", instructions=INSTRUCTIONS, log_level="WARNING")
    tools = Tools(client)
    for tool in (tools.fetch_status, tools.list_sessions, tools.read_history, tools.append_message):
        server.add_tool(tool)
    return server


async def serve(client: AsyncClient, address: tuple[str, int] | None) -> None:
    """Serves streamable HTTP at `/mcp` of this host and port, or stdio for None, until it is cancelled."""
    async with client:
        server = mcp_server(client)
        if address is None:
            await server.run_stdio_async()
        else:
            await server.run_streamable_http_async(host=address[0], port=address[1], stateless_http=True)
