"""Answers of the API: JSON, and errors that say what is wrong and what to do next, as `{"error": …, "hint": …}`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Set
from typing import Any, NoReturn

import structlog
from aiohttp import web

from longshore.agent.report import Refused, to_json

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BODY_LIMIT = 64 * 1024
log = structlog.get_logger("longshore.web")


class Fault(Exception):  # noqa: N818 - named after what the caller sees
    """Ends a request with this HTTP status and these words."""

    def __init__(self, status: int, error: str, hint: str = "") -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.hint = hint


def fault(status: int, error: str, hint: str = "") -> web.Response:
    """Make the answer to a request that failed."""
    body = {"error": error, "hint": hint}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return web.json_response(body, status=status, dumps=_dumps, headers=headers)


async def answer(record: Any) -> web.Response:
    """Answer with a record as JSON. A large status is turned to text beside the event loop, not in its way."""
    text = await asyncio.to_thread(lambda: _dumps(to_json(record)))
    return web.Response(text=text, content_type="application/json")


def bad(error: str, hint: str = "") -> NoReturn:
    """Refuse a request whose parameters make no sense."""
    raise Fault(400, error, hint)


async def body(request: web.Request, known: Set[str], needed: Set[str] = frozenset()) -> dict[str, Any]:
    """Read the JSON object of a request; only the keys that are known, all that are needed."""
    try:
        text = await request.text()
        value = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        bad(f"the body is not JSON: {error}", "send an object, like {}")
    if not isinstance(value, dict):
        bad("the body is not a JSON object", f"send an object with: {', '.join(sorted(known)) or 'nothing'}")
    if unknown := sorted(set(value) - known):
        bad(f"unknown in the body: {', '.join(unknown)}", f"known are: {', '.join(sorted(known)) or 'none'}")
    if missing := sorted(needed - set(value)):
        bad(f"missing in the body: {', '.join(missing)}")
    return value


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn everything that goes wrong into a JSON answer."""
    try:
        return await handler(request)
    except Fault as error:
        return fault(error.status, error.error, error.hint)
    except Refused as error:
        return fault(404 if error.unknown else 409, error.what, error.hint)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        answered = fault(405, f"{request.method} is not possible here", f"possible: {allowed}")
        answered.headers["Allow"] = allowed
        return answered
    except web.HTTPNotFound:
        return fault(404, f"there is nothing at {request.path}", "GET / lists what there is")
    except web.HTTPException as error:
        return fault(error.status, error.reason)
    except ConnectionError:
        raise  # the caller is gone
    except Exception as error:
        log.exception("request failed", method=request.method, path=request.path)
        return fault(500, f"longshore failed to answer: {type(error).__name__}", "its log has the details")


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
