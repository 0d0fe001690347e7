"""How a stop is told."""

import pytest

from stom_ray.conditions.faults import FAULTS, fault_message, runtime_error
from stom_ray.conditions.ir import Span
from stom_ray.errors import ScriptRuntimeError


@pytest.mark.parametrize("kind", list(FAULTS))
def test_every_kind_names_text_line_column_instrument_time_and_remedy(kind):
    message = fault_message("sell", kind, "이것", Span(12, 4, 9), "005930", 20230118090733)
    assert message.startswith("sell text, line 12, column 5: ")
    assert "(005930, 20230118 09:07:33)\n    hint: " in message
    assert "{" not in message


def test_elapsed_expressions_are_named():
    error = runtime_error("elapsed:급등", "zero_division", "", Span(1, 0, 3), "005930", 20230118090733)
    assert isinstance(error, ScriptRuntimeError)
    assert str(error).startswith("elapsed-tick expression `급등`, line 1, column 1: a plain number is divided by zero")
