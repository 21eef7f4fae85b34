"""Processes that write to one Manager().dict() for a fixed time; prints their total rate as JSON.

    python3 python_manager.py --processes 4 --seconds 0.7
"""

import argparse
import json
import multiprocessing
import time

KEYS = [f"key-{i:04}" for i in range(1_000)]
VALUE = "0123456789abcdef" * 2
WARM_UP_SECONDS = 0.1


def write(shared, barrier, rates, start, seconds):
    """One writer: warms up, waits for the others, counts."""

    def loop(seconds):
        calls = 0
        begin = time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds:
            shared[KEYS[(start + calls) % len(KEYS)]] = VALUE
            calls += 1
        return calls / elapsed

    loop(WARM_UP_SECONDS)
    barrier.wait()
    rates.put(loop(seconds))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    with multiprocessing.Manager() as manager:
        shared = manager.dict()
        barrier = multiprocessing.Barrier(options.processes)
        rates = multiprocessing.SimpleQueue()
        writers = [
            multiprocessing.Process(target=write, args=(shared, barrier, rates, 37 * i, options.seconds))
            for i in range(options.processes)
        ]
        for writer in writers:
            writer.start()
        total = sum(rates.get() for _ in writers)
        for writer in writers:
            writer.join()
    print(json.dumps({"operationsPerSecond": total}))


if __name__ == "__main__":
    main()
