"""What `ray job submit --working-dir . -- python jobs/run_search.py run.yaml` runs: a search on the cluster it was submitted to.

Idempotent and resumable: submitted again, it goes on from the run folder's ledger. Exit code 0 done, 2 input refused.
"""

import argparse
import os
import sys
from pathlib import Path

from stom_ray import api
from stom_ray.config import RunConfig, load_config
from stom_ray.errors import ConfigError, StomError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="the YAML file that `stom-ray search` takes")
    parser.add_argument("--folder", help="the run's folder, instead of execution.folder; on a disk that outlives the job")
    options = parser.parse_args()
    try:
        config = in_cluster(load_config(options.config), options.folder)
        outcome = api.search(config, resume=True, progress=lambda text: print(text, flush=True))
    except StomError as error:
        print(error, file=sys.stderr)
        return 2
    print(outcome.render())
    return 0


def in_cluster(config: RunConfig, folder: str | None) -> RunConfig:
    """The same run over the cluster's Ray. ConfigError for a folder inside the uploaded copy, which is gone after the job."""
    place = Path(folder or config.execution.folder or "runs").absolute()
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ and place.is_relative_to(Path.cwd()):
        raise ConfigError(
            f"{place}: the run's folder is inside the uploaded working directory, which is deleted after the job. "
            "Give a place that stays: --folder /shared/runs/NAME, or execution.folder in the configuration"
        )
    update: dict[str, object] = {"ray_address": "auto", "backend": "ray"}
    if folder:
        update["folder"] = str(place)
    return config.model_copy(update={"execution": config.execution.model_copy(update=update)})


if __name__ == "__main__":
    sys.exit(main())
