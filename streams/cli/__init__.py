"""The `writeback` command: one command a file. Imports what a command needs when it runs, so that help is quick."""

from streams.cli.main import main

__all__ = ["main"]
