"""Deletes the records of the development broker that every group has read, but for the last few.

The broker writes all it has as one JSON document every two seconds and stands still meanwhile, so that each stored record
costs time for ever.

    python -m deploy.local.broker_trim BROKER_PORT
"""

from __future__ import annotations

import logging
import sys
import time

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from .layout import SERVICES

GROUPS = {f"refrain.{service}" for service in SERVICES}
KEPT = 50
PAUSE_SECONDS = 0.5
ASSIGNMENTS_SECONDS = 5.0
REQUEST_SECONDS = 5.0

Partition = tuple[str, int]


class Trimmer:
    """Knows which group reads which partition, and up to where each partition is deleted."""

    def __init__(self, broker: str) -> None:
        self.admin = AdminClient({"bootstrap.servers": broker, "log_level": 0}, logger=logging.getLogger("null"))
        self.readers: dict[str, set[Partition]] = {}
        self.looked_at = 0.0
        self.deleted: dict[Partition, int] = {}

    def turn(self) -> None:
        if time.monotonic() - self.looked_at > ASSIGNMENTS_SECONDS:
            self.look_at_groups()
        if any(not self.readers.get(group) for group in GROUPS):
            return
        read: dict[Partition, int] = {}
        for group, partitions in self.readers.items():
            committed = self.committed(group)
            for partition in partitions:
                offset = committed.get(partition, -1)
                read[partition] = min(read.get(partition, offset), offset)
        wanted = [
            TopicPartition(topic, number, offset - KEPT)
            for (topic, number), offset in read.items()
            if offset - KEPT >= self.deleted.get((topic, number), 0) + KEPT
        ]
        if wanted:
            for partition, future in self.admin.delete_records(wanted, request_timeout=REQUEST_SECONDS).items():
                future.result()
                self.deleted[partition.topic, partition.partition] = partition.offset

    def look_at_groups(self) -> None:
        """A partition is read by the groups that have ever had it: one whose members are away is waited for. Nothing is
        deleted before every service has been seen."""
        listed = self.admin.list_consumer_groups(request_timeout=REQUEST_SECONDS).result()
        names = {group.group_id for group in listed.valid} & GROUPS
        if not names:
            return
        for name, future in self.admin.describe_consumer_groups(list(names), request_timeout=REQUEST_SECONDS).items():
            mine = self.readers.setdefault(name, set())
            for member in future.result().members:
                mine.update((part.topic, part.partition) for part in member.assignment.topic_partitions)
        self.looked_at = time.monotonic()

    def committed(self, group: str) -> dict[Partition, int]:
        asked = [ConsumerGroupTopicPartitions(group)]
        (future,) = self.admin.list_consumer_group_offsets(asked, request_timeout=REQUEST_SECONDS).values()
        return {(part.topic, part.partition): part.offset for part in future.result().topic_partitions}


def main() -> None:
    broker = f"127.0.0.1:{sys.argv[1]}"
    trimmer = Trimmer(broker)
    while True:
        time.sleep(PAUSE_SECONDS)
        try:
            trimmer.turn()
        except KafkaException:  # the broker is down or starting: the next turn sees
            trimmer = Trimmer(broker)
            time.sleep(1)


if __name__ == "__main__":
    main()
