"""What differs from toolkit to toolkit: the screen's size, and a close button that asks first."""

import matplotlib.pyplot as plt


def find_screen():
    """Returns (width, height) of the screen in pixels, and by how much the system enlarges windows.

    None where the toolkit is another than Tk or Qt, or where there is no screen.
    """
    figure = plt.figure()  # it is not shown
    window = getattr(figure.canvas.manager, "window", None)
    screen = None
    if hasattr(window, "winfo_screenwidth"):  # Tk; matplotlib enlarges its windows by this ratio
        ratio = round(float(window.tk.call("tk", "scaling")) * 72 / 96, 2)
        screen = window.winfo_screenwidth(), window.winfo_screenheight(), ratio
    elif hasattr(window, "installEventFilter"):  # Qt
        size, ratio = window.screen().availableGeometry(), window.screen().devicePixelRatio()
        screen = size.width() * ratio, size.height() * ratio, ratio
    plt.close(figure)
    return screen


def ask_before_closing(figure, may_close):
    """Lets may_close() decide whether the window manager's close button closes the window."""
    window = getattr(figure.canvas.manager, "window", None)
    if hasattr(window, "protocol"):  # Tk
        def take_close_button(event):
            """Takes the button over once the window is shown: matplotlib sets its own before."""
            window.protocol("WM_DELETE_WINDOW", lambda: may_close() and plt.close(figure))

        window.bind("<Map>", take_close_button, add="+")
    elif hasattr(window, "installEventFilter"):  # Qt
        from matplotlib.backends.qt_compat import QtCore

        class CloseFilter(QtCore.QObject):
            """Takes the window's close event."""

            def eventFilter(self, watched, event):  # noqa: N802  Qt's name
                """Returns whether the event goes no further."""
                is_refused = event.type() == QtCore.QEvent.Type.Close and not may_close()
                if is_refused:
                    event.ignore()
                return is_refused

        window.installEventFilter(CloseFilter(window))


def show_until_closed(figure):
    """Hands the window over until it is closed; Ctrl-C in the terminal closes it, saved.

    Raises: KeyboardInterrupt after the window was closed by Ctrl-C.
    """
    try:
        plt.show()
    except KeyboardInterrupt:
        plt.close(figure)
        raise
