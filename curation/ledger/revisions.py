"""Revisions of the ledger's schema: which there are, which one a database has, and how it gets to another."""

from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, inspect, select

MIGRATIONS = Path(__file__).with_name("migrations")
MIGRATION_LOCK = 0x636C6170
"""Held by the process that migrates a PostgreSQL ledger; any number, the same in all processes."""

HEAD = "head"


@cache
def known() -> frozenset[str]:
    """All revisions that this version of the code can bring up to date."""
    return frozenset(one.revision for one in _scripts().walk_revisions())


@cache
def newest() -> str:
    """The revision that this version of the code works on."""
    return str(_scripts().get_current_head())


def revision_of(connection: Connection) -> str | None:
    """The revision of a database; None where nothing was made yet."""
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def bring_up_to_date(engine: Engine) -> None:
    """Migrate a database to the newest revision. Workers may start at once: one migrates, the others find it done."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if revision_of(connection) != newest():
            make_schema(connection, HEAD)


def make_schema(connection: Connection, revision: str) -> None:
    """Make or change the tables of a database to those of a later revision, in the connection's transaction."""
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def is_empty(connection: Connection) -> bool:
    """Whether a database holds no table yet."""
    return not inspect(connection).get_table_names()


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _scripts() -> Any:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())
