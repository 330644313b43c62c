"""What a person is told when a command cannot do its work: one sentence, a non-zero exit, no values."""

from __future__ import annotations

import click


class Sentence(click.ClickException):
    """Ends the command with this sentence, or one a line, and `exit_code`."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def told(error: Exception) -> Sentence | None:
    """The sentence for an error that is not a bug, else None. Imports late: this runs once, at the end."""
    from streams.model import Invalid, Retry
    from streams.policy import PolicyError

    if isinstance(error, PolicyError):
        return Sentence("\n".join(("the policy cannot be used:", *error.problems)))
    if isinstance(error, Invalid):
        return Sentence(str(error))
    if isinstance(error, Retry):
        return Sentence(f"{error}; try again later")
    if isinstance(error, OSError):
        return Sentence(_os_error(error))
    return _of_processes(error)


def _of_processes(error: Exception) -> Sentence | None:
    """Errors of the packages that bring Faust with them."""
    from aiokafka.errors import KafkaConnectionError, KafkaError

    from streams.brokers import BrokerFailed
    from streams.gateway import GatewayRefused
    from streams.lane import EXIT_REFUSED, Refused
    from streams.runtime.settings import SettingsError

    if isinstance(error, SettingsError | GatewayRefused):
        return Sentence("\n".join(("the settings cannot be used:", *error.problems)), EXIT_REFUSED)
    if isinstance(error, BrokerFailed):
        return Sentence(str(error))
    if isinstance(error, Refused):
        return Sentence(str(error), EXIT_REFUSED)
    if isinstance(error, KafkaConnectionError):
        return Sentence("no Kafka broker answers there (--bootstrap, WRITEBACK_BOOTSTRAP)")
    if isinstance(error, KafkaError):
        return Sentence(f"the broker did not answer as expected: {type(error).__name__}")
    return None


def _os_error(error: OSError) -> str:
    what = error.strerror or type(error).__name__
    return f"{error.filename}: {what}" if error.filename else what
