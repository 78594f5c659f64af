"""Protocol servers of stores that no registry has: Loki, InfluxDB 3, Elasticsearch, an OTLP
collector (HTTP), Google's monitoring and logging, a webhook, Hawkular, Honeycomb and Librato.

`stores.py KIND ADDRESS [KEY [FOLDER]]` prints its address: KEY is Google's, and with a FOLDER of
certificates it wants TLS with a client's. Each line of its input is answered with what
the store holds, as JSON: [[seconds, value], …] in the order in which it came.

Each refuses what the real one refuses, keeps what comes twice once if the real one does, and is a
bad neighbour on purpose: it takes the first write without an answer, and asks the second to come
back later."""

import base64
import gzip
import hashlib
import hmac
import http.server
import json
import re
import ssl
import sys
import threading
import urllib.parse

held = []
seen = {}
writes = 0
lock = threading.Lock()


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status, self.text = status, text


def need(condition, text, status=400):
    if not condition:
        raise Refused(status, text)


def keep(key, seconds, value):
    """Holds a point; the same one again changes nothing."""
    if key not in seen:
        seen[key] = value
        held.append([seconds, value])


def seconds_of(text):
    import datetime

    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


class Loki:
    """Source: Loki's HTTP API, limits_config's defaults, and its validation of streams."""

    newest = {}

    def write(self, request):
        need(request.path == "/loki/api/v1/push", "404 page not found", 404)
        need(request.type == "application/json", "unsupported content type")
        streams = json.loads(request.body)["streams"]
        need(streams, "no streams")
        for stream in streams:
            labels = stream["stream"]
            need(0 < len(labels) <= 15, f"stream has {len(labels)} labels")
            for name, value in labels.items():
                need(re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name), f"bad label name {name}")
                need(isinstance(value, str) and len(value) <= 2048, f"bad label value {value}")
            key = json.dumps(labels, sort_keys=True)
            for entry in stream["values"]:
                need(2 <= len(entry) <= 3, "an entry is a time, a line, and maybe metadata")
                need(re.fullmatch("[0-9]+", entry[0]), "a time is a text of nanoseconds")
                need(isinstance(entry[1], str) and len(entry[1]) <= 256 * 1024, "line too long")
                time = int(entry[0])
                newest = self.newest.get(key, time)
                need(time >= newest - 3600 * 10**9, "entry too far behind")
                self.newest[key] = max(newest, time)
                event = json.loads(entry[1])
                # Loki drops an entry of the same stream, time and line.
                keep((key, time, entry[1]), time // 10**9, event["count"])
        return 204, b""


class InfluxDB3:
    """Source: InfluxDB 3's /api/v3/write_lp; a point is its table, tags and time."""

    line = re.compile(
        r"(?P<table>(?:[^,\s\\]|\\.)+)(?P<tags>(?:,(?:[^,=\s\\]|\\.)+=(?:[^,=\s\\]|\\.)+)*) "
        r"value=(?P<value>-?[0-9]+)i (?P<time>[0-9]+)"
    )

    def write(self, request):
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        need(url.path == "/api/v3/write_lp", "not found", 404)
        need(request.headers["Authorization"] == "Bearer right", "unauthorized", 401)
        need(query["db"] == "k8s" and query["precision"] == "nanosecond", "bad query")
        for line in request.body.decode().splitlines():
            match = self.line.fullmatch(line)
            need(match, f"invalid line: {line}")
            key = (match["table"], match["tags"], match["time"])
            keep(key, int(match["time"]) // 10**9, int(match["value"]))
        return 204, b""


class Elasticsearch:
    """Source: Elasticsearch 8's bulk API and composable templates."""

    template = None

    def write(self, request):
        if request.method == "PUT":
            need(request.type == "application/json", "Content-Type header is not supported", 406)
            need(re.match("/_(index_)?template/", request.path), "no handler", 405)
            self.template = json.loads(request.body)
            need(self.template["index_patterns"], "index patterns are missing")
            return 200, b'{"acknowledged":true}'
        need(request.path.split("?")[0] == "/_bulk", "no handler", 405)
        need(self.template, "a document came before its template")
        types = ("application/x-ndjson", "application/json")
        need(request.type in types, "Content-Type header is not supported", 406)
        need(request.body.endswith(b"\n"), "The bulk request must be terminated by a newline")
        lines = request.body.decode().split("\n")[:-1]
        need(len(lines) % 2 == 0, "an action without its document")
        items = []
        for action, document in zip(lines[::2], lines[1::2]):
            ((name, about),) = json.loads(action).items()
            need(name in ("index", "create"), f"Malformed action {name}")
            need(set(about) == {"_index", "_id"}, f"Action/metadata line contains {about}")
            need(re.fullmatch("[a-z0-9.-]+", about["_index"]), "invalid index name")
            document = json.loads(document)
            (metric,) = document["Metrics"].values()
            time = seconds_of(document["CpuMetricsTimestamp"])
            status = 200 if (about["_index"], about["_id"]) in seen else 201
            keep((about["_index"], about["_id"]), time, metric["value"])
            items.append({name: {**about, "status": status}})
        return 200, json.dumps({"took": 1, "errors": False, "items": items}).encode()


class Otlp:
    """Source: OpenTelemetry's protocol over HTTP, read with its own messages."""

    def write(self, request):
        from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service

        need(request.path == "/v1/metrics", "not found", 404)
        need(request.type == "application/x-protobuf", "unsupported", 415)
        take(service.ExportMetricsServiceRequest.FromString(request.body))
        return 200, service.ExportMetricsServiceResponse().SerializeToString()


def take(message):
    for resource in message.resource_metrics:
        attributes = resource.resource.attributes
        about = {attribute.key: attribute.value.string_value for attribute in attributes}
        for scope in resource.scope_metrics:
            need(scope.scope.name == "taffrail", "no scope")
            for metric in scope.metrics:
                need(metric.name and metric.unit, "a metric without name or unit")
                kind = metric.WhichOneof("data")
                need(kind in ("gauge", "sum"), f"{kind} is not expected")
                for point in getattr(metric, kind).data_points:
                    need(point.WhichOneof("value"), "a point without value")
                    time = point.time_unix_nano
                    key = (json.dumps(about, sort_keys=True), metric.name, time)
                    keep(key, time // 10**9, round(point.as_double * 1000))


class Google:
    """Source: Google's OAuth 2 for service accounts, monitoring v3 and logging v2."""

    descriptors = {}
    newest = {}

    def write(self, request):
        if request.path == "/token":
            return 200, self.token(request)
        need(request.headers["Authorization"] == "Bearer right", "unauthenticated", 401)
        need(request.type == "application/json", "unsupported")
        body = json.loads(request.body)
        if request.path == "/v3/projects/p1/metricDescriptors":
            need(body["metricKind"] in ("GAUGE", "CUMULATIVE"), "bad kind")
            self.descriptors[body["type"]] = body
            return 200, request.body
        if request.path == "/v3/projects/p1/timeSeries":
            need(0 < len(body["timeSeries"]) <= 200, "at most 200 time series")
            for series in body["timeSeries"]:
                self.point(series)
            return 200, b"{}"
        need(request.path == "/v2/entries:write", "not found", 404)
        need(body["resource"]["type"] and body["logName"].startswith("projects/p1/logs/"), "bad log")
        for entry in body["entries"]:
            # The same timestamp and insertId in one log is one entry.
            key = (body["logName"], entry["timestamp"], entry["insertId"])
            keep(key, seconds_of(entry["timestamp"]), entry["jsonPayload"]["count"])
        return 200, b"{}"

    def point(self, series):
        (point,) = series["points"]
        key = json.dumps([series["metric"], series.get("resource")], sort_keys=True)
        type_ = series["metric"]["type"]
        custom = type_.startswith("custom.googleapis.com/")
        if custom:
            labels = {label["key"] for label in self.descriptors[type_].get("labels", [])}
            need(set(series["metric"]["labels"]) <= labels, "an undeclared label")
        ((kind, value),) = point["value"].items()
        need(kind in ("int64Value", "doubleValue"), f"bad value {point}")
        end = seconds_of(point["interval"]["endTime"])
        need((key, end) in seen or end > self.newest.get(key, 0), "Points must be in order")
        self.newest[key] = end
        keep((key, end), end, float(value))

    def token(self, request):
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding

        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        need(form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer", "bad grant")
        signed, signature = form["assertion"].rsplit(".", 1)
        decode = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        with open(sys.argv[3], "rb") as file:
            key = serialization.load_pem_private_key(file.read(), None).public_key()
        key.verify(decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        claims = json.loads(decode(signed.split(".")[1]))
        need(claims["iss"] == "me@p1.iam.gserviceaccount.com", "bad issuer")
        return b'{"access_token":"right","expires_in":3600,"token_type":"Bearer"}'


class Webhook:
    def write(self, request):
        signature = hmac.new(b"key", request.body, hashlib.sha256).hexdigest()
        need(request.headers["X-Taffrail-Signature"] == f"sha256={signature}", "bad signature", 401)
        body = json.loads(request.body)
        keep(request.headers["Idempotency-Key"], seconds_of(body["last_seen"]), body["count"])
        return 200, b"thanks"


class Hawkular:
    """Source: Hawkular Metrics' REST API; a point is its tenant, type, metric and time."""

    def write(self, request):
        tenant = request.headers["Hawkular-Tenant"]
        need(tenant, "Tenant is not specified. Use 'Hawkular-Tenant' header to set it.")
        need(request.type == "application/json", "unsupported media type", 415)
        path = re.fullmatch("/hawkular/metrics/(gauges|counters)/(.+)", request.path)
        need(path, "not found", 404)
        body = json.loads(request.body)
        if request.method == "PUT":
            need(re.fullmatch("[^/]+/tags", path[2]), "not found", 404)
            need(all(isinstance(text, str) for text in body.values()), "a tag is a text")
            return 200, b"{}"
        need(path[2] == "raw" and body, "not found", 404)
        for metric in body:
            for point in metric["data"]:
                key = (tenant, path[1], metric["id"], point["timestamp"])
                keep(key, point["timestamp"] // 1000, point["value"])
        return 200, b"{}"


class Honeycomb:
    """Source: Honeycomb's batch API. An event has no id: one that comes twice is there twice."""

    def write(self, request):
        need(request.path == "/1/batch/heapster", "not found", 404)
        need(request.headers["X-Honeycomb-Team"] == "right", "unknown API key", 401)
        events = json.loads(request.body)
        for event in events:
            event = {name.lower(): value for name, value in event.items()}
            need(event["data"], "empty event data")
            held.append([seconds_of(event["timestamp"]), event["data"]["cpu/usage_rate"]])
        return 200, json.dumps([{"status": 202} for _ in events]).encode()


class Librato:
    """Source: Librato's measurements API, which sums up what comes twice."""

    def write(self, request):
        need(request.path == "/v1/measurements", "not found", 404)
        user = base64.b64encode(b"me:right").decode()
        need(request.headers["Authorization"] == f"Basic {user}", "unauthorized", 401)
        body = json.loads(request.body)
        need(0 < len(body["measurements"]) <= 1000, "too many measurements")
        for measurement in body["measurements"]:
            name = measurement["name"]
            need(re.fullmatch("[A-Za-z0-9.:_-]{1,255}", name), f"bad name {name}")
            for tag, value in measurement["tags"].items():
                need(re.fullmatch("[A-Za-z0-9.:_-]{1,64}", tag), f"bad tag {tag}")
                need(len(value) <= 255, f"bad value {value}")
            held.append([measurement["time"], measurement["value"]])
        return 202, b""


KINDS = {
    "loki": Loki,
    "influxdb3": InfluxDB3,
    "elasticsearch": Elasticsearch,
    "otlp": Otlp,
    "google": Google,
    "webhook": Webhook,
    "hawkular": Hawkular,
    "honeycomb": Honeycomb,
    "librato": Librato,
}


def is_preparation(request):
    return request.method == "PUT" or request.path.endswith(("/token", "/metricDescriptors"))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        global writes
        self.method = self.command
        self.type = (self.headers["Content-Type"] or "").split(";")[0]
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            self.body = gzip.decompress(self.body)
        with lock:
            try:
                if not is_preparation(self):
                    writes += 1
                if writes == 2 and not is_preparation(self):
                    return self.answer(429, b"ingestion rate limit exceeded", "1")
                status, text = store.write(self)
                if writes == 1 and not is_preparation(self):
                    self.close_connection = True
                    return None
            except Refused as refused:
                print(f"{self.path}: {refused.text}", file=sys.stderr)
                status, text = refused.status, refused.text.encode()
        return self.answer(status, text)

    do_PUT = do_POST

    def answer(self, status, text, retry_after=None):
        self.send_response(status)
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


if __name__ == "__main__":
    store = KINDS[sys.argv[1]]()
    host, port = sys.argv[2].rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    if len(sys.argv) > 4:
        folder = sys.argv[4]
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=f"{folder}/ca.pem")
        context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
        context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"{host}:{server.server_address[1]}", flush=True)
    for _ in sys.stdin:
        with lock:
            print(json.dumps(held), flush=True)
