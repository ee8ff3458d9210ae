"""Titles: where they come from, and how they are found."""

import pytest


async def test_first_user_message_gives_the_title(ann):
    session = await ann.creates_session()
    await ann.appends(session, "Welcome", role="ASSISTANT")
    assert (await ann.sees(session, "title"))["title"] == ""
    await ann.appends(session, "é" * 70)
    assert (await ann.sees(session, "title"))["title"] == "é" * 60
    await ann.appends(session, "something else")
    assert (await ann.sees(session, "title"))["title"] == "é" * 60


async def test_title_from_a_message_is_a_line_of_whole_characters(ann, bob):
    family = "👩\u200d👩\u200d👧\u200d👦"
    session = await ann.creates_session()
    text = f"\u202eRight\nto left {'x' * 40} {family} and the rest"
    assert (await ann.appends(session, text))["text"] == text
    assert (await ann.sees(session, "title"))["title"] == f"Right to left {'x' * 40}"
    assert await bob.sees(session, "title") is None


@pytest.mark.parametrize("title", ["At the Café", "At the Cafe\u0301"])
async def test_titles_are_found_however_a_letter_is_composed(ann, bob, title):
    await ann.creates_session(title)
    search = "query ($words: String) { sessions(filter: {query: $words}) { nodes { title } } }"
    for words in ("café", "cafe\u0301", "CAFÉ"):
        assert (await ann.asks(search, words=words))["sessions"]["nodes"] == [{"title": title}]
        assert (await bob.asks(search, words=words))["sessions"]["nodes"] == []
