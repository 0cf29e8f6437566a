"""A study on three Ray nodes of this machine, one of which is killed while a step runs on it.

Run as a program, because a process has one Ray connection: ``python -m tests.three_nodes STUDY
STORE VICTIM`` moves the study's folder and its checkpoint out of sight once the driver has read
them, kills the node on which a step of kind VICTIM runs (``none``: no node), and prints how it
went as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

from orchestrator.environment import prepare_ray


def main(study_file: Path, root: Path, victim: str) -> None:
    prepare_ray(None)
    import ray
    from ray.cluster_utils import Cluster

    from orchestrator.cluster import check_store, cluster
    from orchestrator.execute import run_steps
    from orchestrator.inputs import keep_inputs
    from orchestrator.launcher import RayLauncher
    from orchestrator.plan import make_plan
    from orchestrator.store import StepStore
    from orchestrator.study_file import read_study
    from tests.kills import Watch

    plan = make_plan(read_study(study_file))
    store = StepStore(root)
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    workers = [nodes.add_node(num_cpus=1) for _ in range(2)]
    nodes.wait_for_nodes()

    def kill_a_node(_step: Any) -> bool:
        nodes.remove_node(workers[1], allow_graceful=False)
        return True

    with cluster(nodes.address):
        check_store(store)
        keep_inputs(plan.steps, store)
        for folder in (study_file.parent, Path(plan.study.backbone.name)):
            folder.rename(folder.with_name(f"{folder.name}-out-of-sight"))
        watch = Watch(kill_a_node, victim)
        launcher = RayLauncher(store, plan.study.resources)
        outcome = run_steps(plan.steps, store, launcher, [watch])
        alive = sum(node["Alive"] for node in ray.nodes())
    nodes.shutdown()
    found = {
        "computed": len(outcome.computed),
        "failed": [str(failure) for _, failure in outcome.failed.values()],
        "lost": dict(outcome.lost),
        "starts": watch.starts,
        "alive": alive,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
