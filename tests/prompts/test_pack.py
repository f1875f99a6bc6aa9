"""A pack is read lazily, exactly, and never beyond its folder; what is wrong with it names file and line."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.errors import PackError, PromptTooLargeError, TemplateError, UnsafePathError
from streamarena.prompts import Pack, literal
from streamarena.prompts import pack as pack_module
from streamarena.prompts.packwriter import entry_for, refresh_pack, write_manifest, write_text

HEAD = '[pack]\nformat = 1\nname = "p"\nversion = "1"\n'
ENTRY = '\n[entries."classic.section.rules"]\nkind = "section"\n'


def write(root, manifest, text="Hello"):
    root.mkdir(exist_ok=True)
    (root / "pack.toml").write_text(manifest)
    (root / "classic" / "section").mkdir(parents=True, exist_ok=True)
    (root / "classic" / "section" / "rules.md").write_text(text)
    return root


BAD_MANIFESTS = [
    ("not-toml", "[pack\n", 1),
    ("no-head", "\n[entries]\n", 1),
    ("no-name", '[pack]\nformat = 1\nversion = "1"\n', 1),
    ("later-format", '[pack]\nformat = 2\nname = "p"\nversion = "1"\n', 1),
    ("unknown-head-field", HEAD + "colour = 1\n", 1),
    ("unknown-table", HEAD + "\n[texts]\n", 6),
    ("unknown-kind", HEAD + '\n[entries."a.b"]\nkind = "poem"\n', 6),
    ("unknown-field", HEAD + ENTRY + 'colour = "red"\n', 6),
    ("wrong-type", HEAD + '\n[entries."a.b"]\nkind = 3\n', 6),
    ("no-kind", HEAD + '\n[entries."a.b"]\nfile = "x"\n', 6),
    ("bad-key", HEAD + '\n[entries."a b"]\nkind = "section"\n', 6),
    ("bad-name", HEAD + ENTRY + 'when = ["not  x"]\n', 6),
]


@pytest.mark.parametrize(("manifest", "line"), [c[1:] for c in BAD_MANIFESTS], ids=[c[0] for c in BAD_MANIFESTS])
def test_a_bad_manifest_names_its_line(tmp_path, manifest, line):
    with pytest.raises(PackError) as caught:
        Pack(write(tmp_path, manifest))
    assert caught.value.file.endswith("pack.toml")
    assert caught.value.line == line


def test_a_missing_manifest_is_a_pack_error(tmp_path):
    with pytest.raises(PackError, match="cannot be read"):
        Pack(tmp_path)


def test_a_manifest_past_its_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pack_module, "MAX_MANIFEST_BYTES", 30)
    with pytest.raises(PromptTooLargeError, match="MAX_MANIFEST_BYTES"):
        Pack(write(tmp_path, HEAD))


def test_too_many_entries_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pack_module, "MAX_ENTRIES", 0)
    with pytest.raises(PackError, match="MAX_ENTRIES"):
        Pack(write(tmp_path, HEAD + ENTRY))


def test_a_text_is_read_once_and_shared(tmp_path):
    pack = Pack(write(tmp_path, HEAD + ENTRY))
    first = pack.text("classic.section.rules")
    (tmp_path / "classic/section/rules.md").unlink()
    assert pack.text("classic.section.rules") is first
    assert pack.template("classic.section.rules") is pack.template("classic.section.rules")
    assert pack.template("classic.section.rules").render({}) is first


def test_opening_a_pack_reads_no_text(tmp_path):
    (tmp_path / "pack.toml").write_text(HEAD + ENTRY)
    pack = Pack(tmp_path)
    with pytest.raises(PackError, match=r"rules\.md: the text of classic\.section\.rules cannot be read"):
        pack.text("classic.section.rules")


@pytest.mark.parametrize("file", ["../out.md", "/etc/hostname", "classic/../../out.md"])
def test_a_text_outside_the_pack_is_refused(tmp_path, file):
    (tmp_path / "out.md").write_text("secret")
    pack = Pack(write(tmp_path / "p", HEAD + ENTRY + f'file = "{file}"\n'))
    with pytest.raises(UnsafePathError):
        pack.text("classic.section.rules")


def test_a_link_out_of_the_pack_is_refused(tmp_path):
    (tmp_path / "out.md").write_text("secret")
    root = write(tmp_path / "p", HEAD + ENTRY + 'file = "link.md"\n')
    (root / "link.md").symlink_to(tmp_path / "out.md")
    with pytest.raises(UnsafePathError):
        Pack(root).text("classic.section.rules")


def test_a_changed_text_is_noticed(tmp_path):
    good = hashlib.sha256(b"Hello\n").hexdigest()
    pack = Pack(write(tmp_path, HEAD + ENTRY + f'sha256 = "{good}"\n', "Hello!\n"))
    with pytest.raises(PackError, match="sha256"):
        pack.text("classic.section.rules")


def test_text_past_its_limit_and_not_utf8_are_refused(tmp_path, monkeypatch):
    root = write(tmp_path, HEAD + ENTRY)
    (root / "classic/section/rules.md").write_bytes(b"one\ntwo\n\xff")
    with pytest.raises(PackError, match="not UTF-8") as caught:
        Pack(root).text("classic.section.rules")
    assert caught.value.line == 3
    monkeypatch.setattr(pack_module, "MAX_TEXT_BYTES", 3)
    with pytest.raises(PromptTooLargeError):
        Pack(root).text("classic.section.rules")


DECLARATIONS = [
    ("undeclared-parameter", "", "one\n{{x}}", "rules.md", 2),
    ("undeclared-condition", 'parameters = ["x"]\n', "{{x}}\n\n{{#if y}}{{/if}}", "rules.md", 3),
    ("unused-parameter", 'parameters = ["x"]\n', "none", "pack.toml", 6),
]


@pytest.mark.parametrize(
    ("fields", "text", "file", "line"), [c[1:] for c in DECLARATIONS], ids=[c[0] for c in DECLARATIONS]
)
def test_what_a_text_uses_is_what_its_entry_declares(tmp_path, fields, text, file, line):
    pack = Pack(write(tmp_path, HEAD + ENTRY + fields, text))
    with pytest.raises(PackError) as caught:
        pack.template("classic.section.rules")
    assert caught.value.file.endswith(file)
    assert caught.value.line == line


@given(text=st.text().filter(lambda s: "\x00" not in s), source=st.text(max_size=20))
def test_what_is_written_is_read_back_exactly(tmp_path_factory, text, source):
    root = tmp_path_factory.mktemp("pack")
    entry = entry_for(root, "classic.section.rules", "section", literal(text), when=("a", "not b"), source=source)
    write_text(root, entry, literal(text))
    write_manifest(root, {"name": "p", "version": "1"}, [entry])
    pack = Pack(root)
    assert pack.entries == {entry.key: entry}
    assert pack.template(entry.key).render({}) == text


def test_a_refresh_adds_new_texts_and_takes_names_and_hashes_from_them(tmp_path):
    root = write(tmp_path, HEAD + ENTRY, "{{x}}{{#if y}}{{/if}}")
    (root / "common" / "notice").mkdir(parents=True)
    (root / "common/notice/bye.md").write_text("Bye {{name}}\n")
    assert refresh_pack(root) == ["changed classic.section.rules", "added common.notice.bye"]
    pack = Pack(root)
    assert pack.entries["classic.section.rules"].conditions == ("y",)
    assert pack.entries["common.notice.bye"].kind == "notice"
    assert pack.template("common.notice.bye").render({"name": "you"}) == "Bye you"
    assert refresh_pack(root) == []


def test_a_refresh_keeps_an_entry_whose_text_is_gone_and_refuses_files_it_cannot_place(tmp_path):
    root = write(tmp_path, HEAD + ENTRY)
    (root / "classic/section/rules.md").unlink()
    refresh_pack(root)
    assert "classic.section.rules" in Pack(root).entries
    (root / "notes.md").write_text("mine")
    with pytest.raises(PackError, match="say no kind"):
        refresh_pack(root)


def test_a_broken_tag_names_the_text_and_its_line(tmp_path):
    pack = Pack(write(tmp_path, HEAD + ENTRY, "one\ntwo {{three"))
    with pytest.raises(TemplateError) as caught:
        pack.template("classic.section.rules")
    assert caught.value.file.endswith("rules.md")
    assert caught.value.line == 2
