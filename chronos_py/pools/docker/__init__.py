"""Tasks as containers of one or several Docker engines."""
