"""Values that clients may send."""

from hypothesis import strategies as st

# One character of each kind that has broken something somewhere: NUL, controls, combining and joining marks, other
# directions, the ends of the planes, noncharacters, half surrogates, what quotes and escapes in JSON, SQL and ids.
ODD = ["\0", "\x01", "\x7f", "\x85", "\u0301", "\u200d", "\u202e", "\u2028", "\ufeff", "\ufffe", "\uffff", "\U0001f469"]
ODD += ["\U0001ffff", "\U0010ffff", "\ud800", "\udbff", "\udc00", "\udfff", '"', "'", "\\", "%", "_", "\r", " "]
characters = st.one_of(st.characters(exclude_categories=()), st.sampled_from(ODD))
texts = st.one_of(st.text(characters, max_size=40), st.text(max_size=40), st.text("a\0\ud800é", max_size=300))

numbers = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.integers(),
    st.sampled_from([2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30]),
    st.floats(allow_nan=False, allow_infinity=False),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


@st.composite
def nested(draw):
    """A value inside many nested lists or objects."""
    value = draw(st.sampled_from([1, "deep", None]))
    for _ in range(draw(st.integers(1, 400))):
        value = [value]
    return value


documents = st.one_of(values, nested())


def storable(text: str) -> bool:
    """True if PostgreSQL can store the text."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
