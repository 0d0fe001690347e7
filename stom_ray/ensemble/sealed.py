"""JSON documents that carry their own digest: a file that was cut or changed is never taken for what it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stom_ray.errors import RegistryError
from stom_ray.store.disk import write_atomically

SEAL = "sha256"


def digest_of(data: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical JSON. Raises RegistryError for what JSON has no word for: NaN, objects, keys not text."""
    try:
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RegistryError(f"cannot be kept as JSON: {error}; expected finite numbers, text, lists and objects") from error
    return hashlib.sha256(text.encode()).hexdigest()


def write_sealed(path: Path, data: Mapping[str, Any]) -> str:
    """Writes the document whole or not at all; returns its digest. Raises RegistryError as `digest_of`, StoreError."""
    digest = digest_of(data)
    text = json.dumps({**data, SEAL: digest}, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)

    def fill(temporary: Path) -> None:
        temporary.write_bytes(text.encode() + b"\n")

    write_atomically(path, fill)
    return digest


def read_sealed(path: Path) -> tuple[dict[str, Any], str]:
    """(document, digest). Raises RegistryError naming the file when it is not there, cut, or not what was written."""
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise RegistryError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"{path}: damaged, no JSON ({error}): restore it from a copy") from error
    stated = data.pop(SEAL, None) if isinstance(data, dict) else None
    if not isinstance(stated, str):
        raise RegistryError(f"{path}: damaged, no {SEAL} in it: restore it from a copy")
    found = digest_of(data)
    if found != stated:
        raise RegistryError(f"{path}: damaged or changed, its SHA-256 is {found}, it says {stated}: restore it from a copy")
    return data, found
