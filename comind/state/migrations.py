"""The schema, as numbered steps that are applied once each, every one in a transaction.

A new column or table is a new function at the end of `MIGRATIONS`; the ones before are never edited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlite_utils import Database

from comind.state.records import (
    Agent,
    Cell,
    Dataset,
    Discussion,
    Draft,
    EndpointFacts,
    Evaluation,
    Event,
    Idea,
    Kernel,
    Link,
    LlmCall,
    MonitorDecision,
    Push,
    ReplyFault,
    Report,
    Run,
)
from comind.state.rows import column_types


def m001_tables(database: Database) -> None:
    records: tuple[type, ...] = (
        Run, Kernel, Discussion, Dataset, Link, Report, Idea, Draft, Agent, Cell,
        MonitorDecision, Evaluation, LlmCall,
    )  # fmt: skip
    for record in records:
        database.table(record.TABLE).create(column_types(record), pk="id")  # type: ignore[attr-defined]
    database.table(Event.TABLE).create(column_types(Event), pk="seq")


def m002_indexes(database: Database) -> None:
    database.table(Cell.TABLE).create_index(["agent", "step"])
    database.table(Evaluation.TABLE).create_index(["agent", "step"])
    database.table(LlmCall.TABLE).create_index(["agent", "step"])


def m003_full_text(database: Database) -> None:
    for record in (Kernel, Discussion, Report, Idea):
        database.table(record.TABLE).enable_fts(
            list(record.FULL_TEXT), create_triggers=True, tokenize="porter"
        )


def m004_used_at(database: Database) -> None:
    if "used_at" not in database.table(Run.TABLE).columns_dict:
        database.table(Run.TABLE).add_column("used_at", str, not_null_default="")


def m005_submission_name(database: Database) -> None:
    if "submission_name" not in database.table(Evaluation.TABLE).columns_dict:
        database.table(Evaluation.TABLE).add_column("submission_name", str, not_null_default="")


def m006_verification_and_endpoints(database: Database) -> None:
    added: dict[str, dict[str, Any]] = {
        Kernel.TABLE: {"verified": str, "verified_by": str, "run_seconds": float},
        Draft.TABLE: {"ideas": str, "retest": int},
        Agent.TABLE: {"style": str},
    }
    defaults: dict[str, Any] = {"run_seconds": 0.0, "ideas": "[]", "retest": 0, "style": "notebook"}
    for table, columns in added.items():
        for name, kind in columns.items():
            if name not in database.table(table).columns_dict:
                database.table(table).add_column(name, kind, not_null_default=defaults.get(name, ""))
    for record in (ReplyFault, EndpointFacts):
        database.table(record.TABLE).create(column_types(record), pk="id", if_not_exists=True)


def m007_pushes(database: Database) -> None:
    database.table(Push.TABLE).create(column_types(Push), pk="id", if_not_exists=True)


def m008_licenses(database: Database) -> None:
    added: dict[str, tuple[str, ...]] = {Kernel.TABLE: ("license",), Dataset.TABLE: ("license", "url")}
    for table, columns in added.items():
        for name in columns:
            if name not in database.table(table).columns_dict:
                database.table(table).add_column(name, str, not_null_default="")


def m009_labels_readable(database: Database) -> None:
    if "labels_readable" not in database.table(Run.TABLE).columns_dict:
        database.table(Run.TABLE).add_column("labels_readable", int, not_null_default=0)


MIGRATIONS: tuple[Callable[[Database], None], ...] = (
    m001_tables,
    m002_indexes,
    m003_full_text,
    m004_used_at,
    m005_submission_name,
    m006_verification_and_endpoints,
    m007_pushes,
    m008_licenses,
    m009_labels_readable,
)


def migrate(database: Database) -> None:
    """Apply what is missing, in order."""
    if "migrations" not in database.table_names():
        database.table("migrations").create({"name": str}, pk="name")
    applied = {row["name"] for row in database.table("migrations").rows}
    for step in MIGRATIONS:
        if step.__name__ in applied:
            continue
        with database.atomic():
            step(database)
            database.table("migrations").insert({"name": step.__name__})
