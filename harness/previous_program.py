"""The program as it was before its newest migration, from the history of this checkout: the old one of a deploy."""

import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import httpx2

from harness.ports import free_port
from harness.process import Process
from harness.programs import MissingPrerequisite
from harness.running_server import RunningServer
from harness.server_settings import environment_for

ROOT = Path(__file__).resolve().parent.parent
# Of the main line: on a branch beside it, migrations may have had other numbers.
NEWEST_MIGRATION = (
    *("log", "-1", "--first-parent", "-m", "--no-renames", "--diff-filter=A", "--format=%H"),
    *("--", "migrations/versions"),
)
PARTS = ("app", "engine/src", "migrations", "pyproject.toml", "schema.graphql")
RUN = "import sys; from app.cli import main; sys.argv[0] = 'colloquy'; main()"


class PreviousProgram:
    """Its files are in `directory`; it runs with the packages that are installed today."""

    def __init__(self, directory: Path) -> None:
        """Raises MissingPrerequisite in a checkout without history."""
        newest = _git(*NEWEST_MIGRATION).decode().strip()
        if not newest:
            raise MissingPrerequisite("the checkout has no history: deploys of two versions are NOT tested")
        self.commit, self.directory = f"{newest}^", directory
        with tarfile.open(fileobj=BytesIO(_git("archive", self.commit, *PARTS))) as archive:
            archive.extractall(directory, filter="data")

    @property
    def command(self) -> list[str]:
        """The command `colloquy`, without arguments."""
        return [sys.executable, "-c", RUN]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make Python find this program instead of the installed one."""
        return {"PYTHONPATH": f"{self.directory}:{self.directory / 'engine/src'}"}


class PreviousServer(Process, RunningServer):
    """`colloquy serve` of the previous program."""

    def __init__(
        self, program: PreviousProgram, database_url: str, directory: Path, http: httpx2.AsyncClient, **settings: str
    ) -> None:
        self.port = free_port()
        self.schema = (program.directory / "schema.graphql").read_text()
        RunningServer.__init__(self, f"http://127.0.0.1:{self.port}", http)
        environment = environment_for(database_url, PORT=str(self.port), **settings) | program.environment
        Process.__init__(self, "previous", [*program.command, "serve"], directory, environment=environment)


def _git(*arguments: str) -> bytes:
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingPrerequisite("git has no history here: deploys of two versions are NOT tested") from error
