"""OpenTelemetry's SDK as a sender of metrics.

`otel.py send http|grpc ENDPOINT [gzip] [TOKEN]` measures a few things and exports them twice.
`otel.py misuse ENDPOINT` sends what a server must refuse over gRPC, and prints the codes as JSON."""

import json
import sys


def send(protocol, endpoint, words):
    from opentelemetry.metrics import Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
    from opentelemetry.sdk.resources import Resource

    zipped = "gzip" in words
    tokens = [word for word in words if word != "gzip"]
    headers = {"authorization": f"Bearer {tokens[0]}"} if tokens else {}
    if protocol == "http":
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        exporter = OTLPMetricExporter(
            endpoint=f"http://{endpoint}/v1/metrics",
            headers=headers,
            compression=Compression.Gzip if zipped else Compression.NoCompression,
        )
    else:
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

        exporter = OTLPMetricExporter(
            endpoint=endpoint,
            insecure=True,
            headers=headers,
            compression=grpc.Compression.Gzip if zipped else grpc.Compression.NoCompression,
        )
    # Only when asked to: the test decides when.
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
    resource = Resource.create({
        "service.namespace": "shop",
        "service.name": f"orders-{protocol}",
        "service.instance.id": "one",
        "k8s.pod.name": "orders-1",
    })
    buckets = View(
        instrument_name="request.duration",
        aggregation=ExplicitBucketHistogramAggregation([0.1, 1, 10]),
    )
    provider = MeterProvider(metric_readers=[reader], resource=resource, views=[buckets])
    meter = provider.get_meter("test")
    meter.create_observable_gauge(
        "room.temperature",
        callbacks=[lambda _: [Observation(21.5, {"room.name": "hall"})]],
        unit="Cel",
    )
    orders = meter.create_counter("orders", unit="1", description="Orders taken.")
    open_orders = meter.create_up_down_counter("orders.open")
    duration = meter.create_histogram("request.duration", unit="s")
    for _ in range(2):
        orders.add(5, {"kind": "book"})
        orders.add(2, {"kind": "toy"})
        open_orders.add(3)
        open_orders.add(-1)
        for seconds in (0.05, 0.5, 5, 50):
            duration.record(seconds)
        if not provider.force_flush():
            sys.exit("what was measured could not be exported")
    provider.shutdown()
    print("sent", flush=True)


def misuse(endpoint):
    import grpc

    metrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    traces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    found = {}

    def call(name, method, message, compression=grpc.Compression.NoCompression):
        with grpc.insecure_channel(endpoint) as channel:
            ask = channel.unary_unary(
                method, request_serializer=lambda sent: sent, response_deserializer=lambda got: got
            )
            try:
                ask(message, timeout=60, compression=compression)
                found[name] = "OK"
            except grpc.RpcError as error:
                found[name] = f"{error.code().name}: {error.details()}"

    call("nothing", metrics, b"")
    call("traces", traces, b"")
    call("garbage", metrics, b"\xff" * 9)
    call("large", metrics, bytes(17 << 20))
    call("bomb", metrics, bytes(70 << 20), grpc.Compression.Gzip)
    call("deflate", metrics, b"", grpc.Compression.Deflate)
    call("nothing after all", metrics, b"")
    print(json.dumps(found), flush=True)


if sys.argv[1] == "send":
    send(sys.argv[2], sys.argv[3], sys.argv[4:])
else:
    misuse(sys.argv[2])
