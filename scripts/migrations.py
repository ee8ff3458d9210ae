"""Migrations on a throwaway PostgreSQL.

`check`: up, down, up, and then no difference to the tables. `new NAME`: write what takes it to the tables.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command

from app.db.operations.embedded import embedded_postgres
from app.db.operations.migrate import MigrationError, alembic, downgrade, upgrade


def main(act: str, name: str = "") -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o711)
        with embedded_postgres(Path(place) / "pg", durable=False) as url:
            upgrade(url)
            if act == "new":
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
