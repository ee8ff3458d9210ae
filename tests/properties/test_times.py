"""Times of any precision: every RFC 3339 text is stored with its microseconds, and what follows them is cut off."""

import re
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from app.schema.scalars import parse_time, serialize_time

OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59)
SECONDS = st.integers(-62_135_424_000, 253_402_128_000)  # of years 1 to 9999; no offset leads out of them


def spelled(time: datetime, digits: str, minutes: int, letters: str) -> str:
    """The time in RFC 3339 with these digits of a second, at this offset."""
    local = time.astimezone(timezone(timedelta(minutes=minutes)))
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    zone = letters[1] if minutes == 0 else offset
    fraction = f".{digits}" if digits else ""
    return local.strftime(f"%Y-%m-%d{letters[0]}%H:%M:%S").zfill(19) + fraction + zone


@given(SECONDS, st.text("0123456789", max_size=40), OFFSETS, st.sampled_from(["TZ", "tz", " Z"]))
def test_a_time_of_any_precision_keeps_its_microseconds_and_is_never_rounded(seconds, digits, minutes, letters):
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    parsed = parse_time(spelled(time, digits, minutes, letters))
    kept = int(digits[:6].ljust(6, "0"))
    assert parsed == time.replace(microsecond=kept)
    shown = serialize_time(parsed)
    text = shown if isinstance(shown, str) else shown.isoformat().replace("+00:00", "Z")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    assert parse_time(text) == parsed
