"""`writeback replay`: the pipeline without a broker."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli.progress import counted

_CHUNK_BYTES = 1 << 20


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--policy",
    "policy_path",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Policy to apply; the shipped one if not given.",
)
@click.option(
    "--out",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the results; made if missing, files in it are replaced.",
)
@click.option(
    "--receipts",
    type=click.Choice(["auto", "none"]),
    default="auto",
    show_default=True,
    help="auto: every command is answered `applied` at once; none: only by the receipts in INPUT.",
)
def replay(source: Path, policy_path: Path | None, out: Path, receipts: str) -> None:
    """Run recorded topics through the engine's rules, in process and deterministic to the byte.

    INPUT has one record a line: {"topic", "key", "timestamp", "headers", "value"}. Topics read: raw.<platform>,
    changes, receipts, steward and clock. Written to DIR: golden.ndjson, commands.ndjson, ledger.ndjson,
    dead_letters.ndjson, notes.ndjson and digest.txt.

    \b
    Example: what would another policy have done with last week?
      writeback replay week.ndjson --out before
      writeback replay week.ndjson --policy stricter.toml --out after
      diff before/commands.ndjson after/commands.ndjson
    """
    from streams.policy import load_policy
    from streams.replay import replay as run

    policy = load_policy(policy_path)
    with counted("replaying", _lines(source)) as tell:
        count = run(source, policy, out, receipts == "auto", tell)
    click.echo(f"{count} inputs replayed with policy {policy.version}")
    for written in sorted(out.glob("*.ndjson")):
        click.echo(f"{_lines(written):>9}  {written}")
    click.echo(f"   digest  {(out / 'digest.txt').read_text(encoding='ascii').strip()}")


def _lines(path: Path) -> int:
    with path.open("rb") as opened:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: opened.read(_CHUNK_BYTES), b""))
