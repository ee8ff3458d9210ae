"""The title of a conversation, from its first message: one line, cut between characters as people see them.

What people see as one character may be many code points, an extended grapheme cluster (Unicode Standard Annex 29).
"""

import re
from collections import deque

MAX_TITLE_LENGTH = 60  # code points
SCANNED = 3 * MAX_TITLE_LENGTH  # of a text with control characters at its start
# Control characters, line and paragraph separators, and the property Bidi_Control: a title may not reorder a page.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
COMBINING = re.compile("[^\x00-\u02ff]")  # before it each code point is a character


def title_of(text: str) -> str:
    """At most MAX_TITLE_LENGTH code points; a run of control characters becomes a space."""
    text = text.strip()
    title = text[: MAX_TITLE_LENGTH + 1]
    if not title.isprintable():
        title = CONTROLS.sub(" ", text[:SCANNED]).strip()[: MAX_TITLE_LENGTH + 1]
    if len(title) <= MAX_TITLE_LENGTH and len(text) <= SCANNED:
        return title
    if title.isascii() or not COMBINING.search(title):  # for speed: every append makes a title
        return title[:MAX_TITLE_LENGTH].rstrip()
    from wcwidth import iter_graphemes  # 30 ms that a start need not take

    # The last cluster ends behind the limit, or where the text was cut.
    [last] = deque(iter_graphemes(title), maxlen=1)
    return title[: -len(last)].rstrip()
