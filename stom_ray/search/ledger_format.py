"""The bytes of a ledger file: a magic, then records that each prove themselves.

record = marker (8) · sequence number u32 · payload length u32 · CRC-32 of these 16 bytes u32 · payload · BLAKE2b-128 of all
before it. All little-endian. The head has a checksum of its own, so that a damaged length is not taken for a torn tail.
payload = length of the JSON part u32 · JSON · arrays one after the other, as the JSON part lists them (name, dtype, shape).
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"STOMLDG\n"
MARKER = b"\xf5\xe7rec\xa9\x1b\x02"
HEAD = struct.Struct("<8sII")
CRC = struct.Struct("<I")
HEAD_BYTES = HEAD.size + CRC.size
DIGEST_BYTES = 16
Payload = tuple[dict[str, Any], dict[str, NDArray[Any]]]
Buffer = bytes | memoryview


def encode_record(number: int, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """One record, ready to be appended."""
    little = {
        name: np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False) for name, array in arrays.items()
    }
    listed = [[name, array.dtype.str, list(array.shape)] for name, array in little.items()]
    text = json.dumps({**meta, "arrays": listed}, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()
    payload = b"".join([CRC.pack(len(text)), text, *(array.tobytes() for array in little.values())])
    head = HEAD.pack(MARKER, number, len(payload))
    body = head + CRC.pack(zlib.crc32(head)) + payload
    return body + hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()


def decode_payload(payload: Buffer) -> Payload:
    """JSON part and arrays (copies) of a payload whose digest held. ValueError, KeyError: written by another version."""
    (length,) = CRC.unpack_from(payload, 0)
    meta: dict[str, Any] = json.loads(bytes(payload[CRC.size : CRC.size + length]))
    at = CRC.size + length
    arrays: dict[str, NDArray[Any]] = {}
    for name, dtype, shape in meta.pop("arrays"):
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(payload, dtype=np.dtype(dtype), count=count, offset=at).reshape(shape).copy()
        at += arrays[name].nbytes
    return meta, arrays


@dataclass(frozen=True)
class Frame:
    """Where an intact record lies: file[start:end], its payload at file[start + HEAD_BYTES : end - DIGEST_BYTES]."""

    number: int
    start: int
    end: int


@dataclass(frozen=True)
class Scan:
    """What is in a file. intact: records from the start on. bad_at: first byte that is in none of them, None when all are good.

    intact_after: offset of an intact record behind `bad_at`: then this is damage in the middle; otherwise it is a torn tail.
    """

    intact: tuple[Frame, ...]
    bad_at: int | None
    intact_after: int | None


def read_frame(data: memoryview, at: int) -> Frame | None:
    """The record that begins at `at`, if there is an intact one."""
    if len(data) - at < HEAD_BYTES + DIGEST_BYTES:
        return None
    marker, number, length = HEAD.unpack_from(data, at)
    (crc,) = CRC.unpack_from(data, at + HEAD.size)
    end = at + HEAD_BYTES + length + DIGEST_BYTES
    if marker != MARKER or crc != zlib.crc32(data[at : at + HEAD.size]) or end > len(data):
        return None
    digest = hashlib.blake2b(data[at : end - DIGEST_BYTES], digest_size=DIGEST_BYTES).digest()
    return Frame(number, at, end) if digest == data[end - DIGEST_BYTES : end] else None


def scan(data: bytes) -> Scan:
    """Walk the records. A record out of sequence counts as damage where it begins."""
    view = memoryview(data)
    at = len(MAGIC)
    frames: list[Frame] = []
    while at < len(data):
        frame = read_frame(view, at)
        if frame is None or frame.number != len(frames):
            return Scan(tuple(frames), at, _intact_behind(data, view, at))
        frames.append(frame)
        at = frame.end
    return Scan(tuple(frames), None, None)


def _intact_behind(data: bytes, view: memoryview, at: int) -> int | None:
    found = data.find(MARKER, at)
    while found >= 0:
        if read_frame(view, found) is not None:
            return found
        found = data.find(MARKER, found + 1)
    return None
