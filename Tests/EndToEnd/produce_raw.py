"""Puts raw records on a topic. Runs in the virtual environment of the takeover test, which has a Kafka client:

    produce_raw.py BROKER TOPIC < records.json      [{"key": …, "headers": {…}, "value": "base64"}, …]
"""

from __future__ import annotations

import base64
import json
import sys

from confluent_kafka import Producer


def main() -> int:
    broker, topic = sys.argv[1:3]
    producer = Producer({"bootstrap.servers": broker, "message.timeout.ms": 15000})
    for record in json.load(sys.stdin):
        headers = [(name, value.encode()) for name, value in record["headers"].items()]
        producer.produce(topic, base64.b64decode(record["value"]), key=record["key"], headers=headers)
    return 1 if producer.flush(20) else 0


if __name__ == "__main__":
    sys.exit(main())
