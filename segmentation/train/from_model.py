"""Starts from the weights of an earlier training (FROM_MODEL), where they fit."""

import keras

from device.errors import InputError, list_names
from device.model_info import read_model_info

CLASS_LAYER = "logits"  # whose weights belong to single classes: they are taken by class name


def read_from_model(folder, encoder_alpha):
    """Reads the model.json of the model to start from, before anything is trained.

    Raises: InputError where there is none, or where its encoder is of another width.
    """
    info = read_model_info(folder, ("class_names", "image_size", "decoder_filters"))
    alpha = info.get("encoder_alpha", 1.0)
    if alpha != encoder_alpha:
        raise InputError(f"The model in FROM_MODEL {folder} has ENCODER_ALPHA = {alpha}, but it is "
                         f"{encoder_alpha} here: set it to {alpha}, or FROM_MODEL = None.")
    return info


def take_weights(model, source, class_names, source_names):
    """Copies the weights of a trained model into a new one, where name and shape are the same.

    The encoder counts as pretrained then: it is frozen. A class that the source knows by name
    keeps its logit, another class starts fresh.
    Args: model and source, U-Nets of get_model; the names of their classes.
    Returns: a sentence that says what was taken.
    """
    theirs = {_key(variable): variable.numpy() for variable in source.variables}
    fresh = []
    for variable in model.variables:
        array = theirs.get(_key(variable))
        if variable.path.split("/")[-2] == CLASS_LAYER and array is not None:
            array = _take_classes(variable, array, class_names, source_names)
        if array is None or array.shape != tuple(variable.shape):
            fresh.append(_key(variable))
        else:
            variable.assign(array)
    model.get_layer("encoder").trainable = False
    new = [name for name in class_names if name not in source_names]
    sentence = f"{len(model.variables) - len(fresh)} of {len(model.variables)} arrays of weights"
    if fresh:
        sentence += f"; fresh are {list_names(fresh)}"
    return sentence + (f"; new classes: {list_names(new)}" if new else "")


def _key(variable):
    """Returns layer and name of a variable; the paths before them differ with the models' names."""
    return "/".join(variable.path.split("/")[-2:])


def _take_classes(variable, array, class_names, source_names):
    """Returns the new array with the source's numbers for the classes of the same name.

    None where the arrays differ by more than the number of classes.
    """
    new = keras.ops.convert_to_numpy(variable).copy()
    axes = [axis for axis, size in enumerate(new.shape) if size == len(class_names)
            and array.ndim == new.ndim and array.shape[axis] == len(source_names)
            and array.shape[:axis] + array.shape[axis + 1:] == new.shape[:axis] + new.shape[
                axis + 1:]]
    if not axes:
        return None
    new, array = new.swapaxes(0, axes[0]), array.swapaxes(0, axes[0])
    for index, name in enumerate(class_names):
        if name in source_names:
            new[index] = array[source_names.index(name)]
    return new.swapaxes(0, axes[0])
