"""Moments: written in one form, and read with the offset that they carry."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaggle_runner.moments import SYSTEM_CLOCK, apart, asked_wait, duration, parse_moment, stamp

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BERLIN = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-11-21T12:00:00Z", NOON),
        ("2026-11-21T14:00:00+02:00", NOON),
        ("2026-11-21T06:30:00-05:30", NOON),
        (" 2026-11-21 12:00 ", NOON),
        ("2026-11-21T12:00:00.250Z", NOON + timedelta(milliseconds=250)),
        ("2026-11-21", NOON.replace(hour=0)),
        (date(2026, 11, 21), NOON.replace(hour=0)),
        (datetime(2026, 11, 21, 12), NOON),
        (datetime(2026, 11, 21, 14, tzinfo=BERLIN), NOON),
    ],
)
def test_an_offset_counts_and_no_zone_means_utc(value: object, moment: datetime) -> None:
    read = parse_moment(value)
    assert read == moment
    assert read.tzinfo is UTC


@pytest.mark.parametrize("value", ["2026-11-21 12:00", datetime(2026, 11, 21, 12), "2026-11-21T14:00+02:00"])
def test_no_zone_means_utc_on_a_machine_elsewhere_too(value: object, in_kolkata: None) -> None:
    assert parse_moment(value) == NOON
    assert stamp(parse_moment(value)) == stamp(NOON.astimezone()) == "2026-11-21T12:00:00.000Z"
    assert abs(SYSTEM_CLOCK.now() - datetime.now().astimezone()) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "value",
    ["", "soon", "2026-13-01", 20261121, None, "0001-01-01T00:00:00+02:00", "0001-01-01T00:00:00Z",
     date(9999, 12, 31)],
)  # fmt: skip
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        parse_moment(value)


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),
    st.timedeltas(timedelta(hours=-14), timedelta(hours=14)),
)
def test_what_is_written_is_read_again_to_the_millisecond(local: datetime, offset: timedelta) -> None:
    moment = local.replace(tzinfo=timezone(offset))
    text = stamp(moment)
    assert text.endswith("Z")
    assert timedelta(0) <= moment - parse_moment(text) < timedelta(milliseconds=1)


def test_the_machines_clock_tells_utc_and_only_goes_on() -> None:
    assert SYSTEM_CLOCK.now().tzinfo is UTC
    assert abs(SYSTEM_CLOCK.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert SYSTEM_CLOCK.monotonic() <= SYSTEM_CLOCK.monotonic()


@pytest.mark.parametrize("seconds", [0.0, 0.5, 86_400.0])
def test_moments_are_apart_whichever_was_first(seconds: float) -> None:
    later = NOON + timedelta(seconds=seconds)
    assert apart(later, NOON) == apart(NOON, later) == seconds


DATE, LATER, EARLIER = (f"Sat, 21 Nov 2026 12:00:{second:02} GMT" for second in (30, 50, 10))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 2.5 ", "Date": DATE}, 2.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": LATER, "Date": DATE}, 20.0),
        ({"Retry-After": EARLIER, "Date": DATE}, 0.0),
        ({"Retry-After": LATER}, None),
        ({"Retry-After": "soon", "Date": DATE}, None),
        ({"Retry-After": "-7", "Date": DATE}, None),
        ({"Retry-After": "1" * 10}, None),
        ({"Date": DATE}, None),
        ({}, None),
    ],
)
def test_a_wait_that_is_asked_for_is_seconds_or_a_date_by_the_answers_own(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert asked_wait(headers) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m 00s"), (65, "1m 05s"), (3540, "59m 00s"),
        (3599, "59m 59s"), (3600, "1h 00m"), (7500, "2h 05m"), (82_800, "23h 00m"), (86_399, "23h 59m"),
        (86_400, "1d 00h"), (90_000, "1d 01h"), (864_000, "10d 00h"),
    ],
)  # fmt: skip
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text
