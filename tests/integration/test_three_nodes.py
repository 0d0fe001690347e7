"""A study over a cluster whose nodes come and go gives the table of one process."""

import os
import signal

import numpy as np
import psutil
import pytest
import ray
from ray.cluster_utils import Cluster

from stom_ray.conditions.compile import compile_strategy
from stom_ray.distributed.islands import run_islands
from stom_ray.distributed.mailbox import open_mailbox
from stom_ray.distributed.tuning import Subject
from stom_ray.engine.types import EngineConfig
from stom_ray.search.goal import StomGoal
from stom_ray.search.space import Choice, Space
from stom_ray.search.study import Study, StudyConfig
from stom_ray.store.load import select

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]
BUY = "매수 = True\nif not (체결강도 > self.vars[1]):\n    매수 = False\nif 매수:\n    self.Buy()\n"
SELL = (
    "매도 = False\nif 수익률 >= self.vars[2]:\n    매도 = True\nelif 보유시간 > 60:\n    매도 = True\nif 매도:\n    self.Sell()\n"
)
SPACE = Space((Choice((30,), 30), Choice(tuple(range(80, 130)), 100), Choice(tuple(k / 10 for k in range(2, 40)), 1.0)))
CONFIG = StudyConfig(
    SPACE, StomGoal("TG"), {"data": "golden"}, sampler="genetic", islands=3, batch_size=10, evaluations=240, migrate_every=4
)
STORE_BYTES = 80 * 2**20


@pytest.fixture(scope="module")
def subject(golden_panel):
    strategy = compile_strategy(BUY, SELL, profile="corrected")
    return Subject(
        strategy, select(golden_panel, codes=("005930", "053444"), days=(20230118, 20230126)), EngineConfig(gate_var0=True)
    )


@pytest.fixture(scope="module")
def whole(subject, tmp_path_factory):
    return Study(CONFIG, subject.evaluator(), tmp_path_factory.mktemp("whole") / "ledger.bin").run()


@pytest.fixture(scope="module")
def cluster():
    """A head that runs no trials, and one node that does."""
    made = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    )
    try:
        ray.init(address=made.address, log_to_driver=False)
        made.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


class Once:
    """Progress that does something to the cluster as soon as more than 60 rows are scored."""

    def __init__(self, act):
        self.at = None
        self._act = act

    def __call__(self, progress):
        if self.at is None and progress.evaluations > 60:
            self.at = progress.evaluations
            self._act()

    def __reduce__(self):
        # Tune pickles the driver's callbacks, although nobody reads that; a cluster cannot be pickled.
        return dict, ()


def same(one, other):
    """The same table and the same daily returns, bit by bit."""
    assert one.table.keys == other.table.keys
    for name in ("figures", "objective", "sharpe", "failed", "island", "batch", "place"):
        np.testing.assert_array_equal(getattr(one.table, name), getattr(other.table, name))
    np.testing.assert_array_equal(one.daily[one.table.daily_row], other.daily[other.table.daily_row])


def workers_of(cluster):
    return [node for node in cluster.list_all_nodes() if node is not cluster.head_node]


def test_letters_are_kept_on_the_drivers_node_because_any_other_may_be_lost(cluster):
    here = ray.get_runtime_context().get_node_id()
    mailboxes = [open_mailbox() for _ in range(4)]
    for mailbox in mailboxes:
        assert ray.get(mailbox.collect.remote()) == []
        assert ray._private.state.actors(mailbox._actor_id.hex())["Address"]["NodeID"] == here


def test_the_only_node_that_scores_is_lost_and_another_joins_mid_search(cluster, subject, whole, tmp_path):
    """The head has no processor: that the study ends at all shows that the node that joined was used."""
    (first,) = workers_of(cluster)

    def swap_nodes():
        cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        cluster.remove_node(first, allow_graceful=False)

    swap = Once(swap_nodes)
    result = run_islands(CONFIG, subject, tmp_path / "ledger.bin", workers=2, progress=swap)
    assert 60 < swap.at < len(whole.table)
    assert first not in cluster.list_all_nodes()
    assert result.stopped_by == "done"
    same(result, whole)


def test_three_nodes_three_workers_and_an_island_killed_give_the_same_table(cluster, subject, whole, tmp_path):
    while len(workers_of(cluster)) < 3:
        cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)

    def kill_an_island():
        islands = [child for child in psutil.Process().children(recursive=True) if "IslandTrial" in " ".join(child.cmdline())]
        os.kill(islands[0].pid, signal.SIGKILL)

    kill = Once(kill_an_island)
    result = run_islands(CONFIG, subject, tmp_path / "ledger.bin", workers=3, progress=kill)
    assert 60 < kill.at < len(whole.table)
    assert result.stopped_by == "done"
    same(result, whole)
