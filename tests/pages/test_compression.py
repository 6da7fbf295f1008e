"""Pages are compressed for who takes it, and those that show or take a secret never are."""

from __future__ import annotations

import httpx

from tests.pages.conftest import House

PLAIN, TAKES = {"Accept-Encoding": "identity"}, {"Accept-Encoding": "gzip"}


def packed(answer: httpx.Response) -> bool:
    """Did it come compressed?"""
    return answer.headers.get("content-encoding") == "gzip"


def test_a_file_is_the_same_for_both_and_still_known_by_its_tag(house: House) -> None:
    path = "/static/holdfast.css"
    plain = house.visitor().get(path, headers=PLAIN)
    answer = house.visitor().get(path, headers=TAKES)

    assert packed(answer) and not packed(plain)
    assert answer.content == plain.content
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["etag"] == "W/" + plain.headers["etag"]
    again = house.visitor().get(path, headers={**TAKES, "If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    part = house.visitor().get(path, headers={**TAKES, "Range": "bytes=0-9"})
    assert part.status_code == 206 and not packed(part)


def test_what_shows_or_takes_a_secret_is_never_compressed(house: House) -> None:
    assert packed(house.visitor().get("/docs", headers=TAKES))
    for path in ("/sign-in", "/account", "/account/two-steps"):
        assert not packed(house.visitor().get(path, headers=TAKES)), path
