#!/bin/sh
# Replace the longshore that runs by one as the files and variables say now (BALANCER_IMAGE=…), without a lost request:
# the new one starts beside it and takes its ports over when it could serve everything; then the old one ends.
#
#   ./update.sh                                                    the ports are a container's: compose.steady.yaml
#   COMPOSE_FILE=compose.yaml:compose.host.yaml ./update.sh        they are the host's
#
# A new one that is not ready within two minutes (PATIENCE=…) is removed again, and the old one goes on.
set -eu
cd "$(dirname "$0")"
export COMPOSE_FILE="${COMPOSE_FILE:-compose.yaml:compose.steady.yaml}"
state=/var/lib/longshore

old=$(docker compose ps --quiet longshore)
if [ "$(echo "$old" | wc -w)" -ne 1 ]; then
    echo "one longshore should run here; there is: ${old:-none}" >&2
    exit 1
fi
if ! docker inspect --format '{{.Config.Env}}' "$old" | grep -q LONGSHORE_HAPROXY_SHARE_PORTS=true; then
    echo "the longshore that runs was not started with compose.steady.yaml or compose.host.yaml" >&2
    exit 1
fi
docker compose up --quiet-pull --no-start --no-deps --no-recreate --scale longshore=2 longshore
new=$(docker compose ps --all --quiet longshore | grep --invert-match "$old")

# what operators said (drain, weight) and what was known of every source
docker cp "$old:$state/state.json" - | docker cp - "$new:$state"
docker start "$new" >/dev/null
if ! docker exec "$new" longshore wait --timeout "${PATIENCE:-120s}"; then
    docker logs --tail 20 "$new" >&2
    docker rm --force --volumes "$new" >/dev/null
    echo "the new longshore is gone again, the old one goes on" >&2
    exit 1
fi
docker stop "$old" >/dev/null
docker rm --volumes "$old" >/dev/null
