"""The keys with which a process signs passes and tickets, from its settings."""

from auth.passes import PassSigner, signer_from_file, signer_from_pem
from settings import Settings, SettingsError
from tickets.keys import BadTicketKeyFile, TicketKeys, open_ticket_keys


def make_pass_signer(settings: Settings) -> PassSigner:
    """Return the signer. Raises SettingsError."""
    if settings.pass_key_file is None:
        return signer_from_file(settings.data_dir / "pass-key.pem")
    how = "create one with `openssl genpkey -algorithm ed25519`"
    try:
        return signer_from_pem(settings.pass_key_file.read_bytes())
    except OSError as error:
        raise SettingsError(
            f"ONSALE_PASS_KEY_FILE: {settings.pass_key_file} cannot be read ({error.strerror}); {how}"
        ) from error
    except ValueError as error:
        raise SettingsError(
            f"ONSALE_PASS_KEY_FILE: {settings.pass_key_file} contains no Ed25519 private key in PEM; {how}"
        ) from error


def make_ticket_keys(settings: Settings) -> TicketKeys:
    """Return the keys. Raises SettingsError."""
    try:
        return open_ticket_keys(settings.ticket, settings.data_dir)
    except BadTicketKeyFile as error:
        raise SettingsError(f"ONSALE_TICKET_KEY_FILES: {error}") from error
