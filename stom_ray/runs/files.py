"""Files that are whole or not there: results replace what was there only once they are written."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stom_ray.errors import ConfigError


def is_replaced(path: Path) -> bool:
    """Whether `replace_file` puts a new file at this place; devices, pipes and open descriptors are written to instead."""
    return (path.is_file() or not path.exists()) and path.parts[:2] not in (("/", "dev"), ("/", "proc"))


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """`write` gets the path of a new file beside `path`, which then takes its place; devices and pipes are written directly.

    ConfigError when that cannot be done; what was at `path` is then as it was.
    """
    direct, place = not is_replaced(path), path.resolve()
    beside = path if direct else place.with_name(f".{place.name}.part")
    try:
        write(beside)
        if not direct:
            beside.replace(place)
    except (OSError, ConfigError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        why = cause.strerror if isinstance(cause, OSError) and cause.strerror else cause
        raise ConfigError(f"{path}: cannot be written ({why}). Choose a folder that exists and has room") from error
    finally:
        if not direct:
            beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """A UTF-8 text file, whole or as it was. Raises ConfigError."""
    replace_file(path, lambda place: place.write_text(text, encoding="utf-8"))


def as_json(record: Any) -> str:
    """JSON text that any reader takes: NaN and infinities are null, numpy's numbers numbers."""
    return json.dumps(plain(record), indent=1, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """The same data of dicts, lists, texts, finite numbers, booleans and None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple | set | frozenset):
        return [plain(item) for item in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
