"""Fetches and builds everything the lab takes from outside, so that the tests themselves need no network.

python -m tests.lab.fetch
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from tests.lab import binaries, compose, consul, engine, etcd, image, redis, shell, web, zookeeper
from tests.lab.packages import PackagesError

PARTS: dict[str, Callable[[], object]] = {
    **{f"HAProxy {series}": partial(binaries.haproxy, series) for series in binaries.SERIES},
    "Docker 28": engine.newest_docker,
    "Compose": compose.binary,
    "buildx": image.plugins,
    "the image's base": image.base,
    "web service": web.rootfs,
    "Redis 7.0": redis.binary,
    "busybox": shell.busybox,
    **{f"etcd {series}": partial(etcd.binary, series) for series in etcd.SERIES},
    "ZooKeeper 3.8": zookeeper.tree,
    "Consul 1.8": consul.binary,
}


def main() -> int:
    """Get every part; say which could not be had."""
    missing = 0
    for name, get in PARTS.items():
        try:
            get()
        except (PackagesError, OSError) as error:
            print(f"lab: {name} could not be had: {error}", file=sys.stderr)  # noqa: T201 - a command for people
            missing += 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
