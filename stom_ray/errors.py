"""Every error a user can meet, under one root.

A message says what is wrong, where (file, table, row or line), what was expected and what to do next. The command line
turns any `StomError` into that message and exit code 2; everything else is a bug and keeps its traceback.
"""


class StomError(Exception):
    """Root of all errors that are the input's fault, not the program's."""


class SchemaError(StomError, ValueError):
    """A table's columns are not one of the known layouts, or a column that was asked for is missing."""


class StoreError(StomError, OSError):
    """A database or store cannot be read or written: missing, locked, corrupt, full disk, other version."""


class SelectionError(StomError, ValueError):
    """Codes, days or hours that select nothing, or are not there."""


class ConditionError(StomError, ValueError):
    """A script is refused; built by `stom_ray.conditions.diagnostics`, carries line, column and caret."""


class ScriptRuntimeError(ConditionError):
    """A script that compiled does, on some row, what would stop STOM's run; names line, instrument and time."""


class RangeError(StomError, ValueError):
    """`self.vars` ranges with a lint that cannot be repaired."""


class ConfigError(StomError, ValueError):
    """A configuration value or combination that cannot be run."""


class OutOfRoomError(ConfigError):
    """The trades of a batch do not fit into the memory that is allowed; those of a smaller batch may."""


class LedgerError(StoreError):
    """The trial ledger is damaged in a way that is not a torn tail, or belongs to another study."""


class WorkerError(StomError, RuntimeError):
    """Workers were lost more often than retries allow; what was finished is kept."""


class RegistryError(StoreError):
    """A registry of models holds something that is damaged, is not there, or may not be kept."""


class GateError(StomError, ValueError):
    """A version does not show what a promotion asks of it."""
