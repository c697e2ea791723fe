"""Empties a queue with boto3 in ten threads: `boto3_threads.py QUEUE COUNT`.

Its last line is the result, as JSON.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import boto3
from botocore.config import Config

THREADS = 10


def main(queue: str, count: int) -> None:
    """Receive and delete, ten messages a call."""
    sqs = boto3.client("sqs", config=Config(max_pool_connections=THREADS))
    left, receives, lock = count, 0, Lock()

    def loop() -> None:
        nonlocal left, receives
        while left > 0:
            got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=120).get(
                "Messages", []
            )
            if got:
                entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(got)]
                sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
            with lock:
                left -= len(got)
                receives += 1

    began, processor = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(THREADS) as pool:
        for each in [pool.submit(loop) for _ in range(THREADS)]:
            each.result()
    seconds, used = time.perf_counter() - began, time.process_time() - processor
    print(json.dumps({"seconds": seconds, "processor": used, "receives": receives}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
