"""Options that several verbs share, and how their texts are read."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stom_ray.engine.types import MAX_VALUE
from stom_ray.errors import ConfigError
from stom_ray.runs.files import as_json, is_replaced, replace_file, write_text

if TYPE_CHECKING:
    from stom_ray.runs.conduct import RunOutcome
    from stom_ray.runs.outcome import Outcome
    from stom_ray.runs.scripts import ScriptFiles

WHOLE = re.compile(r"[+-]?[0-9]{1,300}")
Db = Annotated[str, typer.Option("--db", help="STOM database file(s), joined by commas, or a store made by `stom-ray ingest`")]
Buy = Annotated[Path, typer.Option("--buy", help="file with the buy condition")]
Sell = Annotated[Path, typer.Option("--sell", help="file with the sell condition")]
ProfileOption = Annotated[str, typer.Option("--profile", help="stom (parity) or corrected")]
ElapsedOption = Annotated[str, typer.Option("--elapsed", help='elapsed-tick expressions: "name1;name2;expr1;expr2"')]
TradesOut = Annotated[Path | None, typer.Option("--trades", help="write the trades there, as CSV")]
JsonOut = Annotated[Path | None, typer.Option("--json", help="write the result there, as JSON; - is standard output")]


def read_script(path: Path, what: str) -> bytes:
    """A script's bytes; ConfigError when it cannot be read (its encoding is the compiler's business)."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Expected a text file with the {what}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}). Expected a text file with the {what}") from error


def refuse_outputs(*places: Path | None, inputs: Iterable[str | Path | None] = ()) -> None:
    """ConfigError, before any work is done, for outputs that cannot be written or that would overwrite what is read."""
    outputs = [place for place in places if place is not None and str(place) != "-"]
    read = {Path(name).resolve() for name in inputs if name is not None and str(name)}
    for number, place in enumerate(outputs):
        if place.is_dir():
            raise ConfigError(f"{place}: is a folder. Expected the name of a file to write")
        if not place.parent.is_dir():
            raise ConfigError(f"{place}: cannot be written: there is no folder {place.parent}. Make it first")
        replaced = is_replaced(place)
        if not all(
            os.access(there, os.W_OK) for there in ([place.parent] if replaced else []) + ([place] if place.exists() else [])
        ):
            raise ConfigError(f"{place}: cannot be written: no permission. Choose another place")
        if place.resolve() in read:
            raise ConfigError(f"{place}: would be overwritten, and it is read. Choose another name for the output")
        if replaced and place in outputs[:number]:
            raise ConfigError(f"{place}: two outputs go there. Give each a name of its own")


def write_json(path: Path | None, record: dict[str, Any]) -> None:
    """One JSON object to a file or standard output; nothing without a path."""
    if path is None:
        return
    text = as_json(record)
    if str(path) == "-":
        sys.stdout.write(text + "\n")
    else:
        write_text(path, text)


def say(text: str, json_path: Path | None) -> None:
    """A line for a person; on standard error when standard output carries JSON."""
    typer.echo(text, err=str(json_path) == "-")


def split(text: str) -> tuple[str, ...]:
    """Comma-joined words without blanks; empty text -> ()."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def numbers(text: str, option: str) -> tuple[int | float, ...]:
    """Comma-joined numbers; `60` stays an int, `60.0` a float. ConfigError names the option and the word."""
    return tuple(_number(word.strip(), option) for word in text.split(",")) if text.strip() else ()


def _number(word: str, option: str) -> int | float:
    try:
        value = int(word) if WHOLE.fullmatch(word) else float(word)
    except ValueError:
        raise ConfigError(f'{option}: {word!r:.40} is no number. Expected numbers joined by commas, "60,100,5.0"') from None
    if not -MAX_VALUE <= value <= MAX_VALUE:
        raise ConfigError(f"{option}: {word!r:.40} is too large or no finite number. Expected numbers up to 1e18")
    return value


def read_json(path: Path) -> Any:
    """A JSON file's content; ConfigError names file, line and column."""
    try:
        return json.loads(read_script(path, "JSON content").decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: column {error.colno}: not valid JSON: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8") from None
    except RecursionError:
        raise ConfigError(f"{path}: brackets are nested too deep") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not readable as JSON: {error}") from None


def read_rows(path: Path) -> list[list[int | float]]:
    """A JSON list of parameter rows; ConfigError names the row that is none."""
    rows = read_json(path)
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{path}: expected a list of parameter rows, [[60, 100, 5.0], ...]")
    for number, row in enumerate(rows):
        good = isinstance(row, list) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in row)
        if not good:
            raise ConfigError(f"{path}: row {number} is {row!r:.60}: expected a list of numbers")
        if len(row) != len(rows[0]):
            raise ConfigError(f"{path}: row {number} has {len(row)} values, row 0 has {len(rows[0])}: expected the same number")
    return rows


def write_outcome(
    outcome: Outcome, json_path: Path | None, files: ScriptFiles, *, trades: Path | None = None, totals: Path | None = None
) -> None:
    """What backtest and sweep leave: a line for a person, CSV of trades and of sums, the JSON."""
    from stom_ray.engine.trades_io import write_csv
    from stom_ray.runs.outcome import Backtest

    faults = tuple(replace(fault, message=files.name(fault.message)) for fault in outcome.faults)
    told = replace(outcome, warnings=files.name_all(outcome.warnings), faults=faults)
    say(told.render(), json_path)
    if trades is not None and isinstance(told, Backtest):
        frame = told.trades
        replace_file(trades, lambda place: write_csv(frame, place))
    if totals is not None:
        replace_file(totals, lambda place: write_csv(told.totals, place))
    write_json(json_path, told.to_json())


def write_run(outcome: RunOutcome, json_path: Path | None) -> None:
    """What a search or walk-forward tells; a run cut by Ctrl-C then ends with 130, as a shell expects."""
    say(outcome.render(), json_path)
    write_json(json_path, outcome.to_json())
    if outcome.stopped_by == "interrupted":
        typer.echo("stom-ray: interrupted; what was finished is kept, go on with --resume", err=True)
        raise typer.Exit(130)
