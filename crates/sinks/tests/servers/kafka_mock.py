"""Brokers of librdkafka's mock cluster: prints their address, then every message of the topics
named as arguments, a line each as JSON, until its input ends. With --silent, only the address; with --listen ADDRESS, that is a door to the
first broker; with --guard FOLDER, there is a guarded door to each of them."""

import argparse
import json
import sys
import threading

from confluent_kafka import Consumer, Producer

import kafka_doors

cluster = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "localhost"})
brokers = cluster.list_topics(timeout=30).brokers.values()
address = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
parser = argparse.ArgumentParser()
parser.add_argument("--silent", action="store_true")
parser.add_argument("--listen")
parser.add_argument("--guard")
parser.add_argument("topics", nargs="*")
arguments = parser.parse_args()
topics = arguments.topics
for topic in topics:
    cluster.list_topics(topic, timeout=30)
if arguments.silent:
    print(address, flush=True)
    sys.stdin.read()
    sys.exit()
consumer = Consumer(
    {
        "bootstrap.servers": address,
        "group.id": "test",
        "auto.offset.reset": "earliest",
        "check.crcs": True,
    }
)
consumer.subscribe(topics)
if arguments.guard:
    address = ",".join(kafka_doors.guard(address.split(","), arguments.guard))
if arguments.listen:
    kafka_doors.open(arguments.listen, address.split(",")[0])
print(arguments.listen or address, flush=True)

ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
while not ended.is_set():
    message = consumer.poll(0.2)
    if message is not None and message.error() is None:
        seen = {
            "topic": message.topic(),
            "partition": message.partition(),
            "time": message.timestamp()[1],
            "value": message.value().decode(),
        }
        print(json.dumps(seen), flush=True)
consumer.close()
