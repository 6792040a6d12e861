"""The Kaggle client's calls about the user: the name behind the credentials, and the server's clock."""

from __future__ import annotations

from kagglesdk.security.types.oauth_service import IntrospectTokenRequest

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.calls import ClientBase
from kaggle_runner.kaggle.faults import SETTINGS_PAGE
from kaggle_runner.kaggle.wire import message

_NOT_A_TOKEN = (400, 401, 403, 404)
"""With these Kaggle says that a text is no token of anybody's."""


class AccountCalls(ClientBase):
    _name: str = ""

    async def username(self) -> str:
        """The user's name; asked once. Raises KaggleError (status 401) for a token that is not valid."""
        if not self._name:
            if isinstance(self._credentials, str):
                self._name = await self._introspect(self._credentials)
            else:
                self._name = self._credentials[0]
        return self._name

    async def _introspect(self, token: str) -> str:
        name = ""
        try:
            request = message(IntrospectTokenRequest, token=token)
            found = await self._ask("asking whose token it is", "oauth.introspect_token", request)
            name = str(found.username or "") if found.active else ""
        except KaggleError as error:
            if error.status not in _NOT_A_TOKEN:
                raise
        if not name:
            raise KaggleError(
                f"the API token is not valid at {self.base_url}",
                hint=f"make a new one under {SETTINGS_PAGE} → API"
                if not self.is_loopback
                else "COMIND_KAGGLE_TOKEN must be the token that the server was started with",
                status=401,
            )
        return name

    async def clock_offset(self) -> float:
        """The server's clock minus ours in seconds, by the newest answer's Date; whole seconds are told."""
        if self._transport.clock_offset is None:
            token = self._credentials if isinstance(self._credentials, str) else ""
            request = message(IntrospectTokenRequest, token=token)
            await self._ask("the server's clock", "oauth.introspect_token", request)
        return self._transport.clock_offset or 0.0
