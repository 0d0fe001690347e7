"""Ray Data over ingest tasks, and over the sessions of a store.

Plan, tasks and commit are `stom_ray.store`'s own; Ray only runs them, so the store is the one that processes would make.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import pyarrow as pa
import ray
from ray.data import Dataset
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from stom_ray.store.ingest import Tools, run_task
from stom_ray.store.plan import TableTask
from stom_ray.store.report import TableResult
from stom_ray.store.shards import Shard, shard_tables


class IngestDatasource(Datasource):
    """A block of results a group of ingest tasks; reading it does the work, on a machine that sees files and store."""

    def __init__(self, tasks: Sequence[TableTask]) -> None:
        self.tasks = tuple(tasks)

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: object | None = None
    ) -> list[ReadTask]:
        groups = [self.tasks[start::parallelism] for start in range(min(parallelism, len(self.tasks)))]
        return [_read_task(partial(_run, group), len(group)) for group in groups]


class SessionDatasource(Datasource):
    """Rows of a store, a read task for each shard of `plan_shards`."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = tuple(shards)

    def estimate_inmemory_data_size(self) -> int | None:
        return sum(shard.n_rows * 8 * (len(shard.columns) + 3) for shard in self.shards)

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: object | None = None
    ) -> list[ReadTask]:
        return [_read_task(partial(shard_tables, shard), shard.n_rows) for shard in self.shards]


def run_on_ray(tasks: Sequence[TableTask], *, parallelism: int | None = None) -> Iterator[TableResult]:
    """A `tasks_runner` for `store.ingest`: the tasks on the running Ray session. parallelism: None = the session's CPUs."""
    if not tasks:
        return
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    blocks = parallelism or int(resources.get("CPU", 1))
    dataset = ray.data.read_datasource(IngestDatasource(tasks), override_num_blocks=min(blocks, len(tasks)))
    for row in dataset.iter_rows():
        yield TableResult.from_json(json.loads(row["result"]))


def session_dataset(shards: Sequence[Shard]) -> Dataset:
    """The shards' sessions as a Ray dataset with columns code, day, index and the shards' own."""
    dataset: Dataset = ray.data.read_datasource(SessionDatasource(shards), override_num_blocks=max(len(shards), 1))
    return dataset


def _run(tasks: Sequence[TableTask]) -> Iterable[pa.Table]:
    tools = Tools()
    for task in tasks:
        yield pa.table({"result": [json.dumps(run_task(task, tools).to_json())]})


def _read_task(read: Callable[[], Iterable[pa.Table]], rows: int) -> ReadTask:
    metadata = BlockMetadata(num_rows=rows, size_bytes=None, input_files=None, exec_stats=None)
    return ReadTask(read, metadata)
