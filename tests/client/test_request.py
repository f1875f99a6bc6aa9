"""What goes out is what was meant: URLs, headers that cannot break out of their line, bodies."""

from __future__ import annotations

import pytest

from streamarena.client.endpoints import ENDPOINTS, endpoint_for
from streamarena.client.request import build_request, parse_base_url, request_body
from streamarena.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "origin", "host", "prefix"),
    [
        ("http://a", ("http", "a", 80), "a", ""),
        ("https://a/v1/", ("https", "a", 443), "a", "/v1"),
        ("http://a:8000/x y", ("http", "a", 8000), "a:8000", "/x%20y"),
        ("https://a:443", ("https", "a", 443), "a", ""),
        ("http://[::1]:9/v1", ("http", "::1", 9), "[::1]:9", "/v1"),
    ],
)
def test_base_url(url, origin, host, prefix):
    parsed = parse_base_url(url)
    found = parsed.origin
    assert ((found.scheme, found.host, found.port), parsed.host_header, parsed.prefix) == (origin, host, prefix)


@pytest.mark.parametrize(
    "url", ["", "a", "ftp://a", "http://", "http://a:x", "http://u:p@a", "http://a?x=1", "http://a#f", "http://a:99999"]
)
def test_a_url_that_cannot_be_used(url):
    with pytest.raises(ConfigurationError):
        parse_base_url(url)


def test_a_password_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(ConfigurationError) as caught:
        parse_base_url("https://user:secret@host/v1")
    assert "secret" not in str(caught.value)


URL = parse_base_url("http://h:1/v1")


def test_a_whole_request():
    request = build_request(URL, "/chat", {"X-A": "b"}, b"{}")
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/chat HTTP/1.1"
    assert {b"host: h:1", b"content-length: 2", b"content-type: application/json", b"x-a: b"} <= set(lines)
    assert body == b"{}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x", "a\r\nevil: 1"),
        ("x", "a\nb"),
        ("x", "a\0b"),
        ("x y", "a"),
        ("x:", "a"),
        ("", "a"),
        ("x\r\n", "a"),
        ("x", "\u20ac"),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
        ("Host", "evil"),
    ],
)
def test_a_header_that_would_break_the_request_is_refused_and_its_value_not_shown(name, value):
    with pytest.raises(ConfigurationError) as caught:
        build_request(URL, "/", {name: value}, b"")
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize("path", ["/a b", "/a\r\nb", "/\u20ac", "/a\x00"])
def test_a_path_that_would_break_the_request_line_is_refused(path):
    with pytest.raises(ConfigurationError):
        build_request(URL, path, {}, b"")


def test_a_body_that_is_not_json_is_refused():
    with pytest.raises(ConfigurationError, match="JSON"):
        request_body(endpoint_for("openai-chat"), {"model": object()})


def test_gemini_names_its_model_in_the_path_and_asks_for_events_there():
    endpoint = endpoint_for("gemini")
    assert request_body(endpoint, {"model": "m", "contents": []}) == b'{"contents":[]}'
    assert endpoint.path.replace("{model}", "m") == "/models/m:streamGenerateContent?alt=sse"


def test_an_unknown_api_is_refused_with_those_there_are():
    with pytest.raises(ConfigurationError, match="openai-chat, "):
        endpoint_for("nonsense")


def test_every_endpoint_is_usable():
    for api, endpoint in ENDPOINTS.items():
        assert endpoint.path.startswith("/"), api
        if endpoint.base_url:
            parse_base_url(endpoint.base_url)
