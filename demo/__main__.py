"""Reads the command line, sets the stage, plays, and tidies up whatever happens."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from contextlib import ExitStack

from demo.stage import Unready, setting, stage
from demo.story import play


def main() -> int:
    """Return 0 when no request was lost."""
    parser = argparse.ArgumentParser(prog="script/demo", description="longshore under load, while all changes")
    parser.add_argument("--stay", action="store_true", help="afterwards keep everything up until Ctrl-C")
    parser.add_argument("--port", type=int, default=0, help="where the balancer listens (8080 or the next free)")
    wish = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also when it was started in the background
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # leave through every `with`
    try:
        with ExitStack() as stack:
            engine = stack.enter_context(stage())
            balancer = stack.enter_context(setting(engine, wish.port))
            lost = play(engine, balancer)
            if wish.stay:
                stay(balancer.port, engine.host)
    except Unready as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: stopped; everything it started has been ended")
        return 130
    return 1 if lost else 0


def stay(port: int, host: str) -> None:
    """Keep everything up until Ctrl-C."""
    print(f"\nStill up: http://localhost:{port}/ (reload it: another copy answers). Try, in another terminal:")
    print(f"  docker --host {host} ps")
    print(f"  docker --host {host} run -d --label longshore-demo --label longshore.host='*' \\")
    print("      --label longshore.service=demo longshore-demo/web:1")
    print("Ctrl-C ends it.", flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())
