"""The documents' claims: each cites them, once, and its words have places for the figures."""

from string import Formatter

from models.claims import CANNOT, CLAIMS


def test_each_claim_is_told_once_and_its_ends_are_in_order():
    assert len({claim.code for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert set(claim.documents) <= {"000", "001", "002", "003", "004"}
        assert claim.low is None or claim.high is None or claim.low <= claim.high


def test_the_words_have_the_places_for_their_figures():
    for claim in CLAIMS:
        names = {name for _, name, _, _ in Formatter().parse(claim.measured) if name}
        if claim.measured:
            assert {"value", "low", "high"} <= names <= {"value", "low", "high", "n", "years"}
        assert ("years" in names) == claim.code.startswith("fewer_losses")
        assert claim.documents
    assert all("{" not in text for text in CANNOT.values())
