"""Compute the partition of a key, as Java's clients do."""

from aiokafka.partitioner import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key by murmur2, like Java's default partitioner. Slow in Python: some microseconds."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


class Partitions:
    """The partitions of users. It caches results."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._known: dict[bytes, int] = {}

    def of(self, key: bytes) -> int:
        partition = self._known.get(key)
        if partition is None:
            if len(self._known) >= 1_000_000:
                self._known.clear()
            partition = self._known[key] = partition_of(key, self.count)
        return partition
