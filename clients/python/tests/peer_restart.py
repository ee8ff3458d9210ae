"""Kills the server under a program in the environment of a framework, and starts it again."""

import asyncio
import os
from pathlib import Path

from clients.python.tests.peer_environment import PeerEnvironment
from harness.server_settings import SECRET
from harness.wheels import ROOT
from tests.support.servers import server_process


async def output_across_restart(environment: PeerEnvironment, database_url: str, program: Path, directory: Path) -> str:
    """What the program, started in `directory`, prints after the line `stored`, while the server is killed and started again.

    The program goes on when it reads a line, and the server is down then.
    """
    async with server_process(database_url) as server:
        paths = os.pathsep.join(map(str, (program.parent, ROOT / "clients/python/src")))
        process = await asyncio.create_subprocess_exec(
            *(environment.python, str(program)),
            cwd=directory,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": paths,
                "COLLOQUY_URL": server.url,
                "COLLOQUY_SECRET": SECRET,
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin
        assert process.stdout
        assert await process.stdout.readline() == b"stored\n"
        server.kill()
        process.stdin.write(b"go on\n")
        await process.stdin.drain()
        server.start()
        await server.ready()
        printed, _ = await process.communicate()
        return printed.decode()
