"""An MCP server (https://modelcontextprotocol.io) over Colloquy's public API: `colloquy-mcp`, `python -m colloquy.mcp`.

It acts for one owner, the subject of COLLOQUY_TOKEN, on the server at COLLOQUY_URL; over HTTP with an authorization
server it acts for the owner of each request. `colloquy.mcp.server.mcp_server` makes the same server of any
`AsyncClient`. Both need the extra: `colloquy-client[mcp]`.
"""
