"""The revision that the service looks for is the newest that Alembic knows."""

from pathlib import Path

from alembic.script import ScriptDirectory

from service.storage import migrations
from service.storage.migrate import NEWEST_REVISION


def test_newest_revision_is_the_head_of_the_migrations() -> None:
    assert ScriptDirectory(Path(migrations.__path__[0])).get_current_head() == NEWEST_REVISION
