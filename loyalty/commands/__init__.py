"""One command a file: `commands/dead_letters.py` is `loyalty dead-letters`.

Each module holds `command`, a `click.Command`, and is imported only when its command is called. The first
line of its docstring is what `loyalty --help` shows, read without importing it.
"""
