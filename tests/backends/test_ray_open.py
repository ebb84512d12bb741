"""What is said of clusters of Ray that anybody may use."""

from __future__ import annotations

import os
import warnings

import pytest

pytest.importorskip("ray")

from dualdag_ray._knock import tell_of_open

ELSEWHERE = ("10.1.2.3:6379", "ray://head.example:10001", "[2001:db8::1]:6379")
HERE = ("127.0.0.1:6379", "localhost:6379", "ray://[::1]:10001", "auto")


@pytest.mark.parametrize("address", ELSEWHERE)
def test_a_cluster_elsewhere_without_tokens_is_told_of(address):
    with pytest.warns(UserWarning, match="whoever reaches its ports"):
        tell_of_open(address, {"RAY_AUTH_MODE": "disabled"})


@pytest.mark.parametrize("address", HERE)
def test_nothing_is_said_of_this_machine(address):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tell_of_open(address, {"RAY_AUTH_MODE": "disabled"})


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has such rights")
def test_a_token_that_others_may_read_is_told_of(tmp_path):
    token = tmp_path / "token"
    token.write_text("t")
    variables = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    token.chmod(0o644)
    with pytest.warns(UserWarning, match="chmod 600"):
        tell_of_open(ELSEWHERE[0], variables)
    token.chmod(0o600)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tell_of_open(ELSEWHERE[0], variables)
        tell_of_open(ELSEWHERE[0], {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")})
        token.chmod(0o644)
        tell_of_open(ELSEWHERE[0], variables | {"RAY_AUTH_TOKEN": "t"})
