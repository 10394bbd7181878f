"""The minimum cost of reading this topic in Python: aiokafka's `getmany` and `orjson.loads`, nothing else.

`python -m bench.bare BOOTSTRAP TOPIC WARM_UP` reads the whole topic once and prints what came after the first WARM_UP records as JSON.
"""

import asyncio
import resource
import sys
import time

import orjson
from aiokafka import AIOKafkaConsumer


def cpu() -> float:
    """Return the seconds of CPU that this process has used, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure(bootstrap: str, topic: str, warm_up: int) -> dict[str, float]:
    """Read everything; the measurement begins after the warm-up."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        tps = list(consumer.assignment())  # without a group it gets all of them
        ends = await consumer.end_offsets(tps)
        done = begun_at = 0
        begun = begun_cpu = 0.0
        loads = orjson.loads
        while True:
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=2_000)).values():
                for record in records:
                    if record.value:
                        loads(record.value)
                done += len(records)
            if not begun_at and done >= warm_up:
                begun_at, begun, begun_cpu = done, time.perf_counter(), cpu()
            if [await consumer.position(tp) for tp in tps] == [ends[tp] for tp in tps]:
                return {"events": done - begun_at, "cpu": cpu() - begun_cpu, "wall": time.perf_counter() - begun}
    finally:
        await consumer.stop()


if __name__ == "__main__":
    print(orjson.dumps(asyncio.run(measure(sys.argv[1], sys.argv[2], int(sys.argv[3])))).decode())
