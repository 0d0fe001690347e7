"""One row of one candidate, as a script sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Number = Any  # np.float64 | int | float | bool


@dataclass(slots=True)
class Frame:
    """The row, the candidate's variables and its position. Rows are those of the selected panel.

    first_row: of the instrument. count: 데이터길이. elapsed_row: elapsed expression -> row where it was last true today. The
    fields from buy_row on hold while a position is held.
    """

    variables: tuple[int | float, ...] = ()
    code: str = ""
    name: str = ""
    day: int = 0
    first_row: int = 0
    row: int = 0
    count: int = 0
    temporaries: dict[str, Number] = field(default_factory=dict)
    elapsed_row: dict[str, int] = field(default_factory=dict)
    zero_divisions: dict[str, int] = field(default_factory=dict)
    label: int = 0
    buy_row: int = -1
    buy_price: int = 0
    quantity: int = 0
    profit_pct: float = 0.0
    best_pct: float = 0.0
    worst_pct: float = 0.0
    profit_krw: int | float = 0
    hold_s: float = 0.0
