"""The place of this process among the workers that train together (TF_CONFIG). Plain Python."""

import json
import os


def is_chief():
    """Whether this process writes the files: true but for the workers after the first."""
    return worker_index() == 0


def worker_index():
    """Returns the place of this process in the list of all workers, from 0; 0 where it is alone."""
    return int(json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {}).get("index", 0))
