"""The group of all commands, and the one place where an error becomes a sentence."""

from __future__ import annotations

import click

from streams import __version__
from streams.cli.dead_letters import dead_letters
from streams.cli.demo import demo
from streams.cli.dev import dev
from streams.cli.engine import engine
from streams.cli.errors import told
from streams.cli.explain import explain
from streams.cli.gateway import gateway
from streams.cli.history import history
from streams.cli.ledger import ledger
from streams.cli.policy import policy
from streams.cli.replay import replay
from streams.cli.sinks import sinks
from streams.cli.steward import steward
from streams.cli.tail import tail
from streams.cli.topics import topics


class Commands(click.Group):
    """Ends a command that cannot do its work with one clear sentence; a bug keeps its traceback."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)  # in the order of the story, not of the alphabet

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
      writeback demo                     nine stories, played live and checked
      writeback dev                      the same processes, until Ctrl-C
      writeback replay IN --out DIR      the rules alone, without a broker
    \b
    Run it, against a Kafka:
      writeback topics create            once
      writeback engine                   and sinks, and gateway
    \b
    Look at it:
      writeback explain <customer>       why each value is what it is
      writeback history <customer>       what happened, and what was golden when
      writeback steward review list      what waits for a person
      writeback tail changes             what flows
      writeback dead-letters list        what could not be processed, and why
      writeback ledger forget            take the erased out of the consent ledger

    Settings are environment variables, WRITEBACK_<NAME>; an option overrides its variable.
    """


for _command in (
    engine,
    sinks,
    gateway,
    dev,
    demo,
    replay,
    explain,
    history,
    steward,
    policy,
    topics,
    dead_letters,
    ledger,
    tail,
):
    main.add_command(_command)
