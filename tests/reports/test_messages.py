"""Catalogues: they hold what the code needs, nothing else, and no translation that cannot be filled."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from babel import Locale
from babel.messages import Catalog
from readers import Marked, unmarked, words
from sites import page
from test_quality import compared

from features.catalog import FEATURES
from features.errors import ContractError
from models.taxonomy import taxonomy
from reports import language, messages
from reports.language import LANGUAGES, catalogue
from reports.site import PAGES

# What data hold: a currency, regions, levels, codes, files, and what reasons.yaml translates itself.
KNOWN = {
    *("EUR", "North", "South", "West", "senior", "csv", "xlsx", "parquet"),
    *("EI", "EII", "EIII", "EIV", "PI", "PII", "PIII", "PIV"),
    *(word for names in taxonomy().names.values() for word in re.findall(r"\w+", names["ro"])),
    *Locale.parse("ro").months["format"]["wide"].values(),
}

OTHERS = [name for name in LANGUAGES if name != "en"]


@pytest.mark.parametrize("spoken", OTHERS)
def test_a_catalogue_holds_what_the_code_needs_and_nothing_else(spoken):
    assert (messages.missing(spoken), messages.obsolete(spoken)) == ([], []), "run `python -m reports.messages`"


@pytest.mark.parametrize("spoken", OTHERS)
def test_every_message_is_translated(spoken):
    assert messages.untranslated(spoken) == [], "translate them in reports/locale"


@pytest.mark.parametrize("spoken", OTHERS)
def test_translations_have_the_placeholders_of_their_messages(spoken):
    assert messages.unlike(spoken) == []


def test_messages_come_from_code_templates_features_and_reasons():
    found = {message.id: message.flags for message in messages.needed() if message.id}
    many = {id[1] for id in found if isinstance(id, tuple)}
    assert found["{low} to {high}"] == {messages.BRACES}
    assert messages.BRACES in found["Active accounts"]  # marked by `message`, and in a template too
    assert found["%(measure)s, difference"] == {messages.PERCENT}
    assert ("as if seen on {n} account", "as if seen on {n} accounts") in found
    assert all(feature.sentence in found or feature.sentence in many for feature in FEATURES)
    assert all(remedy in found for remedy in taxonomy().remedies.values())
    assert not any("Spearman" in str(id) for id in found)  # of the page of definitions, which stays English


def test_texts_are_found_below_their_keys_however_deep():
    content = {
        "reasons": [{"code": "a", "names": {"en": "A"}, "remedy": "Do this."}],
        "playbook": {"by_reason": {"a": {"do": "One.", "owner": "sales", "EI": {"do": "Two.", "hours": 3}}}},
        "classes": {"EI": {"strategy": "lift", "what": {"short": "Three."}, "what_to_do": ["Four.", "Five."]}},
    }
    assert list(messages.texts(content)) == ["Do this.", "One.", "sales", "Two.", "Three.", "Four.", "Five."]


def test_two_messages_that_differ_in_the_form_for_many_only_are_refused(monkeypatch):
    found = [(("once", "{n} times"), "f"), (("once", "{n} x"), "f")]
    monkeypatch.setattr(messages, "_needed", lambda: iter(found))
    with pytest.raises(ContractError, match=r"'once' stands for '\{n\} times' and for '\{n\} x'"):
        messages.needed()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Catalogues of its own, and three messages that the code needs."""
    needed = Catalog()
    for id, flag in (
        ("{low} to {high}", messages.BRACES),
        ("<b>%(n)s</b> now", messages.PERCENT),
        (("once in {m}", "{n} times in {m}"), messages.BRACES),
    ):
        needed.add(id)
        needed[id].flags = {flag}
    monkeypatch.setattr(messages, "needed", lambda: needed)
    monkeypatch.setattr(language, "CATALOGUES", tmp_path)
    return tmp_path


def translate(folder, *pairs: tuple[str, str]) -> None:
    path = folder / "ro.po"
    text = path.read_text(encoding="utf-8")
    for msgid, msgstr in pairs:
        text = text.replace(f'{msgid}"\nmsgstr ""', f'{msgid}"\nmsgstr "{msgstr}"')
    path.write_text(text, encoding="utf-8")


def test_an_update_keeps_translations_drops_what_is_obsolete_and_writes_the_same_bytes(folder):
    messages.update("ro")
    translate(folder, ("{low} to {high}", "{low} până la {high}"))
    path = folder / "ro.po"
    kept = path.read_bytes()
    path.write_bytes(kept + b'\nmsgid "gone"\nmsgstr "dus"\n')
    assert messages.obsolete("ro") == ["gone"]
    messages.update("ro")
    assert path.read_bytes() == kept
    assert messages.untranslated("ro") == ["<b>%(n)s</b> now", "once in {m} | {n} times in {m}"]
    assert b"#:" not in kept
    assert b"20" not in kept.split(b"\n\n")[0].replace(b"n % 100", b"").replace(b"<= 19", b"")  # no date in the header


def test_a_message_that_is_like_another_gets_no_translation_by_guess(folder):
    messages.update("ro")
    path = folder / "ro.po"
    path.write_text(path.read_text().replace('"{low} to {high}"\nmsgstr ""', '"{low} to {highs}"\nmsgstr "x"'))
    assert messages.missing("ro") == ["{low} to {high}"]
    messages.update("ro")
    assert "{low} to {high}" in messages.untranslated("ro")
    assert "fuzzy" not in path.read_text()


@pytest.mark.parametrize(
    ("msgid", "translation", "sound"),
    [
        ("{low} to {high}", "{high} nach {low}", True),
        ("{low} to {high}", "{low} to {hight}", False),
        ("{low} to {high}", "{low} to", False),
        ("{low} to {high}", "{low} to {high} }", False),
        ("<b>%(n)s</b> now", "acum <b>%(n)s</b>", True),
        ("<b>%(n)s</b> now", "acum %(n)s", False),
        ("<b>%(n)s</b> now", "acum <b>%(n)s</b> 5 %", False),
        ("<b>%(n)s</b> now", "acum <b>%(n)s</b> 5 %%", True),
        ("<b>%(n)s</b> now", '\\"acum\\" <b>%(n)s</b>', False),
    ],
)
def test_a_translation_with_other_placeholders_or_tags_is_found(folder, msgid, translation, sound):
    messages.update("ro")
    translate(folder, (msgid, translation))
    assert messages.unlike("ro") == ([] if sound else [msgid])


@pytest.mark.parametrize(
    ("one", "few", "many", "sound"),
    [
        ("o dată în {m}", "de {n} ori în {m}", "de {n} de ori în {m}", True),
        ("de {n} dată în {m}", "de {n} ori în {m}", "de {n} de ori în {m}", True),
        ("o dată în {m}", "o dată în {m}", "de {n} de ori în {m}", False),
        ("o dată", "de {n} ori în {m}", "de {n} de ori în {m}", False),
    ],
)
def test_only_the_form_for_one_may_name_no_number(folder, one, few, many, sound):
    messages.update("ro")
    path = folder / "ro.po"
    text = path.read_text()
    for place, form in enumerate((one, few, many)):
        text = text.replace(f'msgstr[{place}] ""', f'msgstr[{place}] "{form}"')
    path.write_text(text)
    assert (messages.unlike("ro") == []) is sound
    assert "once in {m} | {n} times in {m}" not in messages.untranslated("ro")


def test_a_check_changes_nothing_and_fails_until_all_is_translated(folder, monkeypatch, capsys):
    monkeypatch.setattr(messages, "LANGUAGES", {"en": "English", "ro": "română"})
    assert messages.main(["--check"]) == 1
    assert not (folder / "ro.po").exists()
    assert messages.main([]) == 0
    assert "ro: 3 messages, 3 untranslated" in capsys.readouterr().out
    assert messages.main(["--check"]) == 1
    assert "untranslated: {low} to {high}" in capsys.readouterr().out
    text = (folder / "ro.po").read_text()
    for empty, form in (
        ('"{low} to {high}"\nmsgstr ""', '"{low} to {high}"\nmsgstr "{low}–{high}"'),
        ('now"\nmsgstr ""', 'now"\nmsgstr "<b>%(n)s</b>"'),
        *((f'msgstr[{place}] ""', f'msgstr[{place}] "{{n}} {{m}}"') for place in range(3)),
    ):
        text = text.replace(empty, form)
    (folder / "ro.po").write_text(text)
    assert messages.main(["--check"]) == 0
    assert "ro: 3 messages, all translated" in capsys.readouterr().out


@pytest.mark.parametrize("spoken", OTHERS)
def test_a_message_without_a_translation_is_english(spoken):
    nowhere = "A message that no catalogue has"
    assert catalogue(spoken).gettext(nowhere) == nowhere
    assert catalogue(spoken).ngettext("{n} thing of it", "{n} things of it", 2) == "{n} things of it"


@pytest.mark.parametrize("file", PAGES)
def test_no_word_of_a_page_stands_outside_a_message(site, file, monkeypatch):
    champion = compared(0.8)
    champion["why"] += "; it was told nothing of label; the recipes are the same"
    monkeypatch.setattr(language, "catalogue", lambda spoken: Marked())
    accounts = site.accounts.assign(name=None, manager=None)
    given = replace(site, accounts=accounts, metrics={**site.metrics, "champion": champion})
    html = page(given, file, "ro")
    main = html[html.index("<header>") : html.index("</main>")]
    main = re.sub(r"<bdi[^>]*>.*?</bdi>|<code>.*?</code>", "", main)  # ids and names
    labels = re.findall(r'aria-label="([^"]*)"', main)
    left = unmarked(f"{words(main)} {' '.join(labels)}")
    assert left - KNOWN == set(), left
