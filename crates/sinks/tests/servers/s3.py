"""S3 by moto, which checks signatures and policies: a bucket, and a user who may use it.

`s3.py ADDRESS` prints its address. Each line of its input is answered with the lines of all objects
of the bucket in the order of their names, as JSON: [[seconds, value], …]."""

import gzip
import json
import sys
from datetime import datetime

from moto import settings
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

ACCOUNT = "123456789012"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}

iam = iam_backends[ACCOUNT]["aws"]
iam.create_user("us-east-1", "taffrail")
key = iam.create_access_key("taffrail")
key.access_key_id, key.secret_access_key = "AKIAIOSFODNN7EXAMPLE", "right"
iam.access_keys[key.physical_resource_id] = key
iam.put_user_policy("taffrail", "all", json.dumps(POLICY))
s3 = s3_backends[ACCOUNT]["aws"]
s3.create_bucket("metrics", "us-east-1")

host, port = sys.argv[1].rsplit(":", 1)
server = ThreadedMotoServer(host, int(port), verbose=False)
server.start()
host, port = server.get_host_and_port()
print(f"{host}:{port}", flush=True)
# From here on every request must be signed by somebody who may.
settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
for _ in sys.stdin:
    held = []
    for name, stored in sorted(s3.buckets["metrics"].keys.items()):
        for line in gzip.decompress(stored.value).decode().splitlines():
            line = json.loads(line)
            time = datetime.fromisoformat(line["time"].replace("Z", "+00:00"))
            held.append([int(time.timestamp()), line["metrics"]["cpu/usage_rate"]])
    print(json.dumps(held), flush=True)
