"""Reads folders of images and label PNGs: checked, paired, decoded, with class weights.

Every image needs a label PNG of the same name (a.jpg and a.png, or with a common prefix or suffix:
a_mask.png) and the other way round. A label holds one number a pixel, its class; the ignore label
marks pixels that are left out everywhere.
main.py, tflite_convert.py and tflite_test.py read through this file. No TensorFlow.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from device.errors import InputError, collect_or_raise, list_names
from device.images import PADDING_GRAY, PADDING_LABEL
from device.tiles import cut_tile
from segmentation.data.classes import (
    compute_class_weights,
    count_pixels,
    format_class_table,
    name_classes,
    scale_class_weights,
)
from segmentation.data.duplicates import warn_of_duplicates
from segmentation.data.image_checks import note_rotations, note_shapes
from segmentation.data.intensity_range import measure_intensity_range
from segmentation.data.label_checks import (
    check_label_values,
    compare_classes,
    held_values,
    warn_of_labels,
)
from segmentation.data.label_values import count_up, group_class_ids, make_value_table
from segmentation.data.object_sizes import describe_small_objects, median_object_sizes
from segmentation.data.pairing import Pairs, pair_files
from segmentation.data.reading import (
    DecodedSet,
    Decoding,
    choose_records,
    list_file_errors,
    make_label_reader,
    read_pairs,
    split_set,
)
from segmentation.data.split import find_groups, split_by_list, split_by_seed
from segmentation.data.tiling import (
    MAX_TILES,
    choose_tiles,
    count_crops,
    cut_tiles,
    find_size,
    make_crop_reader,
    spread_tile,
)
from segmentation.int8.calibration import add_extreme_pixels, calibration_indices
from segmentation.workers import is_chief, worker_index

CALIBRATION_FIELDS = (  # of model.json
    "class_names", "class_colors", "image_size", "decoder_filters", "ignore_label", "image_dir",
    "label_dir", "training_images")
VALIDATION_FIELDS = ("validation_image_dir", "validation_label_dir", "validation_images")


# ---- for main.py -----------------------------------------------------------------------------


class Part(NamedTuple):
    """The training images, the validation images, or those without a label.

    pairs; decoded, the reading.DecodedSet of them; sizes int (n, 2), the (height, width) that each
    picture has in its decoded arrays.
    """

    pairs: Pairs
    decoded: DecodedSet
    sizes: np.ndarray


def load_data(settings, errors=()):
    """Reads training and validation pairs as the settings say, and prints the table of classes.

    Args: errors, sentences on what else is wrong, to be raised together with what is found here.
    Returns: dict with images, labels, class_weights, pixel_counts (of the training labels),
        validation_images, validation_labels, class_names, calibration_images, training_names,
        validation_names (of the images, relative to their folders), validation_dirs, and reading:
        the fields of model.json by which other images are read alike; without PICTURE_SIZE
        read_own_label, see reading.make_label_reader, for the validation images; with it what
        tile_data returns; with UNLABELED unlabeled_images, where there are any. Labels hold class
        indices and IGNORED.
    Raises: InputError of all errors: pairing, files, sizes, label values, and those given.
    """
    errors = list(errors)
    *pairs, validation_dirs = find_pairs(settings, errors)
    class_ids = None if settings.class_ids is None else group_class_ids(settings.class_ids)
    size, sizes = find_size(sum(pairs, Pairs()), settings.picture_size or settings.image_size)
    decoding = choose_decoding(settings, size, class_ids, pairs[0] + pairs[1])
    training, validation, unlabeled = read_sets(pairs, sizes, decoding, settings, errors)
    class_names, class_ids = find_classes(training, validation, class_ids, settings, errors)
    collect_or_raise(errors)

    notes = note_files(training, size, class_names, class_ids, settings)
    if settings.validation_image_dir is None:
        training, validation = set_aside(training, class_ids, settings)
    notes += note_sets(training, validation, class_names, class_ids, settings)
    print(f"{len(training.pairs)} training and {len(validation.pairs)} validation images, "
          f"{len(class_names)} classes")
    pixel_counts, class_weights = print_class_table(training.decoded.labels, class_names, settings)
    print("\n".join(notes), end="\n" if notes else "")
    unlabeled = choose_unlabeled(unlabeled, validation, settings)
    data = {"class_names": class_names, "class_weights": class_weights,
            "pixel_counts": pixel_counts, "validation_dirs": validation_dirs,
            "reading": describe_reading(class_ids, decoding, settings),
            **gather_arrays(training, validation, unlabeled, settings.image_size)}
    if settings.picture_size is not None:
        return tile_data(data, training.sizes, validation.sizes, unlabeled.sizes, settings)
    small = describe_small_objects(
        median_object_sizes(training.decoded.labels, len(class_names)), class_names)
    print(small, end="\n" if small else "")
    return {**data, "read_own_label": make_label_reader(validation.pairs, decoding,
                                                        validation.decoded.orientations[:])}


def describe_reading(class_ids, decoding, settings):
    """Returns the fields of model.json by which other images are read alike, see decoding_of."""
    return {"class_ids": class_ids, "ignore_label": settings.ignore_label,
            "other_ids": settings.other_ids, "intensity_range": decoding.intensity_range,
            "labels_turned": settings.labels_turned}


def gather_arrays(training, validation, unlabeled, image_size):
    """Returns the entries of load_data's dict that the files give: arrays and names.

    Args: the three Parts; image_size (height, width) of the calibration images.
    """
    data = {"images": training.decoded.images, "labels": training.decoded.labels,
            "training_names": training.pairs.image_names,
            "validation_images": validation.decoded.images,
            "validation_labels": validation.decoded.labels,
            "validation_names": validation.pairs.image_names,
            "calibration_images": cut_calibration_images(training.decoded.images, training.sizes,
                                                         image_size)}
    return {**data, "unlabeled_images": unlabeled.decoded.images} if len(unlabeled.pairs) else data


def set_aside(part, class_ids, settings):
    """Sets some pairs aside to measure on: returns the Part to train on, and that to measure on."""
    rows = choose_rows(part.pairs, part.decoded.value_counts[:], class_ids, settings)
    return [Part(part.pairs.choose(chosen), decoded, part.sizes[chosen])
            for chosen, decoded in zip(rows, split_set(part.decoded, *rows), strict=True)]


def note_files(part, size, class_names, class_ids, settings):
    """Returns the sentences on labels, shapes and rotations of a Part, before it is split.

    Args: size (height, width) at which the pairs were read.
    """
    decoded = part.decoded
    return [*warn_of_labels(part.pairs, decoded.value_counts[:], class_names, class_ids,
                            settings.ignore_label, settings.class_ids is not None),
            *note_shapes(decoded.sizes[:], size, settings.picture_size),
            *note_rotations(part.pairs.image_names, decoded.sizes[:], decoded.orientations[:],
                            settings.labels_turned)]


def note_sets(training, validation, class_names, class_ids, settings):
    """Returns the sentences on the training set and on how it and the validation set compare."""
    notes = [*compare_classes(training.decoded.value_counts[:], validation.pairs,
                              validation.decoded.value_counts[:], class_names, class_ids),
             *warn_of_duplicates(training.decoded.images, training.pairs.image_names,
                                 validation.decoded.images, validation.pairs.image_names,
                                 settings.validation_image_dir is not None)]
    if len(training.pairs) < settings.batch_size:
        notes.insert(0, f"Note: there are fewer training images ({len(training.pairs)}) than "
                        f"BATCH_SIZE ({settings.batch_size}): each batch holds all of them.")
    return notes


def find_classes(training, validation, class_ids, settings, errors):
    """Returns the classes' names and the label values of each; checks the labels against them.

    Args: class_ids of the settings, or None; errors, list to which sentences are added.
    """
    counts = np.concatenate([part.decoded.value_counts[:] for part in (training, validation)])
    class_names, class_ids = name_classes(held_values(counts), settings.label_dir,
                                          settings.class_names, class_ids, settings.ignore_label,
                                          errors)
    check_label_values(training.pairs + validation.pairs, counts, class_names, class_ids,
                       settings.ignore_label, settings.other_ids, len(training.pairs), errors)
    if unknown := set(settings.class_weights or ()) - set(class_names):
        errors.append(f"CLASS_WEIGHTS names {list_names(sorted(unknown))}, but the classes are "
                      f"{list_names(class_names)}: correct it.")
    return class_names, class_ids


def choose_unlabeled(unlabeled, validation, settings):
    """Returns the Part of the images without a label that teach.

    With SPLIT_BY those of the validation images' groups do not: the score would be too good. How
    many they are is printed.
    """
    if settings.split_by is None:
        return unlabeled
    measured = set(find_groups(validation.pairs.image_names, settings.split_by))
    groups = find_groups(unlabeled.pairs.image_names, settings.split_by)
    chosen = [index for index, group in enumerate(groups) if group not in measured]
    if len(chosen) < len(groups):
        print(f"{len(groups) - len(chosen)} of {len(groups)} images without a label do not teach, "
              f"because validation images are of the same groups (SPLIT_BY).")
    return Part(unlabeled.pairs.choose(chosen),
                DecodedSet(*(choose_records(array, chosen) for array in unlabeled.decoded)),
                unlabeled.sizes[chosen])


def tile_data(data, training_sizes, validation_sizes, unlabeled_sizes, settings):
    """Returns the data of large pictures for training on crops and for validation on tiles.

    Args: data of load_data, whose arrays are pictures; the sizes of each Part.
    Returns: data, where validation_images, validation_labels and unlabeled_images are tiles of
        IMAGE_SIZE, and also read_crops (see tiling.make_crop_reader), crops_per_picture, and
        validation_pictures, validation_picture_labels, validation_sizes.
    """
    tile_size = settings.image_size
    pictures, labels = data["validation_images"], data["validation_labels"]
    tiles = choose_tiles(validation_sizes, tile_size, MAX_TILES)
    crops = count_crops(training_sizes, tile_size, settings.batch_size)
    height, width = np.concatenate([training_sizes, validation_sizes]).max(axis=0)
    print(f"Pictures of up to {height}x{width} pixels (height x width) are seen in tiles of "
          f"{tile_size[0]}x{tile_size[1]}: an epoch shows {crops} crop(s) of each and is measured "
          f"on {len(tiles)} tiles of the validation pictures.", flush=True)
    if len(unlabeled_sizes):
        data["unlabeled_images"] = cut_tiles(
            data["unlabeled_images"], choose_tiles(unlabeled_sizes, tile_size, MAX_TILES),
            tile_size, PADDING_GRAY)
    return {**data, "crops_per_picture": crops,
            "read_crops": make_crop_reader(data["images"], data["labels"], training_sizes,
                                           tile_size, data["class_weights"],
                                           settings.rare_crop_share),
            "validation_images": cut_tiles(pictures, tiles, tile_size, PADDING_GRAY),
            "validation_labels": cut_tiles(labels, tiles, tile_size, PADDING_LABEL),
            "validation_pictures": pictures, "validation_picture_labels": labels,
            "validation_sizes": validation_sizes}


def cut_calibration_images(images, sizes, image_size):
    """Returns the calibration images, uint8 (n, *image_size, 3): of large pictures a tile each.

    Args: images uint8 (n, height, width, 3) to choose from; sizes int (n, 2), each one's own part.
    """
    chosen = calibration_indices(len(images))
    tiles = [(index, *spread_tile(sizes[index], image_size, position))
             for position, index in enumerate(chosen.tolist())]
    return add_extreme_pixels(cut_tiles(images, tiles, image_size, PADDING_GRAY))


def find_pairs(settings, errors):
    """Pairs the files of the folders that the settings name; None is a folder that can't be used.

    Args: errors, list to which sentences are added.
    Returns: training Pairs, validation Pairs, Pairs without labels (UNLABELED), validation folders
        (images, labels). Where some of the training pairs are to be set aside, all are training
        pairs here.
    """
    folders = settings.image_dir, settings.label_dir
    validation_folders = tuple(
        own or shared for own, shared in zip(
            (settings.validation_image_dir, settings.validation_label_dir), folders))
    unlabeled = "keep" if settings.unlabeled else "skip" if settings.skip_unlabeled else "error"
    pairs = Pairs() if None in folders else pair_files(*folders, unlabeled=unlabeled, errors=errors)
    unlabeled_pairs = Pairs()
    if settings.unlabeled:
        is_labeled = [name is not None for name in pairs.label_names]
        unlabeled_pairs = pairs.choose(np.flatnonzero(np.logical_not(is_labeled)))
        pairs = pairs.choose(np.flatnonzero(is_labeled))
    if settings.validation_image_dir is not None:
        validation_pairs = Pairs() if None in validation_folders else pair_files(
            *validation_folders, errors=errors)
        return pairs, validation_pairs, unlabeled_pairs, validation_folders
    if None not in pairs.image_names + pairs.label_names:  # else it has been said
        if len(pairs) == 1:
            errors.append("1 pair(s) can't be split into training and validation: add pairs, or "
                          "set VALIDATION_IMAGE_DIR and VALIDATION_LABEL_DIR.")
        elif pairs:
            try:  # once before the files are read, because it needs their names alone
                choose_rows(pairs, None, [], settings)
            except InputError as error:
                errors.append(str(error))
    return pairs, Pairs(), unlabeled_pairs, validation_folders


def choose_rows(pairs, counts, class_ids, settings):
    """Returns the positions of the pairs to train on, and of those to measure on.

    Args: counts (n, 256), pixels of each value in each label file, or None: only what the names
        tell is checked, and nothing is returned.
    Raises: InputError as split_by_list, find_groups and split_by_seed do.
    """
    if settings.validation_list is not None:
        return split_by_list(pairs.image_names, settings.validation_list)
    groups = find_groups(pairs.image_names, settings.split_by)
    if counts is None:
        return None
    holds = np.array([counts[:, values].any(axis=1) for values in class_ids]).T
    return split_by_seed(groups, holds, settings.validation_split, settings.seed,
                         may_tear=settings.split_by is None)


def choose_decoding(settings, size, class_ids, pairs):
    """Returns the Decoding of all files, after a look at those of more than 8 bits.

    Args: size (height, width) of the decoded pictures; with PICTURE_SIZE "full" they are padded to
        it. class_ids, list of lists as label_values.group_class_ids returns it, or None.
    """
    paths = [pairs.files(index)[0] for index in range(len(pairs))]
    table = make_value_table(class_ids, settings.ignore_label, settings.other_ids)
    return Decoding(tuple(size), tuple(table.tolist()), measure_intensity_range(paths),
                    settings.labels_turned, pad=settings.picture_size == "full")


def read_sets(pairs, sizes, decoding, settings, errors):
    """Decodes the pairs of all sets, each in memory or, above MEMORY_LIMIT_GB, into CACHE_DIR.

    Args: pairs, the training, validation and unlabeled Pairs; sizes int (n, 2) of all of them, as
        find_size returns them; errors, list to which a sentence for each kind of error is added.
        Where it holds some already, which prevent training, files are only checked, and nothing is
        kept of them.
    Returns: list of three Parts, in that order.
    Raises: InputError of all errors so far, where a cache can't be written.
    """
    limit, cache_dir = 0, None
    if not errors:
        limit = settings.memory_limit_gb
        cache_dir = Path(settings.cache_dir or Path(settings.output_dir) / "cache")
        if not is_chief():  # in a folder that machines share, each writes its own
            cache_dir /= f"worker_{worker_index()}"
    file_errors, sets = [], []
    try:
        for some, purpose in zip(pairs, ("training", "validation", "unlabeled"), strict=True):
            sets.append(read_pairs(some, decoding, file_errors, limit if len(some) else None,
                                   cache_dir, purpose))
    except InputError as error:
        collect_or_raise([*errors, *list_file_errors(file_errors), str(error)])
    errors += list_file_errors(file_errors)
    sizes = np.split(sizes, np.cumsum([len(some) for some in pairs])[:-1])
    return [Part(*part) for part in zip(pairs, sets, sizes, strict=True)]


def print_class_table(labels, class_names, settings):
    """Prints the table of classes; returns the pixels and the weight of each, two (classes,)."""
    pixel_counts = count_pixels(labels, len(class_names))
    class_weights = scale_class_weights(
        compute_class_weights(pixel_counts, settings.class_weight_power), class_names,
        settings.class_weights)
    print(format_class_table(class_names, pixel_counts, class_weights))
    return pixel_counts, class_weights


# ---- for the scripts that run after main.py --------------------------------------------------


def import_images(info, image_dir, label_dir, names=None):
    """Reads pairs as the training did, and checks them.

    Args:
        info: model.json's fields, see device.model_info.
        image_dir, label_dir: folders of images and of label PNGs.
        names: image names relative to image_dir to read, in this order; None reads all.
    Returns: images uint8 (height, width, 3) and labels uint8 (height, width) of class indices and
        IGNORED, one each a pair: of IMAGE_SIZE, or with PICTURE_SIZE as large as that says; and the
        names of the images.
    Raises: InputError, all errors in one message: first five files and the count of each.
    """
    errors, file_errors = [], []
    pairs = pair_files(image_dir, label_dir, names, errors=errors)
    if info.get("picture_size") is None:
        images, labels, counts, *_ = read_pairs(pairs, decoding_of(info, info["image_size"]),
                                                file_errors)
    else:  # one by one: each may have a size of its own
        _, sizes = find_size(pairs, info["picture_size"])
        read = [read_pairs(pairs[number:number + 1], decoding_of(info, size), file_errors)
                for number, size in enumerate(sizes.tolist())]
        images, labels = [one.images[0] for one in read], [one.labels[0] for one in read]
        counts = np.array([one.value_counts[0] for one in read]).reshape(-1, 256)
    errors += list_file_errors(file_errors)
    check_label_values(pairs, counts, info["class_names"], class_ids_of(info),
                       info.get("ignore_label"), info.get("other_ids", "error"), 0, errors)
    collect_or_raise(errors)
    return images, labels, pairs.image_names


def class_ids_of(info):
    """Returns the label values of each class that model.json names."""
    return info.get("class_ids") or count_up(len(info["class_names"]), info.get("ignore_label"))


def decoding_of(info, size):
    """Returns the Decoding that model.json describes, to this (height, width)."""
    table = make_value_table(class_ids_of(info), info.get("ignore_label"),
                             info.get("other_ids", "error"))
    return Decoding(tuple(size), tuple(table.tolist()), info.get("intensity_range"),
                    info.get("labels_turned", False))


def load_calibration_images(info):
    """Reads the calibration images that model.json names, uint8 (n, height, width, 3).

    The same ones as main.py's: with PICTURE_SIZE one tile of each picture, read one by one.
    """
    names = info["training_images"]
    chosen = [names[index] for index in calibration_indices(len(names))]
    picture_size, image_size = info.get("picture_size"), info["image_size"]
    if picture_size is None:
        images, _, _ = import_images(info, info["image_dir"], info["label_dir"], chosen)
        return add_extreme_pixels(images)
    pairs, tiles = pair_files(info["image_dir"], info["label_dir"], chosen), []
    _, sizes = find_size(pairs, picture_size)
    for position, size in enumerate(sizes.tolist()):
        images = read_pairs(pairs[position:position + 1], decoding_of(info, size)).images
        top, left = spread_tile(size, image_size, position)
        tiles += [cut_tile(images[0], top, left, image_size, PADDING_GRAY)]
    return add_extreme_pixels(np.stack(tiles))


def load_validation_images(info):
    """Reads the validation images and labels that model.json names, as import_images does."""
    images, labels, _ = import_images(info, info["validation_image_dir"],
                                      info["validation_label_dir"], info["validation_images"])
    return images, labels
