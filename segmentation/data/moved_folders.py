"""Where the images of a model lie now: they may have been moved, or are on another system."""

import os

from device.errors import InputError, list_names


def find_moved_folders(info, constants):
    """Returns model.json's fields with the folders in which its images lie now, and says so.

    Images may have been moved since the training, or the training ran on another system.
    Args: constants, dict of main.py's constants, whose folders are tried where those are not there.
    Raises: InputError where the images are in neither.
    """
    found = dict(info)
    for kind in ("", "validation_"):
        image_key, label_key, names_key = (
            f"{kind}image_dir", f"{kind}label_dir", f"{kind or 'training_'}images")
        if image_key not in info or all(map(os.path.isdir, (info[image_key], info[label_key]))):
            continue
        tried = [tuple(info[key].replace("\\", "/") for key in (image_key, label_key))] + [
            (constants[f"{prefix}IMAGE_DIR"], constants[f"{prefix}LABEL_DIR"])
            for prefix in (kind.upper(), "") if constants[f"{prefix}IMAGE_DIR"] is not None]
        for image_dir, label_dir in tried:
            image_dir, label_dir = (os.path.expanduser(folder or constants["LABEL_DIR"])
                                    for folder in (image_dir, label_dir))
            if os.path.isdir(label_dir) and all(
                    os.path.isfile(os.path.join(image_dir, name)) for name in info[names_key]):
                found[image_key], found[label_key] = image_dir, label_dir
                print(f"{info[image_key]}, which model.json names, is not there: the same images "
                      f"are taken from {image_dir}.")
                break
        else:
            raise InputError(
                f"{info[image_key]} or {info[label_key]}, which model.json names, is not there, "
                f"and main.py's folders do not hold the {len(info[names_key])} images that it "
                f"names ({list_names(info[names_key][:1])}, ...): set IMAGE_DIR and LABEL_DIR in "
                f"main.py to where they are now.")
    return found
