"""Migrations on a temporary PostgreSQL.

`check`: upgrade, downgrade, upgrade; then the database must not differ from the tables in the code.
`new NAME`: generate the migration that brings the database to the tables in the code.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command

from app.db.operations.embedded import embedded_postgres
from app.db.operations.migrate import MigrationError, alembic, downgrade, upgrade


def main(action: str, name: str = "") -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)
        with embedded_postgres(Path(directory) / "pg", durable=False) as url:
            upgrade(url)
            if action == "new":
                alembic(url, command.revision, message=name, autogenerate=True, rev_id=name)
                return
            downgrade(url, "base")
            upgrade(url)
            alembic(url, command.check)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except MigrationError as error:
        sys.exit(str(error))
