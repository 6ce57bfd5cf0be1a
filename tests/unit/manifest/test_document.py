from __future__ import annotations

from pathlib import Path
from time import process_time
from typing import Any

import pytest

from hookengine.errors import ConfigError
from hookengine.manifest import Document, load
from hookengine.manifest.document import LARGEST_FILE


def faults(text: str) -> list[str]:
    return [str(problem) for _, problem in load(text).faults]


def refusal(source: str | Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(source)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("12:30", "12:30"),
        ("2026-11-22", "2026-11-22"),
        ("012", 12),
        ("0o17", 15),
        ("-0x1F", -31),
        ("+7", 7),
        ("1e3", 1000.0),
        ("true", True),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
    ],
)
def test_yaml_is_read_as_version_1_2_says(text: str, value: Any) -> None:
    assert load(f"key: {text}").data == {"key": value}


def test_every_value_and_key_knows_its_place() -> None:
    document = load("a:\n  - b: 1\n    c:  two\n", name="file.yaml")

    assert document.place(("a", 0, "c")) == "file.yaml:3:9"
    assert document.place(("a", 0, "c"), key=True) == "file.yaml:3:5"
    assert document.place(("a", 0, "absent", "deeper"), key=True) == "file.yaml:2:5"
    assert document.place(("nowhere",)) == "file.yaml:1:1"


def test_a_problem_names_the_way_there() -> None:
    problem = load("a: [{b: 1}]").problem(("a", 0, "b"), "is wrong", hint="do this")

    assert str(problem) == "config.yaml:1:9: a[0].b: is wrong (do this)"


@pytest.mark.parametrize("text", ["", "# nothing\n", "~"])
def test_an_empty_file_has_no_keys(text: str) -> None:
    assert load(text).data == {}


def test_a_key_that_stands_twice_is_a_fault_and_the_first_one_counts() -> None:
    document = load("a: 1\nb: {c: 1, c: 2}\na: 3\n")

    assert document.data == {"a": 1, "b": {"c": 1}}
    assert faults("a: 1\nb: {c: 1, c: 2}\na: 3\n") == [
        "config.yaml:3:1: a: this key stands twice, first in line 1",
        "config.yaml:2:11: b.c: this key stands twice, first in line 2",
    ]


@pytest.mark.parametrize("template", ["{{ x }}", "{{ action.id }}", "{{ x | default('a, b') }}", "{{x}}"])
def test_an_unquoted_template_is_taken_for_one_and_told(template: str) -> None:
    document = load(f"url: {template}\n")

    assert document.data == {"url": template}
    assert faults(f"url: {template}\n") == [
        (
            "config.yaml:1:6: url: an unquoted template is read as a mapping"
            ' (quote templates that start with {{, such as "{{ x }}")'
        )
    ]


@pytest.mark.parametrize("text", ["url: {{ x }}/path", "urls:\n  - {{ x }} and more"])
def test_an_unquoted_template_with_text_behind_it_gets_the_same_hint(text: str) -> None:
    assert "quote templates that start with {{" in refusal(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1", "config.yaml:1:6: expected ',' or ']'"),
        ("a: 1\n  b: 2", "config.yaml:2:4: mapping values are not allowed here"),
        (
            "a:\n  - b: 1\n   c: 2",
            "config.yaml:3:4: this does not go on with what stands before it (is it indented",
        ),
        ("a: *x", "config.yaml:1:4: found undefined alias 'x'"),
        ("a: 1\n---\nb: 1", "config.yaml:2:1: but found another document"),
        ("a:\n\tb: 1", "config.yaml:2:1: a tab stands where YAML wants spaces (indent with spaces)"),
        ("a: 1\nb: \x00", "config.yaml:2:4: a character"),
        ("- a", "config.yaml:1:1: the file must be a mapping"),
        ("just text", "config.yaml:1:1: the file must be a mapping"),
    ],
)
def test_text_that_is_not_yaml_is_refused_with_its_place(text: str, expected: str) -> None:
    assert refusal(text).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: {1: x}", 'config.yaml:1:5: a: keys are texts (put quotes around it: "1")'),
        ("? [x]\n: y", "config.yaml:1:3: keys are texts (quote templates"),
        ("a: !thing x", "config.yaml:1:4: a: the tag !thing is not allowed here"),
        ("a: !!set {x}", "config.yaml:1:4: a: the tag tag:yaml.org,2002:set is not allowed here"),
        ("a: .nan", "config.yaml:1:4: a: a number must be finite"),
        ("a: -.inf", "config.yaml:1:4: a: a number must be finite"),
        ("a: " + "9" * 5000, "config.yaml:1:4: a: this number has too many digits"),
        ("<<: 1", "config.yaml:1:5: << takes a mapping"),
    ],
)
def test_what_json_cannot_say_is_a_fault(text: str, expected: str) -> None:
    (fault,) = faults(text)
    assert fault.startswith(expected)


def test_aliases_and_merged_mappings_are_written_out() -> None:
    text = "base: &base {a: 1, b: 2}\none: {<<: *base, b: 3}\ntwo: {<<: [{b: 4}, *base]}\nsame: *base\n"

    assert load(text).data == {
        "base": {"a": 1, "b": 2},
        "one": {"a": 1, "b": 3},
        "two": {"a": 1, "b": 4},
        "same": {"a": 1, "b": 2},
    }
    assert faults(text) == []


@pytest.mark.parametrize(
    "link", ["[{0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}]", "{{<<: [{0}], x: [{0}, {0}]}}"]
)
def test_aliases_that_multiply_are_refused(link: str) -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} " + link.format(f"*a{n - 1}") for n in range(1, 40)]

    assert "aliases repeat more than" in refusal("\n".join(lines))


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "a: &a {<<: *a}"])
def test_an_alias_inside_of_what_it_names_is_refused(text: str) -> None:
    assert "inside of what it names" in refusal(text)


@pytest.mark.parametrize("depth", [101, 200, 300, 400, 5000])
def test_deep_nesting_is_refused(depth: int) -> None:
    assert refusal("a: " + "[" * depth + "]" * depth) == "config.yaml: is nested too deeply"
    assert load("a: " + "[" * 99 + "]" * 99).data


@pytest.mark.parametrize("opening", ["[", "{", "[{", "{a: ["])
def test_brackets_that_open_without_end_are_refused_at_little_cost(opening: str) -> None:
    before = process_time()

    assert refusal("a: " + opening * 20_000) == "config.yaml: is nested too deeply"
    assert process_time() - before < 3


@pytest.mark.parametrize("text", ['"\\ud83d\\ude00"', '"\\U0001f600"', "\U0001f600"])
def test_a_character_that_json_writes_as_two_escapes_is_one(text: str) -> None:
    assert load(f"a: {text}\n{text}: b").data == {"a": "\U0001f600", "\U0001f600": "b"}


@pytest.mark.parametrize("text", ['"\\ud83d"', '"\\ude00\\ud83d"', '"x\\udfff"'])
def test_half_a_character_is_a_fault(text: str) -> None:
    (value,), (key,) = faults(f"a: {text}"), faults(f"{text}: a")

    assert value.startswith("config.yaml:1:4: a: half of a character")
    assert key.startswith("config.yaml:1:1: half of a character")


def test_a_long_chain_of_merges_ends() -> None:
    lines = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: *a{n - 1}}}" for n in range(1, 1000)]

    with pytest.raises(ConfigError, match=r"nested too deeply|aliases repeat"):
        load("\n".join(lines))


def test_a_file_is_read_and_named_as_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "hooks.yaml"
    file.write_text("\ufeffa: ä\n", "utf-8")

    document: Document = load(file)

    assert document.data == {"a": "ä"}
    assert (document.name, document.folder) == (str(file), tmp_path)


def test_a_file_that_cannot_be_read_is_a_mistake_of_the_config(tmp_path: Path) -> None:
    latin, large = tmp_path / "latin.yaml", tmp_path / "large.yaml"
    latin.write_bytes(b"a: \xe4")
    large.write_bytes(b"#" * (LARGEST_FILE + 1))

    assert refusal(tmp_path / "absent.yaml").endswith(
        "absent.yaml: cannot be read: No such file or directory"
        " (name another file, or make one with `hookengine init`)"
    )
    assert refusal(latin).endswith("latin.yaml: is not UTF-8 text")
    assert refusal(large).endswith(f"large.yaml: is larger than {LARGEST_FILE} bytes")
