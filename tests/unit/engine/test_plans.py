"""Which plan ran and why, over batches and as JSON."""

import json

from stom_ray.engine.plans import HowRun, PlanUsed

FIRST = HowRun("cpu", "asked for", (PlanUsed("grid", 40, "shared", 8, 1),), predicted_bytes=100, blocks=1, max_memory=500)
SECOND = HowRun(
    "cpu", "asked for", (PlanUsed("generated", 2, "uncut", 8, 8), PlanUsed("grid", 60, "other", 8)), predicted_bytes=90, blocks=3
)


def test_batches_add_up_by_plan_and_keep_the_first_reason():
    whole = FIRST.and_then(SECOND)
    assert whole.plans == (PlanUsed("grid", 100, "shared", 16, 1, 2), PlanUsed("generated", 2, "uncut", 8, 8, 1))
    assert (whole.predicted_bytes, whole.blocks, whole.max_memory) == (100, 3, 500)


def test_json_says_all_and_is_read_back():
    record = json.loads(json.dumps(FIRST.to_json()))
    assert record["plans"] == [
        {"name": "grid", "candidates": 40, "reason": "shared", "sessions": 8, "generated_sessions": 1, "batches": 1}
    ]
    assert record["max_memory_bytes"] == 500
    assert HowRun.of_json(record) == FIRST
    assert HowRun.of_json(None) is None


def test_a_person_is_told_in_a_line():
    assert FIRST.and_then(SECOND).render() == "cpu backend: asked for; plans grid 100, generated 2"
    assert HowRun("reference", "asked for").render() == "reference backend: asked for"
