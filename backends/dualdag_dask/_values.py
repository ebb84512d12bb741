"""Where the values of a run are on a cluster: who holds them, what is brought there, and what is brought here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dualdag.errors import DualdagError
from dualdag.execution import Handle, InputMissingError, Packer, RunInfo, dump_value, load_value
from dualdag_dask._worker import keep, take_one

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["LARGE", "Values", "blamed"]

#: Messages larger than this are put on a worker by themselves: the graph goes through the scheduler.
LARGE = 1_000_000
#: What is brought together with a value that is asked for, as more are mostly asked for next.
_TOGETHER, _TOGETHER_BYTES = 512, 4_000_000
#: How often a value is made again whose makers' workers were lost; each time takes another worker.
_AGAIN = 8
#: How long the client is given to hear that something is made again.
_HEARD = 1.0


class _Held:
    """The values of a job, as long as one of them may be asked for."""

    __slots__ = ("future", "ids", "sizes")

    def __init__(self, future: Any, ids: set[int], sizes: list[int]) -> None:
        self.future = future
        self.ids = ids
        self.sizes = sizes


class Values:
    """The values that a run's jobs left with workers, and those that the driver gave to them.

    Parameters
    ----------
    run : RunInfo
        The run's name and store.
    client : distributed.Client
        Of the cluster.
    packer : Packer
        Knows the values that only the driver reaches.
    numbers : iterator
        Gives numbers that no job of the run has.
    """

    def __init__(self, run: RunInfo, client: Any, packer: Packer, numbers: Iterator[int]) -> None:
        self._run = run
        self._client = client
        self._packer = packer
        self._numbers = numbers
        self._where: dict[int, tuple[int, int]] = {}
        self._held: dict[int, _Held] = {}
        self._near: dict[int, bytes | Any] = {}
        self._again: dict[Any, int] = {}

    def add(self, number: int, future: Any, ids: dict[int, int], sizes: list[int]) -> None:
        """Hold what a job left.

        Parameters
        ----------
        number : int
            The job's.
        future : distributed.Future
            Its own.
        ids : dict
            Number of each value, and its place.
        sizes : list of int
            Of all places.
        """
        self._held[number] = _Held(future, set(ids), sizes)
        self._where.update({id_: (number, place) for id_, place in ids.items()})

    def places(self, handles: list[Handle]) -> tuple[list[tuple[int, int, int]], list[Any]]:
        """Say where a job's values are: index of the source, place in it, number; and the sources.

        Parameters
        ----------
        handles : list of Handle
            What it takes.
        """
        numbers: dict[int, int] = {}
        places = []
        for handle in handles:
            if handle.id not in self._where or self._gone(handle):
                self._bring(handle)
            number, place = self._where[handle.id]
            source = numbers.setdefault(number, len(numbers))
            places.append((source, place, handle.id))
        return places, [self._held[number].future for number in numbers]

    def _gone(self, handle: Handle) -> bool:
        """Return whether what the driver gave to workers was lost with them: Dask can't make that again."""
        if handle.id >= 0 and handle.checksum is None:
            return False
        return self._held[self._where[handle.id][0]].future.status in {"cancelled", "lost", "error"}

    def _bring(self, handle: Handle) -> None:
        """Give workers a value that only the driver reaches; once."""
        from dask._task_spec import Task

        data = dump_value(self._packer.shared.value(handle, self._load))
        number = next(self._numbers)
        key = ("dualdag-value", self._run.run_id, number)
        if len(data) > LARGE:
            future = self._client.scatter([keep(data)], hash=False)[0]
        else:
            future = self._client.get({key: Task(key, keep, data)}, [key], sync=False)[0]
        self.add(number, future, {handle.id: 0}, [len(data)])

    def make_again(self, futures: Iterable[Any]) -> list[Any]:
        """Let Dask make again what it gave up, and return the futures that failed for another reason.

        Where workers are lost one after the other, Dask blames whatever waited at them, also what it was making
        again there; all that need its value then fail with it, without having run.
        See https://distributed.dask.org/en/stable/killed.html

        Parameters
        ----------
        futures : iterable of Future
            What failed.
        """
        again: list[Any] = []
        others, roots = [], set()
        for future in futures:
            root = blamed(future)
            if root is None or root == future.key or self._again.get(root, 0) >= _AGAIN:
                others.append(future)
            else:
                again.append(future)
                roots.add(root)
        for root in roots:
            self._again[root] = self._again.get(root, 0) + 1
        if again:
            # Client.retry would look for futures of all that is made again, of which some were released.
            keys = [future.key for future in again]
            self._client.sync(self._client.scheduler.retry, keys=keys, client=self._client.id)
            # The scheduler's word on it comes by another way than its answer.
            until = time.monotonic() + _HEARD
            while any(future.status == "error" for future in again) and time.monotonic() < until:
                time.sleep(0.005)
        return others

    def fetch(self, handle: Handle) -> Any:
        """Return a value.

        Parameters
        ----------
        handle : Handle
            Which.
        """
        if handle.id in self._near:
            return load_value(self._near[handle.id])
        if handle.id not in self._where:
            return self._load(handle)
        number, place = self._where[handle.id]
        try:
            self._gather(number, place, handle.id)
        except DualdagError:
            raise
        except Exception as error:
            raise InputMissingError(handle, error) from error
        return load_value(self._near.pop(handle.id))

    def _gather(self, number: int, place: int, id_: int) -> None:
        """Bring one value here, and small ones that are likely to be asked for next."""
        from dask._task_spec import Task, TaskRef

        wanted = [(id_, number, place)]
        room = _TOGETHER_BYTES - max(0, self._held[number].sizes[place])
        for other, (n, p) in self._where.items():
            if len(wanted) >= _TOGETHER or room <= 0:
                break
            size = self._held[n].sizes[p]
            if other != id_ and other not in self._near and size <= room // 16:
                wanted.append((other, n, p))
                room -= size
        graph = {}
        for _, n, p in wanted:
            key = ("dualdag-fetch", self._run.run_id, next(self._numbers))
            graph[key] = Task(key, take_one, TaskRef(self._held[n].future.key), p)
        futures = self._client.get(graph, list(graph), sync=False)
        while True:
            try:
                found = self._client.gather(futures)
                break
            except Exception:
                failed = [future for future in futures if future.status == "error"]
                if not failed or self.make_again(failed):
                    raise
        for (other, _, _), data in zip(wanted, found, strict=True):
            self._near[other] = data

    def _load(self, handle: Handle) -> Any:
        if handle.checksum is None:
            raise InputMissingError(handle, LookupError(f"value {handle.id} of this run was let go of"))
        try:
            return self._run.store.load(handle.checksum, handle.codec)
        except DualdagError as error:
            raise InputMissingError(handle, error) from error

    def release(self, ids: Iterable[int]) -> None:
        """Let go of values.

        Parameters
        ----------
        ids : iterable of int
            Their numbers.
        """
        for id_ in ids:
            self._near.pop(id_, None)
            number, _ = self._where.pop(id_, (-1, -1))
            held = self._held.get(number)
            if held is None:
                continue
            held.ids.discard(id_)
            if not held.ids:
                held.future.release()
                del self._held[number]

    def close(self) -> None:
        """Let go of all."""
        for held in self._held.values():
            held.future.release()
        self._held.clear()
        self._where.clear()
        self._near.clear()


def blamed(future: Any) -> Any:
    """Return the key of the task that Dask says ended its workers, if a future failed for that.

    Parameters
    ----------
    future : distributed.Future
        One that failed.
    """
    from distributed import KilledWorker

    if future.status != "error":
        return None
    try:
        error = future.exception(timeout=5)
    except Exception:  # noqa: BLE001 - it is no longer what it was, or the connection is gone
        return None
    return error.task if isinstance(error, KilledWorker) else None
