"""A whole run: the epochs with a frozen encoder, fine-tuning, what happens after each, resuming."""

import functools
import json
import time
from pathlib import Path

import keras
import tensorflow as tf

from device.errors import InputError, list_names
from device.files import write_json, write_table
from segmentation.data.augmentation import Augmentation
from segmentation.data.cache import BYTES_PER_GB
from segmentation.data.channels import Variation
from segmentation.data.mixing import Mixing
from segmentation.data.pasting import MIN_BACKGROUND, is_background_large
from segmentation.evaluate import make_predictor, measure, warn_of_one_class
from segmentation.int8.features import cache_features, make_feature_function
from segmentation.metrics import selection_score
from segmentation.output_dir import keep_previous_results
from segmentation.results import describe_model, save_model
from segmentation.saved_model import load_weights
from segmentation.train.checkpoint import load_checkpoint, save_checkpoint
from segmentation.train.fast_decoder import call_decoder, call_unet, choose_training_dtype
from segmentation.train.loop import Phase, choose_call, fit, temporary_dtype_policy
from segmentation.train.mirrored import warn_of_left_right
from segmentation.train.unlabeled import RATE_SHARE, count_labeled
from segmentation.workers import is_chief

# Of the decoder, where the encoder is pretrained (docs/training.md, The optimizer). Where it has
# random weights, shrinking them was not measured.
WEIGHT_DECAY = 0.5
DECODER_RATE = 10  # of the decoder in fine-tuning, in those of the encoder (docs/benchmarks.md)
# Where class 0 holds over 90 % of the pixels; a street with 11 classes is learned less well by it
# (docs/training.md, Varied channels).
VARIATION = Variation(dropped=0.1, spread=0.4, share=0.5)
# Random crops, as augment_batch takes them: of few images, which an epoch shows several times, and
# of all where a pretrained encoder is trained (docs/training.md, Random crops).
FEW_IMAGES_CROPS = (0.75, 1.33)
FINE_TUNE_CROPS = (0.6, 1.25)


def train(model, data, loss, settings, strategy):
    """Trains the model as the settings say and saves the best epoch as model.keras.

    A frozen encoder never changes, so only the decoder is trained, on what the int8 encoder makes
    of the images: faster than Keras' own encoder, and the decoder learns on what the device
    computes. An encoder with random weights is trained as a part of the whole model.
    Args: data, what import_data.load_data returns; loss, a function (labels, logits) -> scalar.
    Returns: the record: history, list of a dict an epoch (the columns of history.csv), and best,
        the metrics of the best epoch.
    Raises: InputError as loop.fit does, and where the checkpoint to be resumed does not fit;
        KeyboardInterrupt where Ctrl-C ended the first epoch: nothing in OUTPUT_DIR has changed.
    """
    record = {"constants": describe_run(model, data, settings), "epochs": 0, "history": [],
              "best": None}
    optimizer_variables, best_weights = None, []
    if settings.resume:
        optimizer_variables = resume(model, record, best_weights, settings)
    options = {"augmentation": choose_augmentation(settings), "seed": settings.seed,
               "pasted_classes": count_pasted_classes(data, settings)}
    check_options(model, data, settings, strategy)
    is_interrupted = False
    for phase in plan_phases(model, data, settings, record["epochs"]):
        if best_weights and record["epochs"] == phase.first_epoch > 0:
            model.set_weights(best_weights)  # fine-tuning starts from the best epoch
        predict = make_predictor(choose_call(phase, strategy), phase.cached_features)
        batch_size, repeats = plan_batches(data, settings, len(phase.unlabeled_images))
        is_interrupted = fit(
            phase, strategy, loss, data, batch_size, {**options, "repeats": repeats},
            make_epoch_end(model, predict, data, settings, record, best_weights),
            record["epochs"], optimizer_variables, settings.mixed_precision)
        if record["best"] is None:
            print("No epoch was complete: OUTPUT_DIR is as it was.", flush=True)
            raise KeyboardInterrupt
        if is_interrupted or is_patience_over(record, settings):
            break
        optimizer_variables = None
    total = settings.epochs + settings.fine_tune_epochs
    if is_interrupted and record["epochs"] < total:
        print(f"Interrupted after {record['epochs']} of {total} epochs. To resume: RESUME = True, "
              f"and python main.py again.", flush=True)
    return record


def plan_phases(model, data, settings, epochs_done):
    """Yields the Phase of the frozen encoder, and that of fine-tuning where it is wanted."""
    encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
    epochs, all_epochs = settings.epochs, settings.epochs + settings.fine_tune_epochs
    if encoder.trainable:
        yield Phase(model, None, settings.learning_rate, 0, epochs,
                    choose_fast_call(call_unet, model, settings))
        return
    if epochs_done < epochs:
        print("Quantizing the encoder: the decoder is trained on its int8 features", flush=True)
        features = make_feature_function(encoder, data["calibration_images"])
        cached_features = cache_features(features, settings.memory_limit_gb * BYTES_PER_GB)
        unlabeled_images = data.get("unlabeled_images", ())
        crop_range = choose_crops(data, settings, len(unlabeled_images))
        # Of flipped and turned images a few versions come again and again: they are cached, too.
        comes_again = not (settings.color or crop_range or "read_crops" in data
                           or count_pasted_classes(data, settings))
        rate = settings.learning_rate * (RATE_SHARE if len(unlabeled_images) else 1)
        yield Phase(decoder, cached_features if comes_again else features, rate, 0, epochs,
                    choose_fast_call(call_decoder, decoder, settings), cached_features,
                    crop_range=crop_range, mixing=choose_mixing(data, settings),
                    variation=choose_variation(data), weight_decay=WEIGHT_DECAY,
                    unlabeled_images=unlabeled_images)
    if epochs_done < all_epochs and settings.fine_tune_epochs:
        unfreeze(encoder, settings.fine_tune_from)
        rate = settings.fine_tune_learning_rate
        yield Phase(model, None, DECODER_RATE * rate, epochs, all_epochs,
                    choose_fast_call(call_unet, model, settings), crop_range=FINE_TUNE_CROPS,
                    weight_decay=WEIGHT_DECAY, encoder_rate=rate)


def choose_fast_call(call, model, settings):
    """Returns fast_decoder's way to call a model, or None with MIXED_PRECISION: Keras' own."""
    return None if settings.mixed_precision else functools.partial(
        call, model, training_dtype=choose_training_dtype())


def check_options(model, data, settings, strategy):
    """Prints what FLIP, UNLABELED and PASTE_OBJECTS do with these images.

    Raises: InputError as check_unlabeled does.
    """
    warn_of_left_right(data["class_names"], settings.flip)
    if "unlabeled_images" in data:
        check_unlabeled(data, model, strategy)
    if settings.paste_objects:
        tell_pasting(data["class_names"][0], count_pasted_classes(data, settings) > 0)


def check_unlabeled(data, model, strategy):
    """Prints how many images without a label teach, or why they do not.

    Raises: InputError where several devices train together.
    """
    count = len(data["unlabeled_images"])
    if model.get_layer("encoder").trainable:
        print(f"The {count} images without a label do not teach (UNLABELED): that needs a "
              f"pretrained encoder.", flush=True)
    elif strategy.num_replicas_in_sync > 1:
        raise InputError("UNLABELED = True trains on one device alone: set it to False, or hide "
                         "the others (CUDA_VISIBLE_DEVICES=0).")
    else:
        print(f"{count} images without a label teach from a fifth of the EPOCHS on (UNLABELED).",
              flush=True)


def count_pasted_classes(data, settings):
    """Returns the number of classes whose objects are pasted into other images, or 0: none are."""
    if not settings.paste_objects or not is_background_large(data["pixel_counts"]):
        return 0
    return len(data["class_names"])


def choose_mixing(data, settings):
    """Returns the Mixing that the settings say, or None where they mix nothing."""
    return Mixing(settings.mix_classes, len(data["class_names"]),
                  is_background_large(data["pixel_counts"])) if settings.mix_classes else None


def choose_variation(data):
    """Returns VARIATION, or None where class 0 does not hold most of the pixels.

    None, too, where images without a label teach: varied until they do, 20 labels of birds ended at
    0.677, 0.663, 0.643, not varied at 0.659, 0.677, 0.685 (seeds 1, 2, 3).
    """
    is_varied = is_background_large(data["pixel_counts"]) and "unlabeled_images" not in data
    return VARIATION if is_varied else None


def tell_pasting(background, is_pasting):
    """Prints whether objects are pasted, and why."""
    print(f"{background} holds {'over' if is_pasting else 'not over'} {MIN_BACKGROUND:.0%} of the "
          f"pixels, so objects are {'' if is_pasting else 'not '}pasted into other training images "
          f"(PASTE_OBJECTS).", flush=True)


def choose_augmentation(settings):
    """Returns the Augmentation that the settings say, or None where they vary nothing."""
    augmentation = Augmentation(settings.flip, settings.rotate, settings.color)
    return augmentation if any(augmentation) else None


def choose_crops(data, settings, unlabeled_count):
    """Returns FEW_IMAGES_CROPS where an epoch shows an image several times, or None.

    None, too, where the settings vary nothing, and with PICTURE_SIZE, which has crops of its own.
    """
    _, repeats = plan_batches(data, settings, unlabeled_count)
    is_varied = choose_augmentation(settings) is not None and "read_crops" not in data
    return FEW_IMAGES_CROPS if repeats > 1 and is_varied else None


def plan_batches(data, settings, unlabeled_count):
    """Returns how many images with a label a step has, and how often an epoch goes through them.

    Args: unlabeled_count, of the images without a label that teach, too.
    """
    batch_size = count_labeled(settings.batch_size) if unlabeled_count else settings.batch_size
    return batch_size, count_repeats(data, settings, batch_size, unlabeled_count)


def count_repeats(data, settings, batch_size, unlabeled_count=0):
    """Returns how often an epoch goes through the images.

    Few images are repeated for MIN_STEPS_PER_EPOCH batches, large pictures for their several crops,
    and those with a label until those without one (UNLABELED) have been seen, too: with camvid's 20
    labels and 347 others 40 epochs of 20 batches gave a mean IoU of 0.570, 20 such epochs 0.549.
    """
    count = len(data["images"])
    return max(data.get("crops_per_picture", 1),
               round(settings.min_steps_per_epoch * batch_size / count),
               round(1 + unlabeled_count / count))


def unfreeze(encoder, first_layer):
    """Makes the encoder trainable from the layer of this name on, batch normalization excepted.

    Raises: InputError where the encoder has no such layer.
    """
    names = [layer.name for layer in encoder.layers]
    if first_layer not in names:
        raise InputError(f"FINE_TUNE_FROM {first_layer!r} is no layer of MobileNetV2: choose "
                         f"block_1_expand to block_16_expand.")
    encoder.trainable = True
    for index, layer in enumerate(encoder.layers):
        # Its statistics are ImageNet's, and those of a few pictures would spoil them.
        layer.trainable = (index >= names.index(first_layer)
                           and not isinstance(layer, keras.layers.BatchNormalization))


# ---- after each epoch ------------------------------------------------------------------------


def make_epoch_end(model, predict, data, settings, record, best_weights):
    """Returns the function that loop.fit calls after each epoch.

    It measures on the validation set with one confusion matrix, prints a line, saves the best model
    and the checkpoint; it returns whether PATIENCE is over.
    """
    output_dir = Path(settings.output_dir)
    writer = (tf.summary.create_file_writer(str(output_dir / "tensorboard"))
              if settings.tensorboard and is_chief() else None)

    def finish(epoch, loss, seconds, optimizer_variables):
        """Measures, prints, saves; see loop.fit."""
        start = time.monotonic()
        predictions = predict(data["validation_images"])
        metrics = measure(predictions, data)
        row = {"epoch": epoch + 1, "loss": loss, "mean_iou": metrics["mean_iou"],
               "mean_iou_without_background": metrics["mean_iou_without_background"],
               "seconds": seconds, "evaluation_seconds": time.monotonic() - start,
               **{f"iou {name}": iou for name, iou in zip(data["class_names"], metrics["iou"])}}
        is_best = is_better(metrics, record["best"])
        print(format_epoch(row, metrics, data["class_names"], is_best, settings), flush=True)
        warn_of_one_class(metrics, data["class_names"])
        if not record["history"] and is_chief():
            keep_previous_results(output_dir)
        record["history"].append(row)
        record["epochs"] = epoch + 1
        if is_best:
            keep_best(model, {"epoch": epoch + 1, **metrics}, data, settings, record, best_weights)
        if is_chief():
            write_table(output_dir / "history.csv", record["history"])
            save_checkpoint(output_dir, record, model.weights, optimizer_variables)
        if writer is not None:
            write_summary(writer, row)
        return is_patience_over(record, settings)

    return finish


def is_better(metrics, best):
    """Whether an epoch is to be kept: better on the classes that the validation labels hold.

    Where they hold one class only nothing can be compared: then the last epoch is kept.
    """
    score = selection_score(metrics)
    return best is None or score is None or score > selection_score(best)


def keep_best(model, metrics, data, settings, record, best_weights):
    """Notes the metrics as the best so far, keeps the weights, saves model.keras and model.json.

    So a run that ends badly later leaves a model that can be converted.
    """
    record["best"], best_weights[:] = metrics, model.get_weights()
    if is_chief():
        output_dir = Path(settings.output_dir)
        with temporary_dtype_policy(model, "float32" if settings.mixed_precision else None):
            save_model(model, output_dir / "model.keras")
        write_json(output_dir / "model.json", describe_model(model, data, settings, metrics))


def is_patience_over(record, settings):
    """Whether PATIENCE epochs have passed without a better mean IoU."""
    return (settings.patience is not None
            and record["epochs"] - record["best"]["epoch"] >= settings.patience)


def format_epoch(row, metrics, class_names, is_best, settings):
    """Returns an epoch's line: loss, mean IoU, the worst class and its IoU, seconds."""
    occurring = [(iou, name) for iou, name in zip(metrics["iou"], class_names) if iou is not None]
    worst_iou, worst = min(occurring)
    total = settings.epochs + settings.fine_tune_epochs
    return (f"epoch {row['epoch']:>{len(str(total))}}/{total}  loss {row['loss']:.4f}  mean IoU "
            f"{100 * row['mean_iou']:5.2f} %  worst: {worst} {100 * worst_iou:.2f} %  "
            f"{row['seconds'] + row['evaluation_seconds']:.1f} s" + ("  best" if is_best else ""))


def write_summary(writer, row):
    """Writes an epoch's numbers for TensorBoard."""
    with writer.as_default(step=row["epoch"]):
        for name, value in row.items():
            if name != "epoch" and value is not None:
                tf.summary.scalar(name, value)
    writer.flush()


# ---- resuming --------------------------------------------------------------------------------


def describe_run(model, data, settings):
    """Returns the constants that a resumed run must have in common with the interrupted one."""
    return json.loads(json.dumps({  # tuples and the keys of dicts as the checkpoint has them
        "CLASS_NAMES": data["class_names"], "IMAGE_SIZE": settings.image_size,
        "PICTURE_SIZE": settings.picture_size, "ENCODER_ALPHA": settings.encoder_alpha,
        "DECODER_FILTERS": settings.decoder_filters, "BATCH_SIZE": settings.batch_size,
        "CLASS_IDS": settings.class_ids, "OTHER_IDS": settings.other_ids,
        "IGNORE_LABEL": settings.ignore_label, "UNLABELED": settings.unlabeled,
        "frozen encoder": not model.get_layer("encoder").trainable,
        "training images": data["training_names"]}))


def resume(model, record, best_weights, settings):
    """Loads the checkpoint that an earlier run left in OUTPUT_DIR into the arguments.

    Returns: the optimizer's variables, or None where the earlier run had ended a phase.
    Raises: InputError where the earlier run had other classes, sizes, decoder, images.
    """
    output_dir = settings.output_dir
    checkpoint = load_checkpoint(output_dir)
    if checkpoint is None:
        print(f"There is no checkpoint in {output_dir} to resume: starting at epoch 1.", flush=True)
        return None
    content, weights, optimizer_variables = checkpoint
    before = content["constants"]
    differences = [f"{name} was {_describe(before.get(name))} and is {_describe(value)}"
                   for name, value in record["constants"].items() if before.get(name) != value]
    if differences:
        raise InputError(f"The run in {output_dir} can't be resumed: {'; '.join(differences)}. Set "
                         f"them as they were, or RESUME = False to start again.")
    load_weights(model, output_dir)
    best_weights[:] = model.get_weights()
    model.set_weights(weights)
    record.update(content)
    print(f"Resuming after epoch {record['epochs']} (RESUME).", flush=True)
    is_phase_over = record["epochs"] in (settings.epochs,
                                         settings.epochs + settings.fine_tune_epochs)
    return None if is_phase_over else optimizer_variables


def _describe(value):
    return f"[{list_names(value)}]" if isinstance(value, list) else str(value)
