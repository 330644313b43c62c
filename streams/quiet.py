"""What a server library would log of a request, without the request's own text."""

from __future__ import annotations

import logging


def silence_request_texts() -> None:
    """aiohttp logs what it could not parse as it came, a request line or a header with a contact point included."""
    logging.getLogger("aiohttp.server").addFilter(_without_texts)


def _without_texts(record: logging.LogRecord) -> bool:
    """Keep the message and the exception's type; drop its text and its traceback."""
    if record.exc_info and record.exc_info[0] is not None:
        record.msg, record.args = f"{record.msg}: %s", (*_arguments(record), record.exc_info[0].__qualname__)
        record.exc_info = record.exc_text = None
    return True


def _arguments(record: logging.LogRecord) -> tuple[object, ...]:
    return record.args if isinstance(record.args, tuple) else (record.args,) if record.args else ()
