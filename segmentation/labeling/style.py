"""The sizes and colors of the labeling window. Units are dots of a screen of 100 dots per inch."""

WINDOW_SIZE = (1280, 800)  # (width, height) at the start, where the screen is large enough
PANEL_WIDTH, BAR_HEIGHT, STATUS_HEIGHT, ROW_HEIGHT = 220, 40, 46, 25
DOTS_PER_INCH = 100
DARK, PANEL, RAISED, LINE = "#16181c", "#22252a", "#3a3f48", "#33373e"
LIGHT, FAINT, DIM = "#eceff3", "#9aa2ad", "#5b626c"
ALARM, ALARM_TEXT, ACCENT, GOOD = "#7d1f2b", "#ffffff", "#56b4e9", "#4cc38a"
