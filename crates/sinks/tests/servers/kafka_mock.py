"""Brokers of librdkafka's mock cluster: prints their address, then every message of the topics
named as arguments, a line each as JSON, until its input ends. With --silent, only the address."""

import json
import sys
import threading

from confluent_kafka import Consumer, Producer

cluster = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "localhost"})
brokers = cluster.list_topics(timeout=30).brokers.values()
address = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
silent = "--silent" in sys.argv
topics = [argument for argument in sys.argv[1:] if argument != "--silent"]
for topic in topics:
    cluster.list_topics(topic, timeout=30)
if silent:
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
print(address, flush=True)

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
