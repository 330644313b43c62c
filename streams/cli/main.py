"""The group of all commands, and the one place where an error becomes a sentence."""

from __future__ import annotations

import click

from streams import __version__
from streams.cli.errors import told
from streams.cli.policy import policy
from streams.cli.replay import replay


class Commands(click.Group):
    """Ends a command that cannot do its work with one clear sentence; a bug keeps its traceback."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            sentence = told(error)
            if sentence is None:
                raise
            raise sentence from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="writeback")
def main() -> None:
    """Keep one customer's address, contact details and consent the same in every platform.

    \b
    Try it, with nothing but Python:
      writeback demo                     six stories, told and checked in under a minute
      writeback dev                      the same processes, until Ctrl-C
      writeback replay in.ndjson --out out    the rules alone, without a broker
    \b
    Run it, against a Kafka:
      writeback topics create            once
      writeback engine                   and sinks, and gateway
    \b
    Look at it:
      writeback explain <customer>       why each value is what it is
      writeback tail changes             what flows
      writeback dead-letters list        what could not be processed, and why

    Settings are environment variables, WRITEBACK_<NAME>; an option overrides its variable.
    """


for _command in (replay, policy):
    main.add_command(_command)
