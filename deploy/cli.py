"""The `todoku` command: one subcommand a process or task, each in its own file under deploy/commands/.

Commands import what they run when they run, so that `todoku --help` is there at once. Exit codes: 0 done, 1 failed,
2 wrongly called or configured.
"""

import sys

import typer

from core.errors import ConfigurationError, TodokuError
from deploy.commands.accounts import accounts
from deploy.commands.api import api
from deploy.commands.api_keys import api_keys
from deploy.commands.backup import backup
from deploy.commands.demo import demo
from deploy.commands.inbound import inbound
from deploy.commands.inspect import inspect
from deploy.commands.keys import keys
from deploy.commands.link_keys import link_keys
from deploy.commands.mailbox import mailbox
from deploy.commands.migrate import migrate
from deploy.commands.pages import pages
from deploy.commands.queue import queue
from deploy.commands.relabel import relabel
from deploy.commands.restore import restore
from deploy.commands.route import route
from deploy.commands.scheduler import scheduler
from deploy.commands.steal import steal
from deploy.commands.suppressions import suppressions
from deploy.commands.suspend import resume, suspend
from deploy.commands.top import top
from deploy.commands.tracker import tracker
from deploy.commands.up import up
from deploy.commands.verify import verify
from deploy.commands.worker import worker

SERVICE = "Run everything"
OPERATION = "Look, and step in"
TASKS = "Administer"
PROCESSES = "Run one process"

app = typer.Typer(
    name="todoku",
    help="High-volume email campaigns over an encrypted member database.",
    epilog="Settings are TODOKU_… variables, or a TOML file that TODOKU_CONFIG names.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
)

app.command("up", rich_help_panel=SERVICE)(up)
app.command("demo", rich_help_panel=SERVICE)(demo)
app.command("top", rich_help_panel=OPERATION)(top)
app.command("queue", rich_help_panel=OPERATION)(queue)
app.command("inspect", rich_help_panel=OPERATION)(inspect)
app.command("route", rich_help_panel=OPERATION)(route)
app.command("suspend", rich_help_panel=OPERATION)(suspend)
app.command("resume", rich_help_panel=OPERATION)(resume)
app.command("migrate", rich_help_panel=TASKS)(migrate)
app.command("verify", rich_help_panel=TASKS)(verify)
app.command("relabel", rich_help_panel=TASKS)(relabel)
app.command("backup", rich_help_panel=TASKS)(backup)
app.command("restore", rich_help_panel=TASKS)(restore)
app.command("steal", rich_help_panel=TASKS)(steal)
app.add_typer(accounts, name="accounts", rich_help_panel=TASKS)
app.add_typer(api_keys, name="api-keys", rich_help_panel=TASKS)
app.add_typer(suppressions, name="suppressions", rich_help_panel=TASKS)
app.add_typer(keys, name="keys", rich_help_panel=TASKS)
app.add_typer(link_keys, name="link-keys", rich_help_panel=TASKS)
app.command("api", rich_help_panel=PROCESSES)(api)
app.command("tracker", rich_help_panel=PROCESSES)(tracker)
app.command("pages", rich_help_panel=PROCESSES)(pages)
app.add_typer(inbound, name="inbound", rich_help_panel=PROCESSES)
app.command("scheduler", rich_help_panel=PROCESSES)(scheduler)
app.command("worker", rich_help_panel=PROCESSES)(worker)
app.command("mailbox", rich_help_panel=PROCESSES)(mailbox)


def main() -> None:
    """Run the command line; what went wrong on purpose is told in a line, without a traceback."""
    try:
        app()
    except TodokuError as error:
        sys.stderr.write(f"todoku: {error.detail}\n")
        for fault in error.faults if not isinstance(error, ConfigurationError) else ():
            sys.stderr.write(f"  {fault.pointer}: {fault.detail}\n")
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)


if __name__ == "__main__":
    main()
