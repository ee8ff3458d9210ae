"""Which web origins a pattern covers, and which texts are no pattern."""

import pytest

from app.origins import Origins, pattern


@pytest.mark.parametrize(
    ("patterns", "origin", "allowed"),
    [
        (["https://app.example.com"], "https://app.example.com", True),
        (["https://app.example.com"], "http://app.example.com", False),
        (["https://app.example.com"], "https://app.example.com:8443", False),
        (["https://app.example.com"], "https://app.example.com.evil.example", False),
        (["https://app.example.com:443"], "https://app.example.com", True),
        (["http://localhost:80"], "http://localhost", True),
        (["HTTPS://App.Example.com"], "https://app.example.com", True),
        (["http://localhost:5173"], "http://localhost:5173", True),
        (["http://localhost:5173"], "http://localhost:5174", False),
        (["http://[::1]:3000"], "http://[::1]:3000", True),
        (["capacitor://localhost"], "capacitor://localhost", True),
        (["ionic://localhost", "tauri://localhost"], "tauri://localhost", True),
        (["capacitor://localhost"], "http://localhost", False),
        (["chrome-extension://abcdefghijklmnop"], "chrome-extension://abcdefghijklmnop", True),
        (["safari-web-extension://D5B0-11"], "safari-web-extension://D5B0-11", True),
        (["https://*.example.com"], "https://one.example.com", True),
        (["https://*.example.com"], "https://pr-17_a.example.com", True),
        (["https://*.example.com"], "https://example.com", False),
        (["https://*.example.com"], "https://a.b.example.com", False),
        (["https://*.example.com"], "https://.example.com", False),
        (["https://*.example.com"], "https://evil.example/.example.com", False),
        (["https://*.example.com"], "https://evil@.example.com", False),
        (["https://*.example.com"], "https://*.example.com", True),
        (["https://*.example.com"], "https://one.example.com:8443", False),
        (["https://*.example.com:8443"], "https://one.example.com:8443", True),
        (["http://*.localhost:3000"], "http://anna.localhost:3000", True),
        (["https://app.example.com"], "null", False),
        (["*"], "null", True),
        (["*"], "anything://at-all", True),
        ([], "https://app.example.com", False),
    ],
)
def test_a_pattern_covers_its_origin_or_one_label(patterns, origin, allowed):
    assert Origins(patterns).allow(origin) is allowed


@pytest.mark.parametrize(
    "text",
    [
        "app.example.com",
        "https://",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://user@app.example.com",
        "https://app.example.com:port",
        "https://*",
        "https://*.com",
        "https://app.*.com",
        "https://app-*.example.com",
        "https://*.*.example.com",
        "https://münchen.example",
        "http://localhost:*",
        "//localhost",
        "null",
        "",
        "https://a b",
    ],
)
def test_what_no_browser_can_send_is_refused(text):
    with pytest.raises(ValueError, match=r"; give "):
        pattern(text)
