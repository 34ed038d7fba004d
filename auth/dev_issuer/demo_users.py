"""The demo users: their names are fixed, and each password is the same as the name.

Their `sub` is the same on every machine, after every start, and in the realm in deploy/keycloak.
"""

import re
import uuid
from dataclasses import dataclass

from auth.viewer import Role

DEMO_USERS: dict[str, tuple[Role, ...]] = {
    "alice": (Role.CUSTOMER,),
    "bob": (Role.CUSTOMER,),
    "carol": (Role.CUSTOMER,),
    "olivia": (Role.ORGANIZER, Role.CUSTOMER),
    "gus": (Role.GATE,),
    "admin": (Role.ADMIN,),
}

# Load tests use buyer1, buyer2, …, which need not be listed.
_BUYER = re.compile(r"buyer[0-9]{1,9}")
# Any fixed UUID will do. If it ever changes, all demo users lose their orders.
_NAMESPACE = uuid.UUID("6f2a7d52-52a3-4a0e-9d0c-0b9f6a1c7e11")


@dataclass(frozen=True, slots=True)
class DemoUser:
    username: str
    roles: tuple[Role, ...]

    @property
    def subject(self) -> str:
        return str(uuid.uuid5(_NAMESPACE, self.username))

    @property
    def given_name(self) -> str:
        return self.username.capitalize()

    @property
    def family_name(self) -> str:
        return "Demo"

    @property
    def email(self) -> str:
        # .example is reserved (RFC 2606), so email sent by mistake is never delivered.
        return f"{self.username}@onsale.example"


def find_demo_user(username: str) -> DemoUser | None:
    if _BUYER.fullmatch(username):
        return DemoUser(username, (Role.CUSTOMER,))
    roles = DEMO_USERS.get(username)
    return DemoUser(username, roles) if roles else None


def authenticate(username: str, password: str) -> DemoUser | None:
    """Return the user, or None if the password is wrong.

    The password is not secret, so the comparison does not have to take constant time.
    """
    return find_demo_user(username) if username == password else None
