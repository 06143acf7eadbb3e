"""The sizes and colors of the labeling window."""




DOTS_PER_INCH = 100  # a unit below is a dot of this; several screen pixels on very fine screens
WINDOW_SIZE = (1280, 800)  # (width, height)
PANEL_WIDTH, STATUS_HEIGHT, ROW_HEIGHT = 220, 30, 26
DARK, PANEL, RAISED, LIGHT, FAINT = "#1b1d21", "#26292e", "#3b4048", "#eceff3", "#9aa2ad"
