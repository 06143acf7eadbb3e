"""What a person gave can't be used: the error that every script prints as one sentence."""

import sys


class InputError(ValueError):
    """What a person gave can't be used; the message is one sentence a finding, remedy included."""


def collect_or_raise(sentences, errors=None):
    """Adds sentences to the list errors, to be raised with others, or raises them at once.

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


def run_script(main):
    """Runs a script's main() and ends the process with what it returns as the exit code.

    An InputError becomes one sentence and exit code 1, Ctrl-C one line and exit code 130.
    """
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        print("Interrupted: what was complete before is kept.", file=sys.stderr)
        sys.exit(130)
