"""One version of a model on disk: its files, their digests, and where it came from. Nothing here is a pickle.

A version is a folder with `manifest.json` and the files that it names. Files are LightGBM's text, JSON and safetensors; what they
hold is looked at when they come in, and their bytes are held against the manifest before anybody parses them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stom_ray.ensemble.sealed import read_sealed, write_sealed
from stom_ray.errors import RegistryError

MANIFEST = "manifest.json"
FORMAT = 1
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.(json|txt|safetensors)")
HEADER = 8  # bytes of a safetensors file that say how long its JSON header is


@dataclass(frozen=True)
class Lineage:
    """Where a version came from, as data.

    data_hash: identity of the panel. features: names. code: version of the package, or a commit. config: all that was set.
    scores: name -> number, of data that was not trained on (which, the name says). verdict: the card's, "" where none was made.
    parents: digests of the manifests of versions that it was made of.
    """

    data_hash: str
    features: tuple[str, ...]
    code: str
    config: Mapping[str, Any]
    scores: Mapping[str, float]
    verdict: str = ""
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Artefact:
    """A published version. files: name -> (bytes, SHA-256). digest: of the manifest. created: UTC, ISO 8601."""

    folder: Path
    name: str
    version: int
    created: str
    lineage: Lineage
    files: Mapping[str, tuple[int, str]] = field(repr=False)
    digest: str

    def read(self, file: str) -> bytes:
        """The file's bytes, which are those that were published. Raises RegistryError naming file and digests if not."""
        if file not in self.files:
            raise RegistryError(f"{self.folder}: no file {file} in it; it has {', '.join(sorted(self.files))}")
        path, (size, expected) = self.folder / file, self.files[file]
        if path.is_symlink():
            raise RegistryError(f"{path}: a link, expected a file of {size:,} bytes: publish the version again")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise RegistryError(f"{path}: cannot be read ({error.strerror}); expected SHA-256 {expected}") from error
        found = hashlib.sha256(data).hexdigest()
        if found != expected:
            raise RegistryError(
                f"{path}: damaged or changed, not loaded: SHA-256 {found} of {len(data):,} bytes, expected {expected} of "
                f"{size:,}: restore it from a copy, or roll back to another version"
            )
        return data

    def verify(self) -> None:
        """Raises RegistryError for the first file that is not what was published, or was never."""
        for file in sorted(self.files):
            self.read(file)
        strange = sorted(path.name for path in self.folder.iterdir() if path.name not in (*self.files, MANIFEST))
        if strange:
            raise RegistryError(f"{self.folder / strange[0]}: not in the manifest: remove it")


def write_manifest(folder: Path, name: str, version: int, created: str, lineage: Lineage, files: Mapping[str, bytes]) -> None:
    """files: what lies in the folder. Raises RegistryError for a lineage that is no JSON."""
    listed = {file: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for file, data in files.items()}
    lineage_json = json.loads(json.dumps(asdict(lineage)))
    document = {"format": FORMAT, "name": name, "version": version, "created": created, "lineage": lineage_json, "files": listed}
    write_sealed(folder / MANIFEST, document)


def read_artefact(folder: Path) -> Artefact:
    """Raises RegistryError naming the manifest when it is not there, damaged, of another version or of another format."""
    path = folder / MANIFEST
    data, digest = read_sealed(path)
    if data.get("format") != FORMAT:
        raise RegistryError(f"{path}: format {data.get('format')!r}, expected {FORMAT}: it was written by another version")
    try:
        artefact = _artefact(folder, data, digest)
    except (AttributeError, KeyError, TypeError, ValueError, RegistryError) as error:
        raise RegistryError(f"{path}: no manifest of a version ({type(error).__name__}: {error}): publish it again") from error
    if (artefact.name, folder_name(artefact.version)) != (folder.parent.name, folder.name):
        raise RegistryError(f"{path}: is of {artefact.name} {artefact.version}, in the folder of another version: put it back")
    return artefact


def _artefact(folder: Path, data: Mapping[str, Any], digest: str) -> Artefact:
    lineage = data["lineage"]
    return Artefact(
        folder=folder,
        name=data["name"],
        version=int(data["version"]),
        created=data["created"],
        lineage=Lineage(**{**lineage, "features": tuple(lineage["features"]), "parents": tuple(lineage["parents"])}),
        files={check_file_name(file): (entry["bytes"], entry["sha256"]) for file, entry in data["files"].items()},
        digest=digest,
    )


def folder_name(version: int) -> str:
    return f"{version:06d}"


def check_name(name: str) -> str:
    """The name itself. Raises RegistryError unless it is lower-case letters, digits, _ and -, at most 64."""
    if not NAME.fullmatch(name):
        raise RegistryError(f"name {name!r:.80}: expected 1 to 64 of a-z 0-9 _ -, a letter or digit first")
    return name


def check_file_name(name: str) -> str:
    """The name itself. Raises RegistryError for a path, and for a format that is not kept."""
    if not FILE_NAME.fullmatch(name) or name == MANIFEST:
        raise RegistryError(
            f"file {name!r:.80}: expected a plain name that ends in .json, .txt (LightGBM) or .safetensors, and not {MANIFEST}; "
            "pickles are not kept"
        )
    return name


def check_content(name: str, data: bytes) -> None:
    """Raises RegistryError unless the file is of the format that its name says, so that no pickle hides under another one."""
    kind = name.rsplit(".", 1)[1]
    try:
        if kind == "txt":
            if "\0" in data.decode():
                raise ValueError("a zero byte in a text")
        elif kind == "json":
            json.loads(data)
        else:
            _safetensors_header(data)
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"file {name}: no {kind} ({error})") from error


def _safetensors_header(data: bytes) -> None:
    length = int.from_bytes(data[:HEADER], "little")
    if len(data) < HEADER or length > len(data) - HEADER:
        raise ValueError(f"a header of {length:,} bytes in {len(data):,}")
    if not isinstance(json.loads(data[HEADER : HEADER + length]), dict):
        raise ValueError("a header that is no JSON object")
