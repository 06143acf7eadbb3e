"""The checkpoint from which an interrupted run is resumed."""

import json
import zipfile
from pathlib import Path

import numpy as np

from device.errors import InputError
from device.files import write_whole

CHECKPOINT_FILE = "checkpoint.npz"


def save_checkpoint(folder, content, weights, optimizer_variables):
    """Writes all that is needed to resume a run.

    Args: content, a dict that JSON can hold; weights and optimizer_variables, Keras variables.
    """
    arrays = {f"{kind}_{number}": variable.numpy()
              for kind, variables in (("weight", weights), ("optimizer", optimizer_variables))
              for number, variable in enumerate(variables)}
    arrays["content"] = np.array(json.dumps(content))
    write_whole(Path(folder) / CHECKPOINT_FILE, lambda file: np.savez(file, **arrays))


def load_checkpoint(folder):
    """Reads what save_checkpoint wrote.

    Returns: content, list of weights, list of optimizer variables; or None where there is none.
    Raises: InputError where the file is damaged.
    """
    path = Path(folder) / CHECKPOINT_FILE
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            content = json.loads(str(file["content"]))
            weights, optimizer = ([file[f"{kind}_{number}"] for number in range(
                sum(name.startswith(kind) for name in file.files))]
                for kind in ("weight", "optimizer"))
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is damaged, so the run can't be resumed: set RESUME = False to "
                         f"start again.") from error
    return content, weights, optimizer
