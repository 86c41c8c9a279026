"""The program `stillwatch`: its commands that need no replay; `replay.command_line` adds the others."""

from __future__ import annotations

from cyclopts import App

from pipeline.command_line.completion import completion_of

#: Where each command is, and what it does; a module is imported only when its command is asked for.
COMMANDS = {
    "worker": ("pipeline.command_line.worker:worker", "Run the Faust worker: events in, verdicts out."),
    "ingest": ("pipeline.command_line.ingest:ingest", "Read API logs and send their events to Kafka."),
    "migrate": ("pipeline.command_line.store_admin:migrate", "Apply the schema to the store."),
    "doctor": ("pipeline.command_line.store_admin:doctor", "Check every connection, version and topic."),
    "sql": ("pipeline.command_line.sql:sql", "Run one SQL query on the store, read only."),
    "top": ("pipeline.command_line.analyst:top", "Show the accounts that are most at risk of being extractors."),
    "explain": ("pipeline.command_line.analyst:explain", "Show why an account stands out, since when and how much."),
    "incidents": ("pipeline.command_line.analyst:incidents", "List incidents."),
    "campaigns": ("pipeline.command_line.analyst:campaigns", "List campaigns of coordinated accounts."),
    "watch": ("pipeline.command_line.watch.command:watch", "Watch the stream and what it finds, live."),
    "console": ("pipeline.command_line.console:console", "Serve the console, a web page on the store."),
    "label": ("pipeline.command_line.label:label", "Record an analyst's verdict on an account."),
    "forget": ("pipeline.command_line.forget:forget", "Delete what the store holds of one account."),
    "suppress": ("pipeline.command_line.suppress:suppress", "Let accounts open no incident for a time."),
}


ALERTS_COMMANDS = {
    "run": ("pipeline.command_line.alerts:run", "Tell the targets of the settings of every incident."),
    "test": ("pipeline.command_line.alerts:send_test", "Send a test message and say whether it arrived."),
}


def build_app() -> App:
    """The program with the commands of the pipeline."""
    app = App(
        name="stillwatch",
        help="Sees, while it happens, which accounts are extracting a model or data through an API.",
        help_format="plaintext",
        # `run` turns an interrupt into one line and an exit code, as every other ending.
        suppress_keyboard_interrupt=False,
        version=_version,
    )
    for name, (where, does) in COMMANDS.items():
        app.command(where, name=name, help=does)
    alerts = App(name="alerts", help="Tell people and programs of incidents: webhook, Slack, Alertmanager, e-mail.")
    for name, (where, does) in ALERTS_COMMANDS.items():
        alerts.command(where, name=name, help=does)
    app.command(alerts)
    app.command(completion_of(app), name="completion")
    return app


def _version() -> str:
    # Reading the installed package's data takes a while, so only when asked.
    from importlib.metadata import version

    return version("stillwatch")
