"""Tells the kinds of label files apart by their content, and reads those of one kind."""

from device.errors import InputError, list_names
from device.files import split_suffix
from segmentation.formats import (
    cityscapes,
    coco,
    cvat,
    label_studio,
    labelme,
    labelme_mit,
    supervisely,
    via,
    yolo,
)
from segmentation.formats.masks import find_masks
from segmentation.formats.reading import (
    FormatError,
    damage_as_sentence,
    read_json,
    read_text,
    read_xml,
)
from segmentation.formats.records import Found
from segmentation.formats.refused import refuse_csv, refuse_json, refuse_mask, refuse_xml
from segmentation.parallel import in_parallel

# suffix: how such a file is read, which formats it may be, and what else it may be.
KINDS = {".json": (read_json, (labelme, coco, cityscapes, supervisely, label_studio, via),
                   refuse_json),
         ".xml": (read_xml, (cvat, labelme_mit), refuse_xml),
         ".txt": (read_text, (yolo,), lambda text: "")}
# Of several kinds the first is read, the others are named: what people draw comes before what is
# exported from it.
ORDER = (labelme, label_studio, supervisely, via, cvat, coco, cityscapes, labelme_mit, yolo)


def find_labels(source, pictures, options, errors):
    """Finds and reads the labels of SOURCE, of one kind.

    Args: pictures, a Pictures; options, the script's constants; errors, list to which
        sentences on files that can't be read are added.
    Returns: Found, and the Pictures without files that are masks.
    Raises: InputError where there is nothing that can be read.
    """
    by_kind, refused = _read_files(source, errors)
    masks, pictures = None, pictures
    chosen = next((reader for reader in ORDER if reader in by_kind), None)
    if chosen is cityscapes and any("labelids" in path.stem.lower() for path in source.masks()):
        chosen = None  # Cityscapes' own pictures of its polygons
    if chosen is None:
        masks, pictures = find_masks(source, pictures, options.suffix,
                                     options.class_names, errors)
        if masks is not None:
            return masks, pictures
        errors[:0] = refused
        if not errors:
            raise InputError(f"No labels in {source.path}: there are neither label pictures nor "
                             f"files of a known kind (docs/labels.md lists them).")
        return Found("labels", [], []), pictures
    return _join(chosen, by_kind, source, refused), pictures


def _join(chosen, by_kind, source, refused):
    """Returns the Found of one reader's files, with remarks on all others."""
    entries = by_kind.pop(chosen)
    records = [record for _, found, _ in entries for record in found]
    order = list(dict.fromkeys(name for _, _, names in entries for name in names))
    remarks = [*source.remarks, *refused]
    if by_kind:
        others = [f"{reader.KIND} ({len(found)} file(s), such as {found[0][0].name})"
                  for reader, found in by_kind.items()]
        remarks.append(f"{chosen.KIND} is read; passed over: {', '.join(others)}. Set SOURCE to a "
                       f"folder or file to choose another.")
    return Found(chosen.KIND, [path for path, _, _ in entries], records, order, remarks=remarks)


def _read_files(source, errors):
    """Reads all files that are no pictures.

    Returns: dict reader -> list of (path, records, class names), and sentences on what is refused.
    """
    paths = source.with_suffix(*KINDS)
    results = in_parallel(lambda index: _read_file(paths[index], source), len(paths),
                          "Reading labels")
    by_kind, refused, others = {}, {}, []
    for path, (reader, result) in zip(paths, results):
        if isinstance(result, FormatError):
            errors.append(str(result))
        elif reader is None and result:
            refused.setdefault(result, []).append(path)
        elif reader is not None:
            by_kind.setdefault(reader, []).append((path, *result))
        else:
            others.append(path)
        if reader is not None:
            source.used.add(path.resolve())
    if yolo in by_kind:
        _read_rest(by_kind[yolo], others, source, errors)
    for path in source.with_suffix(".csv"):
        if refuse_csv(path):
            refused.setdefault(refuse_csv(path), []).append(path)
    for path in source.masks():
        if refuse_mask(path):
            refused.setdefault(refuse_mask(path), []).append(path)
    return by_kind, [sentence.format(f"{len(paths)} file(s) ({list_names(p.name for p in paths)})")
                     for sentence, paths in refused.items()]


def _read_rest(entries, others, source, errors):
    """Adds YOLO's files that its form did not tell: empty ones, and those of a damaged first line.

    Args: entries, of YOLO's files, to which is added; others, paths of files of no known kind.
    """
    folders = {path.parent.name for path, _, _ in entries}  # train/labels and val/labels
    for path in others:
        if split_suffix(path.name)[1] != ".txt" or path.parent.name not in folders:
            continue
        try:
            text = read_text(path)
            if not text.strip() or yolo.is_damaged(text):
                entries.append((path, *yolo.read(path, text, source)))
                source.used.add(path.resolve())
        except FormatError as error:
            errors.append(str(error))


def _read_file(path, source):
    """Returns the reader of a file and (records, class names), or a FormatError on its damage.

    A file of no known kind gives None and, where it is of a kind that can't be used, why.
    """
    read_content, readers, refuse = KINDS[split_suffix(path.name)[1]]
    try:
        content = read_content(path)
    except FormatError as error:  # a text may be anything, a JSON or XML file is meant as labels
        return None, "" if read_content is read_text else error
    reader = None
    try:
        with damage_as_sentence(path):
            reader = next((one for one in readers if one.recognizes(content)), None)
            if reader is None:
                return None, refuse(content)
            return reader, reader.read(path, content, source)
    except FormatError as error:
        return reader, error
