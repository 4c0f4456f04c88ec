"""Where the SDK's sessions come from: one that is patient with AWS's credentials, one that asks nobody for any."""

import asyncio
import os
from typing import Any

from aiobotocore.session import AioSession
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.exceptions import BotoCoreError, ClientError

_ASK_AGAIN_S = 5.0  # how long "no credentials" is believed: a metadata service that is not there costs a second


class CredentialChain:
    """The SDK's chain of credentials, gone through at the first call that needs it and not at the start."""

    method = None  # the SDK asks where they come from, for its user agent

    def __init__(self, ask_again_s: float = _ASK_AGAIN_S) -> None:
        self.load: Any = None
        self._found: Any = None
        self._trouble: Exception | None = None
        self._ask_again_s = ask_again_s
        self._ask_again = 0.0
        self._looking = asyncio.Lock()

    async def find(self) -> Any:
        """Credentials that refresh themselves, or None.

        Raises:
            BotoCoreError: a source was named and failed, as a credential process or a login does.
            ClientError: so did a role.
        """
        if self._found and not self._trouble:
            return self._found
        async with self._looking:
            if self._found is None and self._time() >= self._ask_again:
                await self._look()
            if self._trouble:
                raise self._trouble.with_traceback(None)
            return self._found

    async def _look(self) -> None:
        self._trouble = None
        try:
            self._found = await self.load()
        except (BotoCoreError, ClientError) as trouble:
            self._trouble = trouble
        self._ask_again = self._time() + self._ask_again_s

    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    def forget(self) -> None:
        """Go through the chain again: what was found has been refused, and a file may have been renewed."""
        if self._time() >= self._ask_again:
            self._found = None

    async def get_frozen_credentials(self) -> Any:
        """What the SDK signs one request with."""
        found = await self.find()
        return found and await found.get_frozen_credentials()

    async def get_account_id(self) -> None:
        """No address of Bedrock's depends on the account."""

    def get_deferred_property(self, _: str) -> Any:
        """The SDK asks for the account in this way too."""
        return self.get_account_id


class PatientSession(AioSession):  # type: ignore[misc] # the SDK has no types
    """A session that does not look for credentials when a client is made."""

    def __init__(self, credentials: CredentialChain) -> None:
        super().__init__()
        self._late = credentials
        credentials.load = self._load

    async def get_credentials(self) -> CredentialChain:
        """What a client of the SDK is made with."""
        return self._late

    async def _load(self) -> Any:
        return await self.get_component("credential_provider").load_credentials()


def deaf_session() -> AioSession:
    """Make a session that no variable of the environment and no file of the user's can disturb."""
    session = AioSession()
    for name, (_, _, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items():
        default_file = os.devnull if name in {"config_file", "credentials_file"} else default
        session.session_var_map[name] = (None, None, default_file, convert)
    return session
