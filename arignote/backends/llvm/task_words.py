"""The words of a task that several threads share: how its values get into memory and out again, as text."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def _places(words: Mapping[str, str]) -> list[str]:
    return [f"  %at_{name} = getelementptr i64, ptr %task, i64 {word}" for word, name in enumerate(words)]


def loads(words: Mapping[str, str]) -> str:
    """Each word, of this type by its name, out of the task at `%task`."""
    return "\n".join([*_places(words), *(f"  %{name} = load {type}, ptr %at_{name}" for name, type in words.items())])


def stores(words: Mapping[str, str], but: Collection[str] = ()) -> str:
    """Each word, but for some that are there already, into the task at `%task`."""
    stored = [f"  store {type} %{name}, ptr %at_{name}" for name, type in words.items() if name not in but]
    return "\n".join([*_places(words), *stored])
