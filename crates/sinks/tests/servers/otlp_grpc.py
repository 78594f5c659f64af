"""An OTLP collector over gRPC, with OpenTelemetry's own messages and service and grpc's own server.

`otlp_grpc.py ADDRESS` prints its address. Each line of its input is answered with what came, as
JSON: [[seconds, value], …]. It refuses the first request for a moment."""

import json
import sys
from concurrent import futures

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as messages
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as services

import stores


class Collector(services.MetricsServiceServicer):
    asked = 0

    def Export(self, request, context):
        Collector.asked += 1
        if Collector.asked == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "come back")
        try:
            stores.take(request)
        except stores.Refused as refused:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, refused.text)
        return messages.ExportMetricsServiceResponse()


server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
services.add_MetricsServiceServicer_to_server(Collector(), server)
port = server.add_insecure_port(sys.argv[1])
server.start()
print(f"{sys.argv[1].rsplit(':', 1)[0]}:{port}", flush=True)
for _ in sys.stdin:
    print(json.dumps(stores.held), flush=True)
