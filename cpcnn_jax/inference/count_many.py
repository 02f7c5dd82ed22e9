"""Counts of very many files by the workers of a Ray cluster, in one Parquet table.

The files are divided into shards. A worker writes each shard's rows as a Parquet file
of its own, so that a run that was ended goes on where it was. Ray starts workers that
die anew and repeats their shards.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import ray
from ray.util import ActorPool

from cpcnn_jax.inference import compilation_cache, counter
from cpcnn_jax.inference.count_files import FileCount, count_files
from cpcnn_jax.inference.count_options import CountOptions
from cpcnn_jax.io import atomic_write

SCHEMA = pa.schema(
    [
        *(("file", pa.string()), ("count", pa.float64())),
        *(("low", pa.float64()), ("high", pa.float64()), ("error", pa.string())),
        *(("seconds", pa.float64()), ("width", pa.int32()), ("height", pa.int32())),
        ("weights", pa.string()),
    ]
)
RETRIES = 2  # of a shard whose worker died
PLAN = "plan.json"


@dataclasses.dataclass(frozen=True)
class Plan:
    """The settings that all shards of one table share.

    Attributes:
      weights: any argument of `counter.load`.
      weights_sha256: of the weights file.
      max_size: pixels; images with a longer side are reduced first.
      tile_size: largest side of a tile, pixels; None: the default of the network.
      shard_size: files per shard.
    """

    weights: str
    weights_sha256: str
    max_size: int | None = None
    tile_size: int | None = None
    shard_size: int = 200


@contextlib.contextmanager
def connect(address: str | None, workers: int | None) -> Iterator[None]:
    """Connects to a Ray cluster, or starts one on this machine, for a block.

    Args:
      address: HOST:PORT or "auto"; None starts one.
      workers: processes that count, or None.

    Raises:
      ValueError: there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    cluster: dict[str, Any] = {"address": address}
    if address is None:
        number = max(workers or 1, os.cpu_count() or 1)
        cluster = {"num_cpus": number, "include_dashboard": False, "address": "local"}
    try:
        _check_address(address)
        ray.init(**cluster, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, OSError, ValueError) as error:
        text = str(error).strip().partition("\n")[0]
        raise ValueError(f"--address={address}: no Ray cluster: {text}") from None
    try:
        yield
    finally:
        ray.shutdown()


def _check_address(address):
    """Raises OSError or ValueError at once where Ray would try for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host:
        socket.create_connection((host, int(port)), timeout=10).close()


def count_many(
    rows: Sequence[FileCount],
    plan: Plan,
    folder: Path,
    *,
    workers: int | None,
    progress: Callable[[int, int], None],
) -> None:
    """Counts the rows' files in a Ray cluster to which this process is connected.

    Args:
      rows: from `count_files.list_files`.
      plan: the settings.
      folder: folder of the shards' files, which all machines share; made here. Shards
        that lie in it already are not counted again.
      workers: processes that count, each with a GPU if there are as many. None: one for
        each GPU or, without GPUs, for each machine.
      progress: function of the numbers of files and of errors of each shard.

    Raises:
      ValueError: the folder holds shards of another table, or a worker cannot load the
        networks.
    """
    _claim_folder(folder, rows, plan)
    missing = []
    for file, part in _list_shards(rows, plan, folder):
        if file.exists():
            progress(len(part), len(read_errors(file)))
        else:
            missing.append((file, part))
    if missing:
        _count_shards(missing, plan, workers, progress)


def merge_shards(folder: Path, rows: Sequence[FileCount], plan: Plan, out: str) -> None:
    """Writes the rows of all shards as one Parquet file, in the order of the list.

    Args:
      folder: folder of the shards' files.
      rows: the list of `count_many`.
      plan: the settings.
      out: the table, written atomically.
    """
    with atomic_write.open_atomic(out) as file, pq.ParquetWriter(file, SCHEMA) as table:
        for part, _ in _list_shards(rows, plan, folder):
            table.write_table(pq.read_table(part))


def _claim_folder(folder, rows, plan):
    """Writes the plan into a folder without shards, or compares it with theirs."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(f"{row.file}\0".encode(errors="surrogateescape"))
    record = dataclasses.asdict(plan) | {"list_sha256": digest.hexdigest()}
    file = folder / PLAN
    if not any(folder.glob("*.parquet")):
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write.write_json(file, record)
        return
    old = json.loads(file.read_text())
    if changed := [name for name in record if old.get(name) != record[name]]:
        names = ", ".join(changed).replace("list_sha256", "the list of files")
        raise ValueError(
            f"{folder} holds parts of another table (it differs in {names}): repeat "
            "the earlier command, remove the folder, or name another --out"
        )


def _list_shards(rows, plan, folder) -> Iterator[tuple[Path, Sequence[FileCount]]]:
    """Lists the shards: their files and their rows."""
    for number, start in enumerate(range(0, len(rows), plan.shard_size)):
        part = rows[start : start + plan.shard_size]
        yield folder / f"{number:06d}.parquet", part


def _count_shards(missing, plan, workers, progress):
    """Divides the shards between workers; one whose workers died gets error rows."""
    number, gpus = _size_pool(workers)
    worker = ray.remote(_Worker).options(
        num_cpus=1, num_gpus=gpus, max_restarts=-1, max_task_retries=RETRIES
    )
    actors: list[Any] = [worker.remote(plan) for _ in range(min(number, len(missing)))]
    if problem := ray.get(actors[0].find_problem.remote()):
        raise ValueError(problem)
    pool = ActorPool(actors)
    for file, part in missing:
        pool.submit(lambda actor, shard: actor.count.remote(*shard), (file, part))
    while pool.has_next():
        try:
            progress(*pool.get_next_unordered())
        except ray.exceptions.RayActorError:
            pass  # its shard stays without a file
    for file, part in missing:
        if not file.exists():
            for row in part:
                row.error = row.error or f"{row.file}: the worker died with its shard"
            progress(len(part), _write_shard(file, part))


def _size_pool(workers) -> tuple[int, int]:
    """Chooses the number of workers and the GPUs of each."""
    gpus = int(ray.cluster_resources().get("GPU", 0))
    machines = sum(node["Alive"] for node in ray.nodes())
    number = workers or gpus or machines
    return number, int(gpus >= number)


class _Worker:
    """A process of the cluster with its own networks."""

    def __init__(self, plan: Plan) -> None:
        """Loads the weights; an error is kept, because Ray would repeat the start."""
        compilation_cache.enable()
        self._options, self._problem = CountOptions(max_size=plan.max_size), ""
        try:
            self._counter = counter.load(plan.weights, tile_size=plan.tile_size)
        except (ValueError, OSError) as error:
            self._problem = str(error)

    def find_problem(self) -> str:
        """Returns why the worker cannot count, or ""."""
        return self._problem

    def count(self, file: Path, rows: Sequence[FileCount]) -> tuple[int, int]:
        """Counts a shard and writes its file; returns numbers of files and errors."""
        counted = [*count_files(rows, self._counter, self._options)]
        return len(counted), _write_shard(file, counted)


def _write_shard(file: Path, rows: Sequence[FileCount]) -> int:
    """Writes rows as a Parquet file, atomically; returns the number of errors."""
    records: list[dict[str, Any]] = [
        {name: _to_utf8(getattr(row, name)) for name in SCHEMA.names} for row in rows
    ]
    with atomic_write.open_atomic(file) as output:
        pq.write_table(pa.Table.from_pylist(records, SCHEMA), output)
    return sum(row.error is not None for row in rows)


def read_errors(file: str | os.PathLike[str]) -> list[str]:
    """Reads the sentences on the files of a table, or of a shard, without a count."""
    errors = pq.read_table(file, columns=["error"])["error"]
    return errors.drop_null().to_pylist()


def _to_utf8(value):
    """Text that Parquet can hold; bytes of a name that are not UTF-8 become \\xNN."""
    if isinstance(value, str):
        data = value.encode(errors="surrogateescape")
        return data.decode(errors="backslashreplace")
    return value
