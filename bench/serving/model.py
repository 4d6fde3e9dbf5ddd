"""A model that is trained in moments, for what doesn't depend on the model."""

from __future__ import annotations

from distml.config.load import parse_config
from distml.lifecycle.run import Resources, run
from distml.registry import StoreRegistry, Version
from distml.storage import Storage

_CONFIG = """
name: quick
storage: {storage}
data: {{source: {{uri: "sklearn:breast_cancer"}}, target: target, task: binary, positive: malignant}}
model: {{families: [linear]}}
search: {{num_samples: 1, metric: log_loss}}
train: {{max_epochs: 5}}
serve: {{autoscaling: {{min_replicas: 1, max_replicas: 1}}}}
"""


def quick(storage: Storage) -> Version:
    """A linear model on a table that scikit-learn brings along; of one replica when it is served."""
    versions = StoreRegistry(storage).versions("quick")
    if versions:
        return versions[-1]
    version = run(parse_config(_CONFIG.format(storage=storage.root)), Resources()).version
    assert version is not None, "the run registers what it has trained"
    return version
