"""Finding out at once why a cluster can't be joined: Ray itself tries for half a minute, and then says little."""

from __future__ import annotations

import logging
import os
import socket
import threading
import warnings
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dualdag.errors import BackendError

__all__ = ["knock", "tell_of_open"]

#: Seconds that an address has to answer.
ANSWER = 5.0


def knock(address: str) -> None:
    """Raise BackendError where nothing listens at an address, something else does, or the token does not open it.

    Parameters
    ----------
    address : str
        ``host:6379``, ``ray://host:10001``, or ``auto``.
    """
    if address == "auto":
        return
    client = address.startswith("ray://")
    place = address.rpartition("://")[2].partition("/")[0]
    host, _, port = place.rpartition(":")
    number = int(port) if port.isdigit() else 0
    if not host or not 0 < number < 65536:
        raise BackendError(f"{address!r} is no address of a Ray cluster: write host:6379, or ray://host:10001.")
    try:
        socket.create_connection((host.strip("[]"), number), timeout=ANSWER).close()
    except OSError as error:
        raise BackendError(
            f"no Ray cluster answers at {address} ({error}): check the address and that the cluster runs, or leave "
            "RAY_ADDRESS unset and use backend='ray' for a local one."
        ) from error
    show_token()
    if client and find_spec("grpc") is None:
        return
    answer = _asked(_greet_client if client else _greet_head, place)
    if answer == "token":
        raise BackendError(
            f"the Ray cluster at {address} asks for {_token()}. Put the cluster's token (`ray get-auth-token` tells it "
            "there) into RAY_AUTH_TOKEN, or into ~/.ray/auth_token, and set RAY_AUTH_MODE=token."
        )
    if answer == "other":
        there = "is no port of Ray Client" if client else "does not answer as a Ray cluster"
        raise BackendError(
            f"what listens at {address} {there}: the cluster itself mostly has port 6379 (host:6379), Ray Client has "
            "10001 (ray://host:10001)."
        )


def show_token() -> None:
    """Use the token that is there, as Ray itself does for a cluster that it starts, unless the mode is set.

    See https://docs.ray.io/en/latest/ray-security/token-auth.html
    """
    logging.getLogger("ray").setLevel(logging.ERROR)
    with suppress(ImportError):
        from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available

        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


def tell_of_open(address: str, variables: Mapping[str, str]) -> None:
    """Warn of a cluster elsewhere that anybody may use, and of a token that others may read.

    Parameters
    ----------
    address : str
        Of a cluster that answered.
    variables : mapping
        The process's environment.
    """
    place = address.rpartition("://")[2].partition("/")[0]
    host = place.rpartition(":")[0].strip("[]")
    if address == "auto" or host == "localhost" or host.startswith("127.") or host == "::1":
        return
    if variables.get("RAY_AUTH_MODE", "").lower() == "disabled":
        warnings.warn(
            f"the Ray cluster at {address} is used with RAY_AUTH_MODE=disabled: whoever reaches its ports can run code "
            "there, and here. Keep them inside a private network, or give it a token.",
            stacklevel=2,
        )
        return
    token = Path(variables.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    if os.name == "posix" and not variables.get("RAY_AUTH_TOKEN") and _is_shown(token):
        warnings.warn(f"others may read Ray's token in {token}: chmod 600 {token}", stacklevel=2)


def _is_shown(token: Path) -> bool:
    try:
        return bool(token.stat().st_mode & 0o044)
    except OSError:
        return False


def _token() -> str:
    """Say what is wrong with what this process shows."""
    with suppress(ImportError, AttributeError):
        from ray._raylet import AuthenticationMode, AuthenticationTokenLoader, get_authentication_mode

        there = AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True)
        if not there:
            return "a token, and this process has none"
        if get_authentication_mode() != AuthenticationMode.TOKEN:
            return "a token, and this process shows none, as RAY_AUTH_MODE says here"
    return "another token than this process has"


def _asked(greet: Any, place: str) -> str:
    """Return what came of a greeting; it has its own thread, as some of what may listen never answers."""
    box: list[str] = []

    def call() -> None:
        box.append(greet(place))

    thread = threading.Thread(target=call, name="dualdag knock", daemon=True)
    thread.start()
    thread.join(ANSWER)
    return box[0] if box else "other"


def _greet_head(place: str) -> str:
    import ray.exceptions
    from ray._raylet import GcsClient

    refused = getattr(ray.exceptions, "AuthenticationError", ())
    try:
        GcsClient(address=place)
    except refused:
        return "token"
    except Exception as error:  # noqa: BLE001 - whatever it is, ray.init says more of it
        return "other" if "Method not found" in str(error) else "unknown"
    return "ray"


def _greet_client(place: str) -> str:
    import grpc
    from ray._private.grpc_utils import init_grpc_channel
    from ray.core.generated import ray_client_pb2 as messages
    from ray.core.generated import ray_client_pb2_grpc as calls

    channel = init_grpc_channel(place, [])
    try:
        request = messages.ClusterInfoRequest(type=messages.ClusterInfoType.PING)
        calls.RayletDriverStub(channel).ClusterInfo(request, timeout=ANSWER - 1, metadata=[("client_id", "dualdag")])
    except grpc.RpcError as error:
        code = error.code()
        if code == grpc.StatusCode.UNAUTHENTICATED:
            return "token"
        return "other" if code in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAVAILABLE) else "unknown"
    finally:
        channel.close()
    return "ray"
