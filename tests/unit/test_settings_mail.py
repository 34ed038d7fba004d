"""The settings of mail."""

import pytest

from mail.opening import make_mailer
from settings import MailSettings, Settings, SettingsError

MAIL = {
    "HOST": "smtp.example.org",
    "PORT": "465",
    "SECURITY": "tls",
    "USERNAME": "onsale",
    "PASSWORD": "correct horse",
    "SENDER": "Tickets <tickets@example.org>",
}


def problems(values: dict[str, str], *, env: str = "development") -> list[str]:
    """Return the problems of the mail settings, without the name of the group."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({"ONSALE_ENV": env} | {f"ONSALE_MAIL_{name}": value for name, value in values.items()})
    lines = str(refused.value).split("\n")
    return [line.removeprefix("ONSALE_MAIL_") for line in lines if line.startswith("ONSALE_MAIL_")]


def test_development_needs_no_mail_server() -> None:
    settings = Settings.from_env({})
    assert settings.mail == MailSettings()
    mailer = make_mailer(settings)
    assert (mailer.server, mailer.keeps_copies) == (None, True)
    assert mailer.site.transfer_page == "http://localhost:8000/tickets/accept"


def test_mail_settings_are_read() -> None:
    found = Settings.from_env({f"ONSALE_MAIL_{name}": value for name, value in MAIL.items()})
    assert found.mail == MailSettings(
        host="smtp.example.org",
        port=465,
        security="tls",
        username="onsale",
        password="correct horse",
        sender="Tickets <tickets@example.org>",
    )
    assert str(make_mailer(found).sender) == "Tickets <tickets@example.org>"
    assert "correct horse" not in repr(found)
    assert "correct horse" not in repr(make_mailer(found))


def test_production_requires_a_mail_server_and_a_sender() -> None:
    assert problems({}, env="production") == [
        "HOST is missing; production requires it",
        "SENDER is missing; production requires it",
    ]


def test_production_keeps_no_copies_of_mails() -> None:
    assert make_mailer(Settings(env="production")).keeps_copies is False


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_production_accepts_an_unencrypted_server_on_its_machine(host: str) -> None:
    assert problems(MAIL | {"HOST": host, "SECURITY": "none"}, env="production") == []


def test_production_refuses_an_unencrypted_server_elsewhere() -> None:
    assert problems(MAIL | {"SECURITY": "none"}, env="production") == [
        "SECURITY is 'none', which sends tickets and passwords unencrypted; in production, set it "
        "to starttls or tls unless the mail server runs on this machine"
    ]


@pytest.mark.parametrize(
    "sender", ["Onsale", "tickets@localhost", "Onsale <tickets@example.org>\r\nBcc: x@y.example", "ü <a@b.example>"]
)
def test_a_sender_that_is_not_an_address_is_refused(sender: str) -> None:
    assert problems({"SENDER": sender}) == [f"SENDER is {sender!r}; write it as Name <name@example.org> in ASCII"]


def test_a_password_without_a_user_name_is_refused_and_not_shown() -> None:
    assert problems({"PASSWORD": "correct horse"}) == [
        "USERNAME and ONSALE_MAIL_PASSWORD belong together; set both or neither"
    ]


def test_the_transfer_page_must_use_https_in_production() -> None:
    assert problems(MAIL | {"TRANSFER_PAGE": "http://shop.example/accept"}, env="production") == [
        "TRANSFER_PAGE is 'http://shop.example/accept'; production requires https, because it "
        "receives the secret of a transfer"
    ]
    assert problems({"TRANSFER_PAGE": "shop.example"}) == [
        "TRANSFER_PAGE is 'shop.example'; write it as https://shop.example/accept"
    ]
