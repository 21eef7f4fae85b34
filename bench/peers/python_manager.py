"""Operations on objects of one Manager(), by processes that make one call after another.

Each line of the input requests a round. The reply is a line with the calls per second of all processes:

    echo '{"operation": "map.set", "processes": 4, "seconds": 0.7}' | python3 python_manager.py
"""

import json
import multiprocessing
import sys
import threading
import time
from typing import Callable, NamedTuple

KEYS = [f"key-{i:04}" for i in range(1_000)]
VALUE = "0123456789abcdef" * 2
WARM_UP_SECONDS = 0.1

# Forked processes inherit the proxies, and the functions that use them.
fork = multiprocessing.get_context("fork")


class Call(NamedTuple):
    """The repeated step, and the step at the end, which releases the processes that wait for this one."""

    step: Callable[[int], object]
    end: Callable[[], object] = lambda: None


def key_at(position):
    return KEYS[position % len(KEYS)]


def ref_get(manager, _):
    ref = manager.Value("i", 1)
    return Call(lambda _: ref.value)


def ref_set(manager, _):
    ref = manager.Value("i", 1)
    return Call(lambda position: setattr(ref, "value", position))


def ref_increment(manager, _):
    """A lossless increment needs a lock, because `value += 1` is a read and a write."""
    ref = manager.Value("i", 1)
    lock = manager.Lock()

    def step(_):
        with lock:
            ref.value += 1

    return Call(step)


def map_get(manager, _):
    shared = manager.dict({key: VALUE for key in KEYS})
    return Call(lambda position: shared[key_at(position)])


def map_set(manager, _):
    shared = manager.dict({key: VALUE for key in KEYS})
    return Call(lambda position: shared.__setitem__(key_at(position), VALUE))


def queue_put_take(manager, _):
    queue = manager.Queue()

    def step(_):
        queue.put(VALUE)
        queue.get()

    return Call(step)


def lock_unlock(manager, _):
    lock = manager.Lock()

    def step(_):
        with lock:
            pass

    return Call(step)


def list_append(manager, _):
    shared = manager.list()
    return Call(lambda _: shared.append(VALUE))


def barrier_round(manager, processes):
    barrier = manager.Barrier(processes)
    return Call(lambda _: barrier.wait(), barrier.abort)


def object_create(manager, _):
    """The object is dropped at once, because nothing keeps the proxy."""
    return Call(lambda _: manager.dict())


OPERATIONS = {
    "ref.get": ref_get,
    "ref.set": ref_set,
    "ref.increment": ref_increment,
    "map.get": map_get,
    "map.set": map_set,
    "queue.put+take": queue_put_take,
    "lock.lock+unlock": lock_unlock,
    "list.append": list_append,
    "barrier.round": barrier_round,
    "object.create": object_create,
}


def rate(call, start, seconds):
    """Calls per second."""
    calls = 0
    begin = time.perf_counter()
    try:
        while (elapsed := time.perf_counter() - begin) < seconds:
            call.step(start + calls)
            calls += 1
        call.end()
    except threading.BrokenBarrierError:
        elapsed = time.perf_counter() - begin
    return calls / elapsed


def work(warm_up, call, ready, rates, start, seconds):
    """Runs one process: warms up, waits for the others, counts."""
    rate(warm_up, start, WARM_UP_SECONDS)
    ready.wait()
    rates.put(rate(call, start, seconds))


def play(operation, processes, seconds):
    """Runs a round, and returns the calls per second of all processes."""
    with fork.Manager() as manager:
        prepare = OPERATIONS[operation]
        warm_up, call = prepare(manager, processes), prepare(manager, processes)
        ready = fork.Barrier(processes)
        rates = fork.SimpleQueue()
        workers = [
            fork.Process(target=work, args=(warm_up, call, ready, rates, 37 * i, seconds)) for i in range(processes)
        ]
        for worker in workers:
            worker.start()
        total = sum(rates.get() for _ in workers)
        for worker in workers:
            worker.join()
        return total


if __name__ == "__main__":
    for line in sys.stdin:
        print(play(**json.loads(line)), flush=True)
