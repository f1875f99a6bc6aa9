"""Layers win key by key, texts are shared, and what is remembered is bounded."""

import subprocess
import sys

import pytest

from streamarena.errors import UnknownPromptError
from streamarena.prompts import PromptCatalog, builtin_catalog

KEY = "classic.support.CONDENSE"


def test_the_highest_layer_that_has_a_key_wins(pack_of):
    packs = {layer: [pack_of({KEY: f"from {layer}"}, layer)] for layer in ("imported", "user", "project")}
    assert PromptCatalog(**packs).text(KEY) == "from project"
    del packs["project"]
    assert PromptCatalog(**packs).text(KEY) == "from user"
    del packs["user"]
    catalog = PromptCatalog(**packs)
    assert catalog.text(KEY) == "from imported"
    assert catalog.origin(KEY).layer == "imported"
    assert catalog.origin("native.support.CONDENSE").layer == "builtin"
    assert len(catalog) == len(builtin_catalog())


def test_a_pack_without_the_builtin_texts_stands_alone(pack_of):
    catalog = PromptCatalog(user=[pack_of({"classic.section.rules": "mine"})], builtin=False)
    assert list(catalog) == ["classic.section.rules"]


def test_every_caller_gets_the_same_text_object():
    assert builtin_catalog() is builtin_catalog()
    assert builtin_catalog().render(KEY) is PromptCatalog().render(KEY)


def test_an_entry_of_a_generation_falls_back_to_the_common_one(pack_of):
    catalog = PromptCatalog(
        user=[pack_of({"common.notice.x": "c", "native.notice.x": "n"})],
        builtin=False,
    )
    assert catalog.find("notice.x", "classic") == "common.notice.x"
    assert catalog.find("notice.x", "native") == "native.notice.x"
    with pytest.raises(UnknownPromptError):
        catalog.find("notice.y", "native")


def test_an_unknown_key_names_its_neighbours():
    with pytest.raises(UnknownPromptError) as caught:
        builtin_catalog().text("classic.support.CONDENS")
    assert KEY in caught.value.near
    assert str(caught.value).startswith("no prompt is called 'classic.support.CONDENS'")


def test_every_builtin_text_is_well_formed():
    assert builtin_catalog().check() == []


def test_check_reports_texts_that_lose_too(pack_of):
    broken = pack_of({KEY: "fine"}, "broken")
    (broken / "classic/support/CONDENSE.md").write_text("changed")
    catalog = PromptCatalog(user=[broken], project=[pack_of({KEY: "wins"}, "good")])
    assert [str(problem).rpartition(": ")[2] for problem in catalog.check()] == ["its sha256 is not the manifest's"]


def test_what_is_remembered_is_one_object_made_once():
    catalog = PromptCatalog()
    made = []

    def make():
        made.append(1)
        return "a prompt"

    first = catalog.remember(("code", 1), make)
    assert all(catalog.remember(("code", 1), make) is first for _ in range(1000))
    assert len(made) == 1
    assert (catalog.hits, catalog.misses) == (1000, 1)


def test_what_is_remembered_is_bounded_by_entries_least_recently_used_first():
    catalog = PromptCatalog(max_remembered=2)
    for name in ("a", "b", "a", "c"):
        catalog.remember(name, lambda name=name: name * 3)
    catalog.remember("a", lambda: pytest.fail("was dropped"))
    assert catalog.remember("b", lambda: "again") == "again"


def test_what_is_remembered_is_bounded_by_characters():
    catalog = PromptCatalog(max_remembered_characters=10)
    catalog.remember("a", lambda: "x" * 6)
    catalog.remember("b", lambda: "x" * 6)
    assert catalog.remember("a", lambda: "new") == "new"
    assert catalog.remember("big", lambda: "x" * 50) is catalog.remember("big", lambda: "other")


def test_importing_the_room_opens_no_pack():
    code = "import sys, streamarena.prompts as p; print('tomllib' in sys.modules, p.catalog._builtin_pack.cache_info())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "currsize=0" in done.stdout
