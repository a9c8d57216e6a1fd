"""What `todoku up` shows: where everything is, the KEK's fingerprint, the first API key."""

from rich.console import Console
from rich.panel import Panel

from deploy import installation
from deploy.installation import Started
from deploy.kek import where

# soft_wrap: what may be copied is never broken into lines.
_console = Console(highlight=False, soft_wrap=True)


def show_summary(started: Started) -> None:
    """Print the addresses, the key to keep, and the API key if it was made just now."""
    settings = started.settings
    _console.print("\n[bold]Todoku is running.[/bold] Ctrl-C stops it.\n")
    _show("REST API", f"http://{settings.api_host}:{settings.api_port}/v1")
    _show("Tracker", settings.public_tracker_url)
    _show("Pages", settings.public_pages_url)
    if settings.relays:
        _show("Mail goes to", ", ".join(f"{relay.host}:{relay.port}" for relay in settings.relays))
    if settings.direct:
        _show("Mail goes directly", ", ".join(f"from {source.label}" for source in settings.direct))
    if not settings.relays and not settings.direct:
        _show(
            "Mailbox", f"http://127.0.0.1:{settings.mailbox_http_port} (all mail goes there, none leaves this machine)"
        )
    if settings.metrics_port:
        _show("Metrics", f"http://127.0.0.1:{settings.metrics_port}/metrics (api; each process has its own port)")
    _show("Data", str(settings.data_dir))
    _show("Logs", str(installation.log_directory(settings)))
    _show("KEK", where(settings))
    _show("Fingerprint", started.kek_fingerprint)
    _console.print()
    if started.kek_is_new:
        _show_key_advice()
    if started.api_key:
        _console.print("Your first API key, shown only now (`todoku api-keys` makes and revokes them):")
        _console.print(f"[bold]{started.api_key}[/bold]\n")


def show_stopping() -> None:
    """Say that the end has begun."""
    _console.print("Stopping …", style="dim")


def show_stopped() -> None:
    """Say that nothing runs any more."""
    _console.print("Stopped.", style="dim")


def _show(label: str, value: str) -> None:
    _console.print(f"  [dim]{label:<12}[/dim]", end=" ")
    _console.print(value, markup=False)


def _show_key_advice() -> None:
    _console.print(
        Panel.fit(
            "Without the key file no member can be read any more. Copy it to a place apart from the database and its"
            " backups (a password safe, another machine), and never beside a dump.",
            title="Keep a copy of the key file",
        ),
        soft_wrap=False,
    )
