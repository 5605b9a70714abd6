"""The command line: `coliseum` and `python -m coliseum_local`. Without a command it runs the system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DRAWS = "random draws behind tiers, rank intervals and shares of first places"

app = typer.Typer(add_completion=False, help="Coliseum on one machine.")


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        run()


@app.command()
def run() -> None:
    """Start everything, show it live, stop it on Ctrl-C."""
    from coliseum_local.run import run as run_stack

    raise typer.Exit(run_stack())


@app.command()
def invoke(
    function: Annotated[
        str, typer.Argument(help="its name in template.yaml without `Function`: Portfolio, Settler, …")
    ],
    event: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a file of events/")],
) -> None:
    """Run a built function once, under Lambda's own runtime client and emulator."""
    from coliseum_local.invoke import invoke as invoke_built

    raise typer.Exit(invoke_built(function, event))


@app.command()
def doctor() -> None:
    """Check a whole installation: settings, keys, clock, bot, exchange, Redis, Postgres, models."""
    from coliseum_local.doctor import doctor as examine

    raise typer.Exit(examine())


@app.command("check-bot")
def check_bot(
    url: Annotated[str, typer.Argument(help="the bot's base address, such as http://localhost:9000")],
) -> None:
    """Ask a bot like the poller does, and say row by row what is wrong and what would be right. docs/bot.md."""
    from coliseum_local.check_bot import check_bot as check

    raise typer.Exit(check(url))


@app.command("check-endpoint")
def check_endpoint(
    url: Annotated[str, typer.Argument(help="the endpoint, such as http://127.0.0.1:9100/forecast")],
    secret: Annotated[
        str, typer.Option(envvar="SIGNING_SECRET", help="signing_secret of the registration; better set the variable")
    ] = "",
) -> None:
    """Ask an agent's endpoint like the arena does, and say what is wrong and what would be right. docs/entry.md."""
    from coliseum_local.check_endpoint import check_endpoint as check

    raise typer.Exit(check(url, secret=secret))


@app.command()
def redrive(
    queue_url: Annotated[
        str | None,
        typer.Option(help="the queue whose dead letters go out again; by default that of the running system"),
    ] = None,
) -> None:
    """Hand decisions that failed three times out again."""
    from coliseum_local.redrive import redrive as redrive_queue

    raise typer.Exit(redrive_queue(queue_url))


alerts = typer.Typer(help="Alerts: whom they reach. docs/alerts.md.")
app.add_typer(alerts, name="alerts")


@alerts.command("test")
def test_alerts() -> None:
    """Send a test message to each address of ALERT_URLS, and say which of them failed."""
    from coliseum_local.alerts import send_test

    raise typer.Exit(send_test())


@alerts.command("rules")
def show_rules() -> None:
    """Show every rule's limit and what it is about."""
    from coliseum_local.alerts import show_limits

    raise typer.Exit(show_limits())


books = typer.Typer(help="The account's books: what its fills and settlements changed, kept in Postgres.")
app.add_typer(books, name="books")


@books.command()
def rebuild() -> None:
    """Load all fills and settlements again and book them again. It can be stopped and started again at any time."""
    from coliseum_local.books import rebuild as rebuild_books

    raise typer.Exit(rebuild_books())


@books.command()
def status() -> None:
    """Show how far the books are."""
    from coliseum_local.books import show_status

    raise typer.Exit(show_status())


def _file_or_dash(path: Path | None) -> Path | None:
    """The path of a file, or `-` for standard input."""
    if path is None or path == Path("-") or path.is_file() or path.is_fifo():
        return path
    raise typer.BadParameter(f"file '{path}' {'is a directory' if path.is_dir() else 'does not exist'}.")


@app.command()
def score(
    forecasts: Annotated[
        Path,
        typer.Argument(
            callback=_file_or_dash,
            help="forecasts: CSV, JSON, Parquet or Excel, packed with gzip or zip or not; - is standard input",
        ),
    ],
    *,
    outcomes: Annotated[
        Path | None,
        typer.Option(callback=_file_or_dash, help="a second file with the outcomes: columns market and y"),
    ] = None,
    draws: Annotated[
        int,
        typer.Option(min=0, max=1_000_000, help=DRAWS),
    ] = 10_000,
    own_questions: Annotated[
        bool,
        typer.Option(
            "--own-questions",
            help="an agent was asked only what it has rows for; default: every question",
        ),
    ] = False,
    last_hours: Annotated[bool, typer.Option("--last-hours", help="rank forecasts with horizon 0-3h too")] = False,
    pools: Annotated[
        str, typer.Option(help="add what a crowd of the agents would have said: some of median,mean,trimmed,log-odds")
    ] = "",
    pool_of: Annotated[list[str] | None, typer.Option(help="one agent of the crowd (repeat it); default: all")] = None,
    events: Annotated[bool, typer.Option("--events", help="the scores of every event too, in JSON and CSV")] = False,
    claim: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="a file with a claim (JSON or TOML) to decide; repeatable"),
    ] = None,
    board: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="a published leaderboard (export reports), by whose rules its cells are scored",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the canonical report with its digest")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="print every number as CSV; the digest goes to stderr")] = False,
    output: Annotated[
        Path | None, typer.Option(dir_okay=False, help="also write the report that --json prints to this file")
    ] = None,
) -> None:
    """Score a file of forecasts with the arena's engine. It has agent, market, p, y, q and more: docs/scoring.md."""
    from coliseum_local.score import score_file

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    if events and not (as_json or as_csv or output):
        raise typer.BadParameter("--events needs --json, --csv or --output: the printed table has no room for events")
    if pool_of and not pools:
        raise typer.BadParameter("--pool-of needs --pools")
    if forecasts == outcomes == Path("-"):
        raise typer.BadParameter("only one of the two files can be standard input")
    raise typer.Exit(
        score_file(
            forecasts,
            outcomes=outcomes,
            draws=draws,
            own_questions=own_questions,
            last_hours=last_hours,
            claims=claim or (),
            form="json" if as_json else "csv" if as_csv else "table",
            output=output,
            crowds=[kind.strip() for kind in pools.split(",") if kind.strip()],
            crowd_of=pool_of or (),
            events=events,
            board=board,
        )
    )


convert = typer.Typer(help="Put published files of other boards into the columns of `coliseum score`.")
app.add_typer(convert, name="convert")


@convert.callback()
def conversions() -> None:
    """Keep the name of the board in the command, although there is only one so far."""


@convert.command()
def forecastbench(
    forecasts: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="sets of forecasts, JSON as published or CSV")
    ],
    *,
    resolutions: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="the resolution set")],
    questions: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="the question set, for the markets' prices")
    ] = None,
    output: Annotated[Path | None, typer.Option(dir_okay=False, help="write the CSV here; default stdout")] = None,
) -> None:
    """Convert ForecastBench's forecasts and resolutions. docs/scoring.md has an example with its published scores."""
    from coliseum_local.forecastbench import print_converted

    raise typer.Exit(print_converted(forecasts, resolutions, questions=questions, output=output))


@app.command("export")
def export_table(
    name: Annotated[str, typer.Argument(help="cells, forecasts, results …: docs/arena.md lists them")],
    *,
    url: Annotated[
        str | None, typer.Option(help="address of the deployment; default: the local system, by COLISEUM_PORT")
    ] = None,
    form: Annotated[str, typer.Option(help="csv, jsonl or parquet")] = "csv",
    season: Annotated[str | None, typer.Option(help="only this quarter, such as 2026Q4")] = None,
    track: Annotated[str | None, typer.Option(help="only this track: blind or aware")] = None,
    digest: Annotated[str | None, typer.Option(help="cells, reports: only of the leaderboard with this digest")] = None,
    day: Annotated[str | None, typer.Option(help="seals: only of this UTC day, such as 2026-11-21")] = None,
    as_of: Annotated[str | None, typer.Option(help="cells: of the leaderboard with results up to this time")] = None,
    known_at: Annotated[
        str | None,
        typer.Option(help="cells: of the leaderboard with rows recorded up to this time"),
    ] = None,
    output: Annotated[Path | None, typer.Option(dir_okay=False, help="default: NAME.FORM in this folder")] = None,
) -> None:
    """Write a whole public table of the arena, or the cells of a leaderboard, into one file."""
    from coliseum_local.export import FORMS, export

    if form not in FORMS:
        raise typer.BadParameter(f"--form {form}: one of {', '.join(FORMS)}")
    given = {"season": season, "track": track, "digest": digest, "day": day, "as_of": as_of, "known_at": known_at}
    filters = {key: value for key, value in given.items() if value is not None}
    raise typer.Exit(export(name, url=url, form=form, filters=filters, output=output))


@app.command()
def models(
    *,
    write: Annotated[
        Path | None, typer.Option(dir_okay=False, help="write the roster with the list's prices to this file")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Hold the roster against OpenRouter's list of models, and say what a round and a month may cost."""
    from coliseum_local.model_list import check_models

    raise typer.Exit(check_models(write=write, as_json=as_json))


@app.command()
def enter(
    target: Annotated[str, typer.Argument(help="module:function; it takes a question and returns a probability")],
    *,
    url: Annotated[
        str | None, typer.Option(help="address of the deployment; default: the local system, by COLISEUM_PORT")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="the agent's name, when it registers; default: module:function")
    ] = None,
    contact: Annotated[str | None, typer.Option(help="how the operator reaches you, when it registers")] = None,
    token_file: Annotated[Path, typer.Option(dir_okay=False, help="where the token is kept")] = Path(".coliseum-token"),
    every: Annotated[float, typer.Option(min=5, help="seconds between two looks for questions")] = 60,
    once: Annotated[bool, typer.Option("--once", help="answer what is open now, then end")] = False,
) -> None:
    """Play a function as an outside agent of the arena. docs/entry.md."""
    from coliseum_local.enter import enter as play

    raise typer.Exit(play(target, url=url, name=name, contact=contact, keep=token_file, every=every, once=once))


@app.command()
def verify(
    target: Annotated[str, typer.Argument(help="address of a leaderboard, or a file of `export reports --form jsonl`")],
    *,
    exports: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="folder with the other exports (jsonl); default: that of the file"),
    ] = None,
    save: Annotated[Path | None, typer.Option(file_okay=False, help="write what was read to this folder")] = None,
    digest: Annotated[str | None, typer.Option(help="which leaderboard, if the file has several")] = None,
    proofs: Annotated[int, typer.Option(min=0, help="number of Merkle proofs to request from the address")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="print the result with all differences as JSON")] = False,
) -> None:
    """Make a published leaderboard again from public rows, and check seals, prices and results. docs/scoring.md."""
    from coliseum_local.verify import verify as verify_leaderboard

    raise typer.Exit(
        verify_leaderboard(target, exports=exports, save=save, digest=digest, proofs=proofs, as_json=as_json)
    )


@app.command()
def record(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="where the recording goes; an old one is continued")],
    *,
    url: Annotated[str | None, typer.Option(help="the exchange's base address; default KALSHI_API_BASE")] = None,
    every: Annotated[float, typer.Option(min=1, help="seconds from look to look")] = 30,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, help="seconds to record; default until Ctrl-C")
    ] = None,
    markets: Annotated[int, typer.Option(min=1, help="most markets that are followed at a time")] = 500,
) -> None:
    """Record the exchange's public data for a replay."""
    from coliseum_local.record import record as record_exchange

    raise typer.Exit(record_exchange(folder, url=url, every_seconds=every, for_seconds=seconds, most_markets=markets))


@app.command()
def replay(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="a folder that `record` wrote")],
    *,
    every: Annotated[int | None, typer.Option(min=1, help="seconds from round to round")] = None,
    open_for: Annotated[int | None, typer.Option(min=1, help="seconds that a round is open")] = None,
    markets: Annotated[int, typer.Option(min=1, help="most markets of a round")] = 20,
    draws: Annotated[
        int,
        typer.Option(min=0, max=1_000_000, help=DRAWS),
    ] = 10_000,
    as_json: Annotated[bool, typer.Option("--json", help="print the canonical report with its digest")] = False,
    output: Annotated[
        Path | None, typer.Option(dir_okay=False, help="also write the report that --json prints to this file")
    ] = None,
) -> None:
    """Play the arena over a recording: contestants, paper accounts, scores, without look-ahead."""
    from coliseum_local.replay import replay as replay_recording

    raise typer.Exit(
        replay_recording(
            folder,
            every_seconds=every,
            open_for_seconds=open_for,
            markets=markets,
            draws=draws,
            as_json=as_json,
            output=output,
        )
    )


def main() -> None:
    app()
