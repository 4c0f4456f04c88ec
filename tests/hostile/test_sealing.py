"""The seal: opens where it was made and nowhere else, and says what is wrong where it does not open."""

import base64
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.encryption import MARK, NoSeal, Seal, Unopened, open_seal, read_keys
from service.settings import SettingsError, read_settings

KEY, OTHER = (base64.b64encode(bytes([letter]) * 32).decode() for letter in b"ko")
PLAIN = b"the quick brown fox"
MOST_BYTES_MORE = 33


def sealed(seal: Seal, plain: bytes = PLAIN) -> bytes:
    return seal.close(plain, "stream/1", "7")


@given(plain=st.binary(max_size=2000), scope=st.text(max_size=20), place=st.text(max_size=20))
def test_what_is_closed_opens_in_its_place(plain: bytes, scope: str, place: str) -> None:
    seal = open_seal(KEY)
    closed = seal.close(plain, scope, place)

    assert seal.open(closed, scope, place) == plain
    assert closed[:1] == MARK
    assert len(closed) == len(plain) + MOST_BYTES_MORE
    assert seal.close(plain, scope, place) != closed  # another nonce each time


@pytest.mark.parametrize(
    ("scope", "place"), [("stream/2", "7"), ("stream/1", "8"), ("stream/17", ""), ("", "stream/17")]
)
def test_it_opens_in_no_other_place(scope: str, place: str) -> None:
    seal = open_seal(KEY)

    with pytest.raises(Unopened, match="changed or moved") as raised:
        seal.open(sealed(seal), scope, place)
    assert not raised.value.retryable
    assert (raised.value.code.name, raised.value.status) == ("overloaded", 503)


@given(at=st.integers(5, 51), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(at: int, bit: int) -> None:
    seal = open_seal(KEY)
    changed = bytearray(sealed(seal))
    changed[at] ^= 1 << bit

    with pytest.raises(Unopened, match="changed or moved"):
        seal.open(bytes(changed), "stream/1", "7")


@pytest.mark.parametrize("length", [5, 10, 17, 20, 32, 51])
def test_a_record_that_is_cut_off_is_noticed(length: int) -> None:
    seal = open_seal(KEY)

    with pytest.raises(Unopened):
        seal.open(sealed(seal)[:length], "stream/1", "7")


def test_another_key_is_said_to_be_missing() -> None:
    for seal in (open_seal(OTHER), NoSeal()):
        with pytest.raises(Unopened, match="ARTESIAN_ENCRYPTION_KEY") as raised:
            seal.open(sealed(open_seal(KEY)), "stream/1", "7")
        assert (raised.value.status, raised.value.retryable) == (503, True)  # another replica may have it


def test_the_first_key_closes_and_all_open() -> None:
    before, between, after = open_seal(KEY), open_seal(f"{OTHER}, {KEY}"), open_seal(OTHER)

    assert between.open(sealed(before), "stream/1", "7") == PLAIN
    assert after.open(sealed(between), "stream/1", "7") == PLAIN
    with pytest.raises(Unopened):
        before.open(sealed(between), "stream/1", "7")


def test_what_was_kept_in_clear_stays_readable() -> None:
    assert open_seal(KEY).open(PLAIN, "stream/1", "7") == PLAIN
    assert sealed(open_seal(None)) == PLAIN


@pytest.mark.parametrize(
    "key",
    [KEY, KEY.rstrip("="), base64.urlsafe_b64encode(b"\xff" * 32).decode(), base64.b64encode(b"\xff" * 32).decode()],
)
def test_a_key_is_base64_of_32_bytes(key: str) -> None:
    assert len(read_keys(key)[0]) == 32


@pytest.mark.parametrize(
    "wrong",
    ["short", KEY[:-4], KEY + KEY, "!" * 44, "k" * 32, f"{KEY},secret", "ключ", base64.b64encode(b"k" * 16).decode()],
)
def test_a_key_that_is_none_stops_the_start_and_is_not_repeated(wrong: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings(encryption_key=wrong, _env_file=None)

    (line,) = raised.value.lines
    assert line.startswith("ARTESIAN_ENCRYPTION_KEY: ")
    assert "base64 of 32 bytes" in line
    assert wrong not in line
    assert "secret" not in line


def test_the_settings_do_not_show_the_key() -> None:
    assert KEY not in repr(read_settings(encryption_key=KEY, _env_file=None))


def test_the_library_is_imported_only_where_there_is_a_key() -> None:
    opened = "import sys, service.main, service.encryption as sealing; sealing.open_seal(None)"
    code = f"{opened}; print('cryptography' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "False"
