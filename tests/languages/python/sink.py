"""A sink in Python: posts each call to the URL in its settings.

Built with `componentize-py --wit-path ../../../wit --world sink-component componentize sink -o python-sink.wasm`.
"""

import json
from dataclasses import asdict
from enum import Enum
from urllib.parse import urlsplit

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.exports.about import Descriptor
from wit_world.exports.sink import Change, Outcome, Outcome_Done, Outcome_Failed, Outcome_Skipped, Receipt
from wit_world.imports import host, outgoing_handler, types as http
from wit_world.imports.vocabulary import (
    Failure,
    Failure_RateLimited,
    Failure_Rejected,
    Failure_Retryable,
    Failure_Unauthorized,
    Rejected,
    Retryable,
)
from wit_world.imports.records import Item_Call
from wit_world.imports.streams import StreamError_Closed


class About(exports.About):
    def describe(self) -> Descriptor:
        schema = {"type": "object", "required": ["url"], "properties": {"url": {"type": "string"}}}
        return Descriptor(
            name="python-sink",
            version="1.0.0",
            summary="Posts each call to a URL; written in Python",
            settings_schema=json.dumps(schema),
            hosts=["{url}"],
            batch=10,
            rate=None,
            commands=[],
        )


class Sink(exports.Sink):
    def deliver(self, changes: list[Change]) -> list[Outcome]:
        url = json.loads(host.settings())["url"]
        return [deliver_one(url, change) for change in changes]

    def check(self) -> list[str]:
        return []


def deliver_one(url: str, change: Change) -> Outcome:
    if not isinstance(change.item, Item_Call):
        return Outcome_Skipped("only calls are posted")
    body = json.dumps({"subject": asdict(change.subject), "call": asdict(change.item.value)}, default=plain)
    try:
        status, text = post(url, body.encode())
    except Err as error:
        return Outcome_Failed(Failure_Retryable(Retryable(f"no answer: {error.value}", None, None)))
    host.log(host.Level.INFO, f"answered {status}")
    if 200 <= status < 300:
        return Outcome_Done(Receipt(external_id=json.loads(text)["id"], url=None, shortened=[], memo=b""))
    return Outcome_Failed(failure(status, text))


def failure(status: int, text: str) -> Failure:
    why = f"answered {status}: {text[:200]}"
    if status == 401:
        return Failure_Unauthorized(why)
    if status == 429:
        return Failure_RateLimited(None)
    if status >= 500:
        return Failure_Retryable(Retryable(why, status, None))
    return Failure_Rejected(Rejected(f"http-{status}", why))


def plain(value):
    """What JSON does not know: the cases of an enum, by their names in the contract."""
    if isinstance(value, Enum):
        return value.name.lower().replace("_", "-")
    raise TypeError(type(value))


def post(url: str, body: bytes) -> tuple[int, str]:
    """Sends one request over wasi:http and reads its answer."""
    target = urlsplit(url)
    headers = http.Fields.from_list([("content-type", b"application/json")])
    request = http.OutgoingRequest(headers)
    request.set_method(http.Method_Post())
    request.set_scheme(http.Scheme_Https() if target.scheme == "https" else http.Scheme_Http())
    request.set_authority(target.netloc)
    request.set_path_with_query((target.path or "/") + (f"?{target.query}" if target.query else ""))
    outgoing = request.body()
    future = outgoing_handler.handle(request, None)
    with outgoing.write() as stream:
        for start in range(0, len(body), 4096):
            stream.blocking_write_and_flush(body[start : start + 4096])
    http.OutgoingBody.finish(outgoing, None)

    with future.subscribe() as pollable:
        pollable.block()
    result = future.get()
    assert isinstance(result, Ok)
    if isinstance(result.value, Err):
        raise result.value
    response = result.value.value
    return response.status(), read(response.consume()).decode()


def read(body: http.IncomingBody) -> bytes:
    pieces = []
    with body.stream() as stream:
        while True:
            try:
                pieces.append(stream.blocking_read(16384))
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    return b"".join(pieces)
                raise
