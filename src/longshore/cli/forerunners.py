"""What commands do with a forerunner's configuration in place of a file of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import structlog

from longshore.cli.ending import USAGE, End
from longshore.cli.options import Forerunners
from longshore.compat import docker_register, nerve, registrator, synapse
from longshore.config import Loaded, load
from longshore.config.load import Foreign

log = structlog.get_logger()


def reading(
    config: Path | None, environ: Mapping[str, str], foreign: Mapping[str, Foreign | None]
) -> Callable[[], Loaded]:
    """How to read the configuration, again and again: our own, or that of the one forerunner that was named.

    A service of a forerunner's that was good once goes on as it was when its file is broken later.

    `foreign` has the reader of each option that names a forerunner ("--synapse"), None for those that were not given.
    """
    given = {option: reader for option, reader in foreign.items() if reader is not None}
    if len(given) > 1 or (given and config):
        options = [*given, *(["--config"] if config else [])]
        hint = "longshore import prints a forerunner's configuration as longshore.yaml; put them together there"
        raise End(USAGE, f"{' and '.join(options)}: only one configuration can be read", hint)
    reader = next(iter(given.values()), None)
    last: Loaded | None = None

    def read() -> Loaded:
        nonlocal last
        found = load(config, environ, foreign=reader, last=last)
        last = found if found.valid else last
        return found

    return read


def synapse_reader(path: Path | None, environ: Mapping[str, str]) -> Foreign | None:
    """How to read what --synapse names."""
    return partial(synapse.read, path, environ) if path else None


def docker_discover_reader(given: bool, environ: Mapping[str, str]) -> Foreign | None:
    """How to read what --docker-discover means."""
    return partial(docker_register.discover, environ) if given else None


def registrar_readers(
    environ: Mapping[str, str], *, docker: bool, arguments: Sequence[str] | None
) -> dict[str, Foreign | None]:
    """How to read what --docker-register means, and the `arguments` of --registrator."""
    return {
        "--docker-register": partial(docker_register.register, environ) if docker else None,
        "--registrator": partial(registrator.read, arguments, environ) if arguments is not None else None,
    }


def nerve_reader(
    path: Path | None, environ: Mapping[str, str], *, instance: str = "", overlay: Path | None = None
) -> dict[str, Foreign | None]:
    """How to read what --nerve names, with Nerve's own options."""
    if path is None and (instance or overlay):
        option = "--instance-id" if instance else "--config-overlay"
        raise End(USAGE, f"{option}: has a meaning with --nerve only")
    reader = partial(nerve.read, path, environ, instance=instance, overlay=overlay) if path else None
    return {"--nerve": reader}


def any_forerunner(config: Path | None, environ: Mapping[str, str], said: Forerunners) -> tuple[Loaded, Path | None]:
    """Read the configuration for commands that know all forerunners; and what to call it, if it is one of theirs."""
    others = (config, said.nerve, said.docker_discover, said.docker_register, said.registrator is not None)
    synapse = by_environment("SYNAPSE_CONFIG", said.synapse, environ, *others)
    foreign = {
        "--synapse": synapse_reader(synapse, environ),
        "--docker-discover": docker_discover_reader(said.docker_discover, environ),
        **registrar_readers(environ, docker=said.docker_register, arguments=said.registrator),
    }
    nerve = by_environment("NERVE_CONFIG", said.nerve, environ, config, *foreign.values())
    foreign |= nerve_reader(nerve, environ, instance=said.instance_id, overlay=said.config_overlay)
    given = next((Path(option) for option, reader in foreign.items() if reader), None)
    return reading(config, environ, foreign)(), synapse or nerve or given


def by_environment(variable: str, path: Path | None, environ: Mapping[str, str], *others: object) -> Path | None:
    """What the option names, else the forerunner's own variable if no other configuration is said."""
    said = environ.get(variable)
    if path is None and said and not any(others) and not environ.get("LONGSHORE_CONFIG"):
        return Path(said)
    return path


def tell_notes(loaded: Loaded) -> None:
    """Log what a forerunner's configuration says in other words than ours."""
    for note in loaded.notes:
        log.info(note.text, where=str(note.place), **({"hint": note.hint} if note.hint else {}))
