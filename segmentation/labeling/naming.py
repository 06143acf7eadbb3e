"""Classes in the window: chosen, added, renamed and merged."""

from segmentation.labeling.class_list import add_class, merge_classes, rename_class
from segmentation.labeling.loading import open_current
from segmentation.labeling.navigation import show_picture
from segmentation.labeling.saving import save_rest
from segmentation.labeling.screen import refresh, say
from segmentation.labeling.state import NotNowError, Prompt, Question, check_nothing_under_way


def choose_value(window, value):
    """Paints with a class, or the ignore label, from now on."""
    if value:
        window.last_value = value
    window.value = value
    refresh(window)


def choose_class(window, key):
    """Paints with the class of that number from now on."""
    if int(key) >= len(window.session.class_names):
        raise NotNowError(f"There is no class {key}: press a to add one.")
    choose_value(window, int(key))


def choose_next_class(window, key):
    """Paints with the previous or the next class."""
    count = len(window.session.class_names)
    value = window.value if window.value < count else 0
    choose_value(window, (value + (1 if key == "." else -1)) % count)


def choose_ignored(window):
    """Paints the ignore label from now on."""
    if window.session.ignore_label is None:
        raise NotNowError("IGNORE_LABEL is None: there is nothing to be ignored.")
    choose_value(window, window.session.ignore_label)


def swap_eraser(window):
    """Takes the eraser, or the class that was painted before it."""
    last = window.last_value
    if last >= len(window.session.class_names) and last != window.session.ignore_label:
        last = 1
    choose_value(window, 0 if window.value else last)


def take_class(window):
    """Paints with the class that is under the pointer."""
    if window.pointer is None:
        raise NotNowError("Move the pointer over the picture first.")
    column, row = (round(value) for value in window.pointer)
    label, session = window.session.picture.drawing.label, window.session
    if not (0 <= row < label.shape[0] and 0 <= column < label.shape[1]):
        raise NotNowError("Move the pointer over the picture first.")
    value = int(label[row, column])
    if value >= len(session.class_names) and value != session.ignore_label:
        raise NotNowError(f"{value} is no class.")
    choose_value(window, value)


def ask_class(window):
    """Asks for a class by its number or the beginning of its name."""
    def accept(window, typed):
        """Chooses the class that was typed."""
        names, typed = window.session.class_names, typed.strip()
        found = [index for index, name in enumerate(names) if name.startswith(typed)]
        exact = [index for index, name in enumerate(names) if typed in (name, str(index))]
        if not typed or not (exact or found):
            raise NotNowError(f"There is no class {typed}: press a to add one.")
        window.first_row = (exact or found)[0]
        choose_value(window, (exact or found)[0])

    window.prompt = Prompt("Class, its number or the beginning of its name", accept)
    refresh(window)


def ask_new_class(window):
    """Asks for the name of a new class."""
    def accept(window, typed):
        """Adds the class that was typed, and chooses it."""
        value = add_class(window.session, typed)
        window.message = f"Class {value} is {window.session.class_names[value]}."
        choose_value(window, value)

    window.prompt = Prompt("Name of the new class", accept)
    refresh(window)


def ask_new_name(window):
    """Asks for another name of the chosen class; another class's name or value merges the two."""
    check_nothing_under_way(window)
    value, names = window.value, window.session.class_names
    if value >= len(names):
        raise NotNowError("Choose a class first.")

    def accept(window, typed):
        """Renames the class, or asks whether to merge it with the one that was typed."""
        typed = " ".join(typed.split())
        if typed in names and typed != names[value]:
            return ask_to_merge(window, value, names.index(typed))
        if typed.isdecimal() and len(names) <= int(typed) <= 255:
            return ask_to_merge(window, int(typed), value)
        rename_class(window.session, value, typed)
        return say(window, f"Class {value} is {typed}.")

    window.prompt = Prompt(f"New name of {names[value]} (or another class, to merge the two)",
                           accept)
    refresh(window)


def ask_to_merge(window, source, target):
    """Asks whether to make one class of two in all labels."""
    names = window.session.class_names
    if source == 0:
        raise NotNowError("The background can't become another class; merge the class into it.")
    name = names[source] if source < len(names) else f"value {source}"

    def answer(window):
        """Merges the two classes, and shows the picture again."""
        session = window.session
        save_rest(session)
        count = merge_classes(session, source, target)
        window.value = min(window.value, len(session.class_names) - 1)
        show_picture(window, open_current(session))
        say(window, f"{name} is {names[target - (source < target)]} now, in {count} labels.")

    window.question = Question(
        f"Make {name} and {names[target]} one class in all labels? This can't be undone. y: yes, "
        f"Esc: no.", {"y": answer})
    refresh(window)
