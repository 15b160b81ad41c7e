"""A real gRPC server with the standard health service; run as a program by `grpc_peer`.

Arguments: port, certificate and key ("" without TLS), then NAME=STATE for each service (SERVING, NOT_SERVING); without
any it has no health service at all. Prints a line when it serves; ends when its input ends.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


def main() -> None:
    """Serve until the input ends."""
    port, certificate, key, *states = sys.argv[1:]
    server = grpc.server(ThreadPoolExecutor(2))
    if states:
        servicer = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        for state in states:
            name, _, value = state.partition("=")
            servicer.set(name, health_pb2.HealthCheckResponse.ServingStatus.Value(value))
    if certificate:
        pair = (Path(key).read_bytes(), Path(certificate).read_bytes())
        server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([pair]))
    else:
        server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print("serves", flush=True)  # noqa: T201
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
