"""From image to image in the window."""

from segmentation.labeling.display import forget_view
from segmentation.labeling.label import declare_background, undo
from segmentation.labeling.loading import go_to
from segmentation.labeling.review import mark_reviewed
from segmentation.labeling.saving import save_current
from segmentation.labeling.screen import refresh, say
from segmentation.labeling.session import next_unlabeled, next_unreviewed
from segmentation.labeling.state import NotNowError, Prompt, check_nothing_under_way
from segmentation.labeling.viewport import fit_view


def show_picture(window, sentences=()):
    """Shows the session's image as a whole; sentences say what was skipped on the way."""
    session = window.session
    window.points, window.preview_box = [], None
    window.message, window.is_alarm = " ".join(sentences), bool(sentences)
    forget_view(window)
    fit_view(window)
    values = set(session.picture.drawing.values)
    if not sentences and 255 in values <= {0, 255} and session.ignore_label == 255:
        window.message = ("This label holds only 0 and 255, and 255 is ignored by training. If it "
                          "is the object: choose its class and press F2, then type 255.")
        window.is_alarm = True
    refresh(window)


def move(window, index, direction=1):
    """Goes to the image at an index.

    Raises: NotNowError while something is under way, InputError where the label can't be saved.
    """
    check_nothing_under_way(window)
    show_picture(window, go_to(window.session, index, direction))


def go_next(window):
    """Goes to the next image."""
    if window.session.index + 1 == len(window.session.image_paths):
        raise NotNowError("This is the last image; n finds those without a label.")
    move(window, window.session.index + 1)


def go_previous(window):
    """Goes to the previous image."""
    if window.session.index == 0:
        raise NotNowError("This is the first image.")
    move(window, window.session.index - 1, direction=-1)


def go_first_or_last(window, key):
    """Goes to the first or to the last image."""
    if key == "home":
        move(window, 0)
    else:
        move(window, len(window.session.image_paths) - 1, direction=-1)


def ask_number(window):
    """Asks for the number of an image, and goes there."""
    def accept(window, typed):
        """Goes to the image whose number was typed."""
        count = len(window.session.image_paths)
        if not typed.strip().isdecimal() or not 1 <= int(typed) <= count:
            raise NotNowError(f"There are images 1 to {count}.")
        move(window, int(typed) - 1)

    check_nothing_under_way(window)
    window.prompt = Prompt(f"Image, 1 to {len(window.session.image_paths)}", accept)
    refresh(window)


def go_unlabeled(window):
    """Goes to the next image without a label."""
    index = next_unlabeled(window.session)
    if index is None:
        raise NotNowError("All other images have a label.")
    move(window, index)


def accept_review(window):
    """Notes that this label is right; goes to the next one that only the model has seen."""
    check_nothing_under_way(window)
    mark_reviewed(window.session, window.session.picture.image_path)
    index = next_unreviewed(window.session)
    if index is None:
        return say(window, "Nothing is left to review.")
    return move(window, index)


def mark_background(window):
    """Saves an all-background label and goes to the next image without a label."""
    check_nothing_under_way(window)
    session, image_path = window.session, window.session.picture.image_path
    if session.picture.drawing.label.any():
        raise NotNowError("Something is painted here: undo or erase it first.")
    declare_background(session.picture.drawing)
    save_current(session)
    window.marked_background = image_path
    done = f"{image_path.name} is saved as all background; z takes that back."
    if next_unlabeled(session) is None:
        return say(window, f"{done} Every image has a label now.")
    go_unlabeled(window)
    return say(window, f"{done} {window.message}", window.is_alarm)


def take_background_back(window):
    """Goes back to the image that was declared background last, and undoes that."""
    session, image_path = window.session, window.marked_background
    window.marked_background = None
    if image_path != session.picture.image_path:
        move(window, session.image_paths.index(image_path))
    undo(session.picture.drawing)
    save_current(session)
    say(window, f"{image_path.name} has no label again.")
