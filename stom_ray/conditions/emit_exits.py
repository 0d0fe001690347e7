"""The sell text alone as the source of a numba module: when a position from a given row is sold, for a table of entries.

For sell texts that cannot be cut into reasons. The outcome of an entry depends on its row and on the parameters that the sell
text reads, so it is worked out once and looked up by every candidate.
"""

from __future__ import annotations

from dataclasses import dataclass

from stom_ray.conditions.emit_cpu import HEADER, Assembly, EmittedKernel, emit_texts
from stom_ray.conditions.emit_sites import Lines
from stom_ray.conditions.ir import Strategy

ARGUMENTS = (
    ("cols", "float64[:, ::1]"),
    ("entry", "float64[:, ::1]"),
    ("offsets", "int64[::1]"),
    ("firsts", "int64[::1]"),
    ("costs", "float64[:, ::1]"),
    ("tests", "boolean[:, ::1]"),
    ("params", "float64[:, ::1]"),  # (n_exits, n_vars): one row for each combination of what the sell text reads
    ("floats", "boolean[:, ::1]"),
    ("windows", "int64[:, :, ::1]"),
    ("loaded_lengths", "int64[:, ::1]"),
    ("loaded_columns", "int64[:, ::1]"),
    ("constants", "float64[::1]"),
    ("bid_levels", "int64"),
    ("elapsed", "float64[:, ::1]"),  # (n_elapsed, longest session), scratch
    ("entries", "int64[::1]"),  # (n_entries,) rows, by session
    ("sessions", "int64[::1]"),  # (n_entries,)
    ("rows", "int32[:, ::1]"),  # (n_entries, n_exits), out: the row of the sale
    ("prices", "int64[:, ::1]"),  # the same, out: KRW
    ("labels", "int64[:, ::1]"),  # the same, out
    ("faulty", "boolean[::1]"),  # (n_entries,), out: some combination faults
    ("zeros", "int64[:, ::1]"),  # (n_exits, n_zero_lines), scratch
)


def emit_exits(strategy: Strategy, layout: str) -> EmittedKernel | None:
    """None where elapsed-tick expressions read parameters or may fault: then positions are no matter of the entry alone.

    Its sites are those of `emit_kernel`.
    """
    texts = emit_texts(strategy, layout)
    if texts.elapsed and texts.elapsed_per_candidate:
        return None
    return EmittedKernel(HEADER + "\n".join(_Exits(**vars(texts)).lines()) + "\n", texts.sites)


@dataclass(frozen=True)
class _Exits(Assembly):
    """The loops over entries and combinations."""

    def lines(self) -> list[str]:
        out = Lines()
        signature = ", ".join(kind for _, kind in ARGUMENTS)
        out.add(f'@njit("void({signature})", cache=True, nogil=True, error_model="numpy", fastmath=False)')
        with out.block(f"def kernel({', '.join(name for name, _ in ARGUMENTS)})"):
            declared = [line for text in (*self.elapsed, self.sell) for line in text.declarations]
            self.add(out, ("s = -1", "fault = -1", "label = 0", "price = 0.0", *declared))
            with out.block("for e in range(len(entries))"):
                with out.block("if sessions[e] != s"):
                    out.add("s = sessions[e]")
                    self.session_locals(out)
                    if self.elapsed:
                        self.candidate_locals(out, "0")
                        self.fill_elapsed(out)
                with out.block("for c in range(len(params))"):
                    self.candidate_locals(out, "c")
                    self.add(out, ("fault = -1", "limit = last", "b = entries[e]", "ub = np.uintp(b)"))
                    self.add(out, ("quantity = entry[0, ub]", "bought = quantity * entry[1, ub]"))
                    self.add(out, ("best = 0.0", "worst = 0.0", "i = b + 1"))
                    self.hold(out)
                    with out.block("if fault >= 0"):
                        self.add(out, ("faulty[e] = True", "break"))
                    self.add(out, ("rows[e, c] = i", "prices[e, c] = np.int64(price)", "labels[e, c] = label"))
        return out.lines
