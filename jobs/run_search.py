"""What `ray job submit --working-dir . -- python jobs/run_search.py run.yaml` runs: a search on the cluster it was submitted to.

Idempotent and resumable: submitted again, it goes on from the run folder's ledger. Exit code 0 done, 2 input refused.
"""

import argparse
import sys

from stom_ray import api
from stom_ray.config import load_config
from stom_ray.errors import StomError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="the YAML file that `stom-ray search` takes")
    options = parser.parse_args()
    try:
        config = load_config(options.config)
        execution = config.execution.model_copy(update={"ray_address": "auto", "backend": "ray"})
        outcome = api.search(config.model_copy(update={"execution": execution}), resume=True, progress=print)
    except StomError as error:
        print(error, file=sys.stderr)
        return 2
    print(outcome.render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
