"""Which commands there are: the table that the command line, its help and the manual page are made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One command: where it lives, as "module:function", and what the overview says of it."""

    where: str
    group: str
    summary: str
    examples: tuple[str, ...]


GROUPS = ("Serve", "Look", "Operate", "Registries", "Try without an engine", "Options")
FAMILIES = {
    "registry": ("Registries", "Look at registries, and change them by hand."),
    "import": ("Try without an engine", "Print a forerunner's configuration as longshore.yaml."),
}
"""Commands that have commands of their own: their group and summary."""

COMMANDS: dict[str, Command] = {
    "up": Command(
        "longshore.cli.up:up",
        "Serve",
        "Discover services and keep HAProxy serving them.",
        (
            "longshore up",
            "longshore up --config longshore.yaml --leave-running",
            "ETCD_HOST=10.0.0.1:2379 longshore up --docker-discover",
        ),
    ),
    "socket-proxy": Command(
        "longshore.cli.socket_proxy:socket_proxy",
        "Serve",
        "Offer the engine's socket to those who only read.",
        (
            "longshore socket-proxy",
            "longshore socket-proxy --listen unix:///run/longshore/docker.sock --user longshore",
        ),
    ),
    "register": Command(
        "longshore.cli.register:register",
        "Serve",
        "Register what runs on this host in etcd, ZooKeeper or Consul.",
        (
            "longshore register",
            "longshore register --config longshore.yaml --keep",
            "longshore register --registrator -ip 10.0.0.5 consul://localhost:8500",
        ),
    ),
    "agent": Command(
        "longshore.cli.agent:agent",
        "Serve",
        "Tell balancers what runs on this machine.",
        ("longshore agent", "LONGSHORE_AGENT_TOKEN_FILE=/run/secrets/longshore longshore agent"),
    ),
    "status": Command(
        "longshore.cli.status:status",
        "Look",
        "Sources, services, endpoints, problems.",
        ("longshore status", "longshore status shop-web --watch", "longshore status --json | jq .services"),
    ),
    "explain": Command(
        "longshore.cli.explain:explain",
        "Look",
        "Where a request goes, and why.",
        ("longshore explain http://shop.localhost/cart", "longshore explain :5432"),
    ),
    "events": Command(
        "longshore.cli.events:events",
        "Look",
        "What happened lately.",
        ("longshore events", "longshore events --follow --json"),
    ),
    "wait": Command(
        "longshore.cli.wait:wait",
        "Look",
        "Wait until services are served.",
        ("longshore wait shop-web", "longshore wait shop-web=3 shop-db --timeout 2m"),
    ),
    "health": Command(
        "longshore.cli.health:health",
        "Look",
        "Whether it serves, for HEALTHCHECK.",
        ("longshore health", "longshore health --socket-proxy /run/longshore/docker.sock"),
    ),
    "drain": Command(
        "longshore.cli.operate:drain",
        "Operate",
        "Take endpoints out of rotation.",
        ("longshore drain shop-web/shop-web-1", "longshore drain shop-web --maint"),
    ),
    "ready": Command(
        "longshore.cli.operate:ready",
        "Operate",
        "Put endpoints back into rotation.",
        ("longshore ready shop-web/shop-web-1", "longshore ready shop-web"),
    ),
    "weight": Command(
        "longshore.cli.operate:weight",
        "Operate",
        "Give endpoints another share.",
        ("longshore weight shop-web/shop-web-1 10", "longshore weight shop-web/shop-web-1 default"),
    ),
    "thaw": Command(
        "longshore.cli.operate:thaw",
        "Operate",
        "Let go what a frozen registry source keeps.",
        ("longshore thaw etcd",),
    ),
    "reload": Command(
        "longshore.cli.operate:reload",
        "Operate",
        "Read the configuration again, reload HAProxy.",
        ("longshore reload", "longshore reload --reason 'new certificates'"),
    ),
    "mend": Command(
        "longshore.cli.operate:mend",
        "Operate",
        "Undo what somebody else changed in HAProxy.",
        ("longshore mend",),
    ),
    "registry ls": Command(
        "longshore.cli.registry:ls",
        "Registries",
        "What stands there, who keeps it, what is wrong.",
        ("longshore registry ls", "longshore registry ls etcd web", "longshore registry ls --json | jq .registries"),
    ),
    "registry watch": Command(
        "longshore.cli.registry:watch",
        "Registries",
        "Every change, as it happens.",
        ("longshore registry watch", "longshore registry watch etcd --json"),
    ),
    "registry put": Command(
        "longshore.cli.registry_put:put",
        "Registries",
        "Register an endpoint, until Ctrl-C.",
        (
            "longshore registry put etcd web 10.0.0.5:80 --label longshore.host=a.example.com",
            "longshore registry put zookeeper db 10.0.0.6:5432 --id primary --weight 50 --detach 1h",
        ),
    ),
    "registry rm": Command(
        "longshore.cli.registry_rm:rm",
        "Registries",
        "Remove entries.",
        ("longshore registry rm etcd web/10.0.0.5:80", "longshore registry rm etcd web --force"),
    ),
    "sync": Command(
        "longshore.cli.sync:sync",
        "Registries",
        "Keep the entries of one registry in another too.",
        ("longshore sync etcd zookeeper", "longshore sync old new --once --ttl 1h"),
    ),
    "doctor": Command(
        "longshore.cli.doctor:doctor",
        "Look",
        "Find trouble, and say the cure.",
        (
            "longshore doctor",
            "longshore doctor compose.yaml",
            "longshore doctor --synapse /etc/synapse.conf.json",
            "longshore doctor --json | jq .findings",
        ),
    ),
    "check": Command(
        "longshore.cli.check:check",
        "Try without an engine",
        "Check configuration and labels.",
        (
            "longshore check --config longshore.yaml --origins",
            "docker inspect $(docker ps -q) | longshore check --snapshot -",
        ),
    ),
    "render": Command(
        "longshore.cli.render:render",
        "Try without an engine",
        "Print the haproxy.cfg.",
        (
            "longshore render --haproxy 3.4",
            "docker inspect $(docker ps -q) | longshore render --snapshot - --out /tmp/lab",
        ),
    ),
    "import synapse": Command(
        "longshore.cli.import_:synapse",
        "Try without an engine",
        "Synapse's file or folder.",
        (
            "longshore import synapse /etc/synapse.json.conf --out longshore.yaml",
            "docker inspect $(docker ps -q) | longshore import synapse --check --snapshot - /etc/synapse.json.conf",
        ),
    ),
    "import nerve": Command(
        "longshore.cli.import_:nerve",
        "Try without an engine",
        "Nerve's file or folder.",
        ("longshore import nerve /etc/nerve/nerve.conf.json --out longshore.yaml",),
    ),
    "import registrator": Command(
        "longshore.cli.import_:registrator",
        "Try without an engine",
        "registrator's arguments.",
        ("longshore import registrator -ip 10.0.0.5 consul://127.0.0.1:8500",),
    ),
    "import docker-discover": Command(
        "longshore.cli.import_:docker_discover",
        "Try without an engine",
        "docker-discover's environment.",
        ("longshore import docker-discover --out longshore.yaml",),
    ),
    "import docker-register": Command(
        "longshore.cli.import_:docker_register",
        "Try without an engine",
        "docker-register's environment.",
        ("longshore import docker-register --out longshore.yaml",),
    ),
    "schema": Command(
        "longshore.cli.schema:schema",
        "Try without an engine",
        "Print the JSON Schema of longshore.yaml.",
        ("longshore schema > longshore.schema.json",),
    ),
    "completion": Command(
        "longshore.cli.completion:completion",
        "Options",
        "Print what a shell needs to complete commands.",
        ("longshore completion bash > ~/.local/share/bash-completion/completions/longshore",),
    ),
    "manual": Command(
        "longshore.cli.manual:manual",
        "Options",
        "Print the manual page.",
        ("longshore manual | man -l -",),
    ),
    "version": Command(
        "longshore.cli.version:version",
        "Options",
        "Print the version.",
        ("longshore version", "longshore version --json"),
    ),
}
