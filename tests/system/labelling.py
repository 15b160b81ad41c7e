"""Labels for containers of tests, written as keyword arguments."""

from __future__ import annotations


def labels(service: str, **keys: object) -> dict[str, object]:
    """Labels of a container's one service: `labels("shop", host="a.test", strip_path="true")`."""
    return {"longshore.service": service, **{f"longshore.{_kebab(key)}": value for key, value in keys.items()}}


def labels_of(service: str, **keys: object) -> dict[str, object]:
    """Labels of one of several services of a container: longshore.<service>.<key>."""
    return {f"longshore.{service}.{_kebab(key)}": value for key, value in keys.items()}


def _kebab(key: str) -> str:
    return key.replace("_", "-")
