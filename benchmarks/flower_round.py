"""The Flower side of `benchmarks.warmup_round`, for an interpreter that has flwr and no xlwarm.

`python flower_round.py NUMBERS CLIENTS ROUNDS` prints the seconds of each round as JSON. FedAvg in
Flower's simulation engine, every client adds 1 to the first 1,024 numbers, 8 arrays.
"""

import json
import os
import resource
import sys
import time

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

ADDED = 1024
ARRAYS = 8


def client_app():
    app = ClientApp()

    @app.train()
    def train(message, _context):
        arrays = message.content["arrays"].to_numpy_ndarrays()
        arrays[0] = arrays[0].copy()
        arrays[0][:ADDED] += 1
        content = {
            "arrays": ArrayRecord(arrays),
            "metrics": MetricRecord({"num-examples": 1}),
        }
        return Message(content=RecordDict(content), reply_to=message)

    return app


class Timed(FedAvg):
    """Notes when each round begins."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.begun = []

    def configure_train(self, *arguments, **named):
        self.begun.append(time.perf_counter())
        return super().configure_train(*arguments, **named)


def server_app(numbers, clients, rounds, found):
    app = ServerApp()

    @app.main()
    def main(grid, _context):
        strategy = Timed(
            fraction_train=1.0,
            fraction_evaluate=0.0,
            min_train_nodes=clients,
            min_available_nodes=clients,
        )
        start = [np.zeros(numbers // ARRAYS, np.float32) for _ in range(ARRAYS)]
        result = strategy.start(grid=grid, initial_arrays=ArrayRecord(start), num_rounds=rounds + 1)
        found["begun"] = strategy.begun
        found["value"] = float(result.arrays.to_numpy_ndarrays()[0][0])

    return app


def main(numbers, clients, rounds):
    found = {}
    run_simulation(
        server_app=server_app(numbers, clients, rounds, found),
        client_app=client_app(),
        num_supernodes=clients,
        backend_config={
            "client_resources": {"num_cpus": int(200 / clients) / 100, "num_gpus": 0.0},
            "init_args": {"num_cpus": 2, "object_store_memory": 4e9, "include_dashboard": False},
        },
    )
    assert found["value"] == rounds + 1, found
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = np.diff(found["begun"]).tolist()
    print("\n" + json.dumps({"seconds": seconds, "driver_bytes": peak}))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]))
