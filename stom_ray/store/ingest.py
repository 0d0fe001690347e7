"""Databases into a store: plan, read each table, commit each table, report.

Every table is committed on its own by replacing its manifest, so an ingest that is killed has finished tables and untouched
ones, never half of one; running it again reads only what is missing or has changed. A damaged table is named in the report and
takes no other down.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from stom_ray.errors import ConfigError, SchemaError, StoreError
from stom_ray.store.commit import commit_rankings, commit_table
from stom_ray.store.manifest import RANKINGS, check_place, locked_store, open_store
from stom_ray.store.parts import Session, table_sessions
from stom_ray.store.plan import SourceFile, TableTask, look, make_plan
from stom_ray.store.quality import TableQuality, clean
from stom_ray.store.report import IngestReport, TableResult
from stom_ray.store.room import Room
from stom_ray.store.snapshot import Schemas, Snapshot, read_snapshot
from stom_ray.store.table import instrument_tables, read_table
from stom_ray.store.verify import verified_checksum

WRITING = 2  # threads beyond the workers: what they computed is being written meanwhile

Runner = Callable[[Sequence[TableTask]], Iterable[TableResult]]


def ingest(
    paths: str | Path | Sequence[str | Path],
    store_dir: str | Path,
    *,
    workers: int = 1,
    verify: bool = False,
    tasks_runner: Runner | None = None,
    progress: Callable[[TableResult], None] | None = None,
) -> IngestReport:
    """Takes what is new or changed in these databases into the store, which is made when it is not there.

    workers: threads reading tables at a time. verify: read every table, unchanged ones too, a second time through the SQLite
    library; a table that comes out different fails. tasks_runner: runs the tasks instead (Ray); whoever runs them, the store is
    the same. progress: called with each finished table. Raises StoreError for files and folders that cannot be used, a full
    disk, another ingest at work; tables that cannot be read are in the report.
    """
    if workers < 1:
        raise ConfigError(f"workers is {workers}: expected at least 1")
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not files:
        raise StoreError("no database given: pass at least one path")
    store = Path(store_dir).absolute()
    check_place(store)
    sources = look(files)
    with locked_store(store):
        open_store(store, create=True)
        plan = make_plan(sources, store, verify=verify)
        runner = tasks_runner or (run_serially if workers == 1 else partial(run_in_threads, workers=workers))
        results: list[TableResult] = []
        for result in runner(plan.tasks):
            results.append(result)
            if progress is not None:
                progress(result)
    return IngestReport(str(store), plan, tuple(sorted(results, key=lambda one: one.code)))


@dataclass(frozen=True)
class Tools:
    """What one thread's tasks use again. schemas: of the databases, shared by all. computing: held while there is something to
    compute, not while the disk writes."""

    room: Room = field(default_factory=Room)
    schemas: Schemas = field(default_factory=dict)
    computing: contextlib.AbstractContextManager[object] = field(default_factory=contextlib.nullcontext)


def run_serially(tasks: Sequence[TableTask]) -> Iterator[TableResult]:
    """One after the other, in this thread."""
    tools = Tools()
    for task in tasks:
        yield run_task(task, tools)


def run_in_threads(tasks: Sequence[TableTask], *, workers: int) -> Iterator[TableResult]:
    """As many at a time as workers, and WRITING more being written; results as they come.

    Decoding, checking, hashing and writing all run without Python's lock. Raises what the first failing task raised, when those
    under way have ended; no further one is begun then.
    """
    computing = threading.BoundedSemaphore(workers)
    schemas: Schemas = {}
    free: queue.LifoQueue[Tools] = queue.LifoQueue()  # the last ones used are still in the processor's cache
    for _ in range(workers + WRITING):
        free.put(Tools(Room(), schemas, computing))

    def run(task: TableTask) -> TableResult:
        tools = free.get()
        try:
            return run_task(task, tools)
        finally:
            free.put(tools)

    pool = ThreadPoolExecutor(workers + WRITING, thread_name_prefix="ingest")
    try:
        for done in as_completed([pool.submit(run, task) for task in tasks]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def run_task(task: TableTask, tools: Tools | None = None) -> TableResult:
    """Reads one table from its sources and commits what is new. A source that cannot be read is in the result.

    tools: of the tasks before in this thread. Raises StoreError only when the store cannot be written.
    """
    tools = tools or Tools()
    with tools.room:
        return _run(task, tools)


def _run(task: TableTask, tools: Tools) -> TableResult:
    if task.code == RANKINGS:
        reasons = {source.path: commit_rankings(Path(task.store), source, verify=task.verify) for source in task.sources}
        return TableResult(RANKINGS, failed={path: why for path, why in reasons.items() if why is not None})
    sessions: dict[int, Session] = {}
    read: list[tuple[SourceFile, list[Session], TableQuality]] = []
    checksums: dict[str, str] = {}
    failed: dict[str, str] = {}
    with tools.computing:
        for source in task.sources:
            try:
                work = partial(_read, task=task, source=source, room=tools.room)
                found, quality, checksum = read_snapshot(source.path, work, tools.schemas)
            except (StoreError, SchemaError) as error:
                failed[source.path] = str(error)
                continue
            read.append((source, found, quality))
            checksums |= {source.path: checksum} if checksum else {}
            sessions |= {one.day: one for one in found}
    new, changed = commit_table(Path(task.store), task.code, read) if read else ((), ())
    return TableResult(
        code=task.code,
        rows=sum(quality.rows for _, _, quality in read),
        kept=sum(quality.kept for _, _, quality in read),
        new_days=new,
        changed_days=changed,
        same_days=len(sessions) - len(new) - len(changed),
        quality={source.path: quality for source, _, quality in read},
        failed=failed,
        checksums=checksums,
    )


def _read(snapshot: Snapshot, task: TableTask, source: SourceFile, room: Room) -> tuple[list[Session], TableQuality, str]:
    """(sessions, quality, checksum: empty unless the task says verify)."""
    if task.code not in snapshot.schema.columns:
        snapshot.learn(instrument_tables(snapshot))
    raw = read_table(snapshot, task.code, room.take)
    checksum = verified_checksum(snapshot, raw) if task.verify else ""
    table, quality = clean(raw)
    return table_sessions(table, f"{source.path}, table {task.code}", source.ranked), quality, checksum
