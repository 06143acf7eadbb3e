"""Reads folders of images and label PNGs: checked, paired, decoded, with class weights.

Every image needs a label PNG of the same name (a.jpg and a.png), and every label an image. A label
holds a class index for each pixel; pixels with the ignore label count nowhere. main.py,
tflite_convert.py and tflite_test.py read their data with this file. It does not need TensorFlow.
"""

from pathlib import Path

import numpy as np

from device.errors import InputError, collect_or_raise
from device.images import PADDING_GRAY, PADDING_LABEL
from device.tiles import cut_tile
from segmentation.data.classes import (
    check_label_values,
    compare_classes,
    compute_class_weights,
    count_pixels,
    format_class_table,
    name_classes,
)
from segmentation.data.object_sizes import describe_small_objects, median_object_sizes
from segmentation.data.pairing import Pairs, pair_files
from segmentation.data.reading import list_file_errors, read_pairs
from segmentation.data.tiling import (
    MAX_VALIDATION_TILES,
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
TOO_FEW = ("{} pair(s) can't be split into training and validation: add pairs, or set "
           "VALIDATION_IMAGE_DIR and VALIDATION_LABEL_DIR.")


# ---- for main.py -----------------------------------------------------------------------------


def load_data(settings, errors=()):
    """Reads training and validation pairs as the settings say, and prints the table of classes.

    Args: errors, sentences on what else is wrong, to be raised together with what is found here.
    Returns: dict with images, labels, class_weights, pixel_counts (of the training labels),
        validation_images, validation_labels, class_names, calibration_images, training_names,
        validation_names (image file names), validation_dirs; with PICTURE_SIZE what tile_data
        returns.
    Raises: InputError of all errors: pairing, files, sizes, label values, and those given.
    """
    errors = list(errors)
    pairs, validation_pairs, validation_dirs = find_pairs(settings, errors)
    size, sizes = find_size(pairs + validation_pairs, settings.picture_size or settings.image_size)
    (images, labels, values), (validation_images, validation_labels, validation_values) = read_both(
        pairs, validation_pairs, size, settings, errors)
    all_values = np.concatenate([values[:], validation_values[:]])
    class_names = name_classes(all_values, settings.label_dir, settings.class_names,
                               settings.ignore_label, errors)
    check_label_values(pairs + validation_pairs, all_values, class_names, settings.ignore_label,
                       len(pairs), errors)
    collect_or_raise(errors)

    print(f"{len(pairs)} training and {len(validation_pairs)} validation images, "
          f"{len(class_names)} classes")
    pixel_counts = count_pixels(labels, len(class_names))
    class_weights = compute_class_weights(pixel_counts, settings.class_weight_power)
    print(format_class_table(class_names, pixel_counts, class_weights))
    if len(pairs) < settings.batch_size:
        print(f"Note: there are fewer training images ({len(pairs)}) than BATCH_SIZE "
              f"({settings.batch_size}): each batch holds all of them.")
    for warning in compare_classes(values, validation_pairs, validation_values, class_names,
                                   settings.ignore_label):
        print(warning)
    data = {"images": images, "labels": labels, "class_weights": class_weights,
            "pixel_counts": pixel_counts, "validation_images": validation_images,
            "validation_labels": validation_labels,
            "class_names": class_names, "validation_dirs": validation_dirs,
            "training_names": pairs.image_names(),
            "validation_names": validation_pairs.image_names(),
            "calibration_images": cut_calibration_images(
                images, sizes[:len(pairs)], settings.image_size)}
    if settings.picture_size is not None:
        return tile_data(data, sizes, settings)
    small = describe_small_objects(median_object_sizes(labels, len(class_names)), class_names)
    print(small, end="\n" if small else "")
    return data


def tile_data(data, sizes, settings):
    """Returns the data of large pictures for training on crops and for validation on tiles.

    Args: data of load_data, whose arrays are pictures; sizes int (n, 2), each picture's own
        (height, width) in them, first those for training.
    Returns: data, where validation_images and validation_labels are tiles of IMAGE_SIZE, and also
        read_crops (see tiling.make_crop_reader), crops_per_picture, and validation_pictures,
        validation_picture_labels, validation_sizes.
    """
    count, tile_size = len(data["images"]), settings.image_size
    training_sizes, validation_sizes = sizes[:count], sizes[count:]
    pictures, labels = data["validation_images"], data["validation_labels"]
    tiles = choose_tiles(validation_sizes, tile_size, MAX_VALIDATION_TILES)
    crops = count_crops(training_sizes, tile_size, settings.batch_size)
    print(f"Pictures of up to {sizes.max(0)[0]}x{sizes.max(0)[1]} pixels (height x width) are seen "
          f"in tiles of {tile_size[0]}x{tile_size[1]}: an epoch shows {crops} crop(s) of each and "
          f"is measured on {len(tiles)} tiles of the validation pictures.", flush=True)
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
    Returns: training Pairs, validation Pairs, validation folders (images, labels).
    """
    folders = settings.image_dir, settings.label_dir
    validation_folders = tuple(
        own or shared for own, shared in zip(
            (settings.validation_image_dir, settings.validation_label_dir), folders))
    pairs = Pairs() if None in folders else pair_files(
        *folders, skip_unlabeled=settings.skip_unlabeled, errors=errors)
    if settings.validation_image_dir is not None:
        validation_pairs = Pairs() if None in validation_folders else pair_files(
            *validation_folders, errors=errors)
        return pairs, validation_pairs, validation_folders
    if None in pairs.image_files + pairs.label_files:  # has been said; they can't be split by name
        return pairs, Pairs(), validation_folders
    if len(pairs) < 2:
        errors += [TOO_FEW.format(len(pairs))] if pairs else []
        return pairs, Pairs(), validation_folders
    training, validation = split_names(pairs.image_names(), settings.validation_split,
                                       settings.seed)
    return pairs.choose(training), pairs.choose(validation), validation_folders


def split_names(names, share, seed):
    """Splits names at random into training and validation names, each sorted, at least one each.

    Raises: InputError where there are fewer than two names.
    """
    if len(names) < 2:
        raise InputError(TOO_FEW.format(len(names)))
    count = min(max(1, round(share * len(names))), len(names) - 1)
    order = np.random.default_rng(seed).permutation(len(names))
    validation = {names[index] for index in order[:count]}
    return [n for n in names if n not in validation], [n for n in names if n in validation]


def read_both(pairs, validation_pairs, size, settings, errors):
    """Decodes training and validation pairs, in memory or, above MEMORY_LIMIT_GB, into CACHE_DIR.

    Args: size (height, width) of the decoded pictures; with PICTURE_SIZE "full" they are padded to
        it. errors, list to which a sentence for each kind of error is added. Where it holds some
        already, which prevent training, files are only checked, and nothing is kept of them.
    Returns: reading.read_pairs' arrays of the training and of the validation pairs.
    Raises: InputError of all errors so far, where a cache can't be written.
    """
    limit, cache_dir = 0, None
    if not errors:
        limit = settings.memory_limit_gb
        cache_dir = Path(settings.cache_dir or Path(settings.output_dir) / "cache")
        if not is_chief():  # in a folder that machines share, each writes its own
            cache_dir /= f"worker_{worker_index()}"
    file_errors, arrays = [], []
    try:
        for some, purpose in ((pairs, "training"), (validation_pairs, "validation")):
            arrays.append(read_pairs(some, size, file_errors, limit, cache_dir, purpose,
                                     pad=settings.picture_size == "full"))
    except InputError as error:
        collect_or_raise([*errors, *list_file_errors(file_errors), str(error)])
    errors += list_file_errors(file_errors)
    return arrays


# ---- for the scripts that run after main.py --------------------------------------------------


def import_images(image_dir, label_dir, image_size, class_names, ignore_label, names=None):
    """Reads pairs of a set whose classes are known, and checks them.

    Args:
        image_dir, label_dir: folders of images and of label PNGs of the same stems.
        image_size: (height, width) to which images are stretched (labels by nearest neighbor).
        class_names: list of names.
        ignore_label: label value that belongs to no class, or None.
        names: image file names to read, in this order; None reads all.
    Returns: images uint8 (n, height, width, 3), labels uint8 (n, height, width).
    Raises: InputError, all errors in one message: first five files and the count of each.
    """
    errors, file_errors = [], []
    pairs = pair_files(image_dir, label_dir, names, errors=errors)
    images, labels, values = read_pairs(pairs, image_size, file_errors)
    errors += list_file_errors(file_errors)
    check_label_values(pairs, values, class_names, ignore_label, 0, errors)
    collect_or_raise(errors)
    return images, labels


def load_calibration_images(info):
    """Reads the calibration images that model.json names, uint8 (n, height, width, 3).

    The same ones as main.py's: with PICTURE_SIZE one tile of each picture, read one by one.
    """
    names = info["training_images"]
    chosen = [names[index] for index in calibration_indices(len(names))]
    picture_size, image_size = info.get("picture_size"), info["image_size"]
    if picture_size is None:
        images, _ = import_images(info["image_dir"], info["label_dir"], image_size,
                                  info["class_names"], info["ignore_label"], chosen)
        return add_extreme_pixels(images)
    pairs, tiles = pair_files(info["image_dir"], info["label_dir"], chosen), []
    _, sizes = find_size(pairs, picture_size)
    for position, size in enumerate(sizes.tolist()):
        images, _, _ = read_pairs(pairs[position:position + 1], size)
        top, left = spread_tile(size, image_size, position)
        tiles += [cut_tile(images[0], top, left, image_size, PADDING_GRAY)]
    return add_extreme_pixels(np.stack(tiles))


def load_validation_images(info):
    """Reads the validation images and labels that model.json names.

    Returns: images uint8 (height, width, 3) and labels uint8 (height, width), one each a pair: of
        IMAGE_SIZE, or with PICTURE_SIZE as large as that says.
    """
    folders = info["validation_image_dir"], info["validation_label_dir"]
    picture_size, names = info.get("picture_size"), info["validation_images"]
    if picture_size is None:
        return import_images(*folders, info["image_size"], info["class_names"],
                             info["ignore_label"], names)
    pairs = pair_files(*folders, names)
    _, sizes = find_size(pairs, picture_size)
    read = [read_pairs(pairs[number:number + 1], size)
            for number, size in enumerate(sizes.tolist())]
    check_label_values(pairs, np.concatenate([values for _, _, values in read]),
                       info["class_names"], info["ignore_label"], 0)
    return [images[0] for images, _, _ in read], [labels[0] for _, labels, _ in read]
