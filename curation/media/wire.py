"""Messages between this process and one that is not trusted: a JSON head and raw blobs, each of stated length.

No pickle: whoever took over a decoder must not be able to run code here by what it answers. Every length is checked
before memory is taken for it.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import IO, Any, TypeVar

import numpy as np

MAX_HEAD_BYTES = 1 << 20
DTYPES = frozenset({"int64", "float32", "float16", "uint8", "int16", "bool"})
_LENGTH_BYTES = 8

Made = TypeVar("Made")


class WireError(Exception):
    """The other side broke the rules of the conversation, or is gone."""


class Gone(WireError):
    """It is gone: the pipe has ended."""


def send(pipe: IO[bytes], head: dict[str, Any], blobs: Sequence[Any] = ()) -> None:
    """Write one message; blobs are anything with a buffer."""
    views = [memoryview(blob).cast("B") if memoryview(blob).nbytes else memoryview(b"") for blob in blobs]
    text = json.dumps(head | {"blobs": [view.nbytes for view in views]}).encode()
    pipe.write(len(text).to_bytes(_LENGTH_BYTES))
    pipe.write(text)
    for view in views:
        pipe.write(view)
    pipe.flush()


def receive(pipe: IO[bytes], *, max_bytes: int) -> tuple[dict[str, Any], list[bytes]]:
    """Read one message.

    Raises:
        WireError: the pipe ended, or a length or the head is not what it should be.
    """
    length = int.from_bytes(_exactly(pipe, _LENGTH_BYTES))
    if length > MAX_HEAD_BYTES:
        raise WireError(f"a head of {length} bytes")
    try:
        head = json.loads(_exactly(pipe, length))
        sizes = [int(size) for size in head.pop("blobs")]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WireError(f"no head: {error}") from error
    if min(sizes, default=0) < 0 or sum(sizes) > max_bytes:
        raise WireError(f"blobs of {sum(sizes)} bytes")
    return head, [_exactly(pipe, size) for size in sizes]


def packed(value: Any) -> tuple[dict[str, Any], list[Any]]:
    """A dataclass of numbers, strings, bytes and arrays as head and blobs."""
    head: dict[str, Any] = {}
    blobs: list[Any] = []
    for field in dataclasses.fields(value):
        part = getattr(value, field.name)
        if isinstance(part, np.ndarray):
            head[field.name] = {"dtype": part.dtype.name, "shape": part.shape}
            blobs.append(np.ascontiguousarray(part))
        elif isinstance(part, bytes):
            head[field.name] = {"dtype": "bytes"}
            blobs.append(part)
        else:
            head[field.name] = part
    return head, blobs


def unpacked(kind: type[Made], head: dict[str, Any], blobs: Sequence[bytes]) -> Made:
    """The dataclass again.

    Raises:
        WireError: a field is missing or too many, a number is none, or an array's shape does not fit its bytes.
    """
    waiting = iter(blobs)
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if names != head.keys():
        raise WireError(f"fields {sorted(names ^ head.keys())}")
    try:
        return kind(**{name: _part(head[name], waiting) for name in head})
    except (ValueError, TypeError, KeyError, StopIteration) as error:
        raise WireError(f"no {kind.__name__}: {error}") from error


def _part(told: Any, blobs: Any) -> Any:
    if not isinstance(told, dict):
        if not isinstance(told, int | float | str | None):
            raise WireError(f"a field of {type(told).__name__}")
        return told
    blob = next(blobs)
    if told["dtype"] == "bytes":
        return blob
    if told["dtype"] not in DTYPES:
        raise WireError(f"an array of {told['dtype']}")
    return np.frombuffer(blob, told["dtype"]).reshape([int(length) for length in told["shape"]])


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    parts, missing = [], count
    while missing:
        part = pipe.read(min(missing, 1 << 24))
        if not part:
            raise Gone("the other side is gone")
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
