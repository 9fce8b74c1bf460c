"""Clusters on this machine, which start once."""

import os

import pytest


@pytest.fixture(scope="session")
def dask_client():
    distributed = pytest.importorskip("distributed")
    import dask

    with (
        # The cluster would give up a worker that is being restarted 15 seconds after it has died once.
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def ray_cluster():
    ray = pytest.importorskip("ray")
    # Else Ray puts a print of its own in the place of Python's, with which no skorch net can be pickled.
    os.environ["RAY_TQDM_PATCH_PRINT"] = "0"
    ray.init(
        address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, configure_logging=False
    )
    yield ray
    ray.shutdown()
