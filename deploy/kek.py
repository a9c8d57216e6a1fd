"""Which key-encryption key the settings name: a command's, one in the environment, or a file's."""

from core.settings import Settings
from members.kek import ChangingKek, CommandKek, Kek, KekProvider


def is_in_file(settings: Settings) -> bool:
    """Whether the KEK is in a file, which the first start makes."""
    return not settings.kek_command and settings.kek is None


def where(settings: Settings) -> str:
    """Say where the KEK is, for people."""
    if settings.kek_command:
        return f"kept by {settings.kek_command[0]}"
    return "TODOKU_KEK" if settings.kek is not None else str(settings.kek_path)


async def open_kek(settings: Settings, *, make: bool = False) -> KekProvider:
    """Return the KEK, and with it the previous one if the settings name that too; `make`: make a missing file first.

    Raises ConfigurationError.
    """
    new: KekProvider
    if settings.kek_command:
        new = await CommandKek.opened(settings.kek_command)
    elif settings.kek is not None:
        new = Kek.read(settings.kek.get_secret_value(), where="TODOKU_KEK")
    else:
        new = Kek.load_or_create(settings.kek_path) if make else Kek.load(settings.kek_path)
    previous = await _previous(settings)
    return new if previous is None else ChangingKek(new, previous)


async def _previous(settings: Settings) -> KekProvider | None:
    if settings.previous_kek_command:
        return await CommandKek.opened(settings.previous_kek_command)
    if settings.previous_kek is not None:
        return Kek.read(settings.previous_kek.get_secret_value(), where="TODOKU_PREVIOUS_KEK")
    return None if settings.previous_kek_file is None else Kek.load(settings.previous_kek_file)
