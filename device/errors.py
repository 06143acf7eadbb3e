"""The error that every script prints as one sentence, and how a script ends."""

import sys
import traceback


class InputError(ValueError):
    """The input can't be used; the message has one sentence for each error, with the remedy."""


def collect_or_raise(sentences, errors=None):
    """Adds sentences to the list errors, to be raised later; without a list raises them at once.

    Raises: InputError of all sentences, where errors is None.
    """
    if errors is not None:
        errors += sentences
    elif sentences:
        raise InputError("\n".join(sentences))


def list_names(names):
    """Returns the first five of the names and, where there are more, how many are not shown."""
    names = [str(name) for name in names]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def shorten(text, length=60):
    """Returns a text on one line; of a longer one the beginning and the number of characters."""
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[:2 * length // 3]} ... ({len(text)} characters)"


def _report_uncaught(kind, error, trace, report=sys.excepthook):
    """Says one line where Ctrl-C ended an import, which is before main(); else reports as ever."""
    frames = traceback.extract_tb(trace)[1:] if issubclass(kind, KeyboardInterrupt) else ()
    if any(frame.name == "<module>" or frame.filename.startswith("<frozen importlib")
           for frame in frames):
        print("Interrupted at the start: nothing has been done.", file=sys.stderr)
    else:
        report(kind, error, trace)


sys.excepthook = _report_uncaught  # the libraries of a script take seconds to import


def run_script(main):
    """Runs a script's main() and ends the process with what it returns as the exit code.

    An InputError becomes one sentence and exit code 1, Ctrl-C one line and exit code 130. A letter
    that the console or the file behind "> log.txt" does not know is printed by its number.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        print("Interrupted: what was complete before is kept.", file=sys.stderr)
        sys.exit(130)
