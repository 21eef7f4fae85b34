"""Pool.map over numbers, batch after batch for a fixed time; prints the tasks per second as JSON.

    python3 python_pool.py --processes 2 --tasks 200000 --seconds 0.7
"""

import argparse
import json
import multiprocessing
import time


def square(n):
    return n * n


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, required=True)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    numbers = list(range(options.tasks))
    with multiprocessing.Pool(options.processes) as pool:
        pool.map(square, numbers)
        tasks = 0
        begin = time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < options.seconds:
            pool.map(square, numbers)
            tasks += options.tasks
        elapsed = time.perf_counter() - begin
    print(json.dumps({"operationsPerSecond": tasks / elapsed}))


if __name__ == "__main__":
    main()
