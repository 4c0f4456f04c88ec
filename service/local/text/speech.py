"""Writes the text of an answer: readable sentences about the prompt, the same for the same conversation."""

import json
import re
from collections.abc import Iterator
from itertools import chain, cycle, islice, repeat
from random import Random

from service.local.prompt import LocalPrompt, Media, PromptToolResult, PromptTurn
from service.local.text import intent, phrases
from service.local.text.intent import PromptIntent

_MAX_WORDS = 120  # of an answer to a prompt that does not give a length
_PARAGRAPH_SENTENCES = 6


def speak(prompt: LocalPrompt) -> str:
    """Write the text. It depends on the conversation only, not on limits or the temperature."""
    history = prompt.turns[:-1]
    context = "\0".join(f"{turn.role}:{turn.text}" for turn in history)
    goal = intent.read_intent((prompt.last.text or prompt.question).strip(), f"{prompt.system_text}\0{context}")
    random = Random(goal.seed)  # noqa: S311 nothing secret
    parts = [*_about_results(prompt.last), *_about_media(prompt.last), *_about_system(prompt)]
    if not goal.echo:
        parts += _about_history(history)
    return "\n\n".join(part for part in (" ".join(parts), _main_text(goal, prompt, random)) if part)


def _main_text(goal: PromptIntent, prompt: LocalPrompt, random: Random) -> str:
    if goal.echo:
        return goal.echo
    if goal.counts_to:
        return ", ".join(str(number) for number in range(1, goal.counts_to + 1)) + "."
    fill = Filler(goal, random)
    match goal.wants:
        case "self":
            return (
                f"I am the local Bedrock, speaking in the place of {prompt.model.name}. My words come from this "
                "machine and from your own sentences; no model was asked. What I say is made up, but the wire that "
                "brings it is Bedrock's."
            )
        case "greeting":
            return f"{_pick(phrases.OPENINGS['greeting'], random)} What would you like to talk about?"
        case "chat" if not goal.amount:
            return _pick(phrases.OPENINGS["chat"], random)
        case "code":
            return "\n\n".join((fill(_opening(goal, random)), _code(goal), fill(_pick(phrases.CLOSINGS, random))))
        case "list":
            count = goal.items or random.randrange(4, len(phrases.ITEMS) + 1)
            items = "\n".join(f"{n}. {fill(item)}" for n, item in enumerate(islice(cycle(phrases.ITEMS), count), 1))
            return "\n\n".join((fill(_opening(goal, random)), items, fill(_pick(phrases.CLOSINGS, random))))
        case "table":
            opening = fill(_opening(goal, random))
            rows = [f"| {_capital(word)} | {len(word)} | {fill('as {b} needs it')} |" for word in goal.words[:4]]
            table = "\n".join(("| What | Letters | Use |", "| --- | ---: | --- |", *rows))
            return f"{opening}\n\n{table}"
        case "poem":
            return "\n\n".join("\n".join(fill(line) for line in verse) for verse in phrases.VERSES)
        case "story" if not goal.amount:
            return " ".join(fill(sentence) for sentence in phrases.STORY)
    return _prose(goal, fill, random)


class Filler:
    """Fills keywords of the prompt into a sentence."""

    def __init__(self, goal: PromptIntent, random: Random) -> None:
        self._first, *self._others = goal.words or phrases.FALLBACK_WORDS[:1]
        self._random = random

    def __call__(self, sentence: str) -> str:
        """Fill one sentence; `{a}` is always the prompt's first keyword."""
        others = [*self._others, *phrases.FALLBACK_WORDS[1:]]
        b = others[self._random.randrange(len(self._others) or len(others))]
        c = self._random.choice([word for word in others if word != b])
        return sentence.format(a=self._first, b=b, c=c, A=_capital(self._first), B=_capital(b), C=_capital(c))


def _prose(goal: PromptIntent, fill: Filler, random: Random) -> str:
    frame = phrases.LANGUAGES.get(goal.language)
    sentences = [fill(frame[0] if frame else _opening(goal, random))]
    missing = (goal.amount or random.randrange(60, _MAX_WORDS)) - len(sentences[0].split())
    body = chain.from_iterable(random.sample(phrases.BODY, len(phrases.BODY)) for _ in repeat(None))
    while missing > 0:
        sentences.append(fill(next(body)))
        missing -= len(sentences[-1].split())
    if frame:
        sentences.append(frame[1])
    elif goal.amount != intent.BRIEF_WORDS:  # a brief answer has no closing
        sentences.append(fill(_pick(phrases.CLOSINGS, random)))
    if goal.symbols:
        sentences.append(goal.symbols)
    starts = range(0, len(sentences), _PARAGRAPH_SENTENCES)
    return "\n\n".join(" ".join(sentences[at : at + _PARAGRAPH_SENTENCES]) for at in starts)


def _opening(goal: PromptIntent, random: Random) -> str:
    return _pick(phrases.OPENINGS.get(goal.wants, phrases.OPENINGS["tell"]), random)


def _pick(sentences: tuple[str, ...], random: Random) -> str:
    return sentences[random.randrange(len(sentences))]


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _code(goal: PromptIntent) -> str:
    names = [name for word in goal.words if word.isascii() for name in re.split(r"\W+", word.lower())]
    known = ("python", "javascript", "typescript", "rust", "sql")
    name = "_".join([name for name in names if name not in known][:2]) or "flow"
    if any(word in {"javascript", "typescript"} for word in names):
        return (
            f"```javascript\nfunction {name}(values) {{\n  return values.filter(Boolean); // keep what flows\n}}\n```"
        )
    return (
        f'```python\ndef {name}(values: list[str]) -> list[str]:\n    """Keep what flows."""\n'
        f'    return [value for value in values if value.strip()]\n\n\nprint({name}(["rock", "", "water"]))\n```'
    )


def _about_system(prompt: LocalPrompt) -> Iterator[str]:
    system = prompt.system_text.strip()
    if not system:
        return
    if role := re.search(r"\byou are (an? [^.,;:\n]{2,60}|the [^.,;:\n]{2,60})", system, re.IGNORECASE):
        yield f"Speaking as {role[1].strip()}:"
    else:
        yield f"As you instructed (“{_shortened(system)}”):"


def _about_history(history: tuple[PromptTurn, ...]) -> Iterator[str]:
    earlier = [turn.text for turn in history if turn.role == "user" and turn.text.strip()]
    if earlier:
        words = intent.read_intent(earlier[-1]).words
        topic = " and ".join(words[:2]) if words else _shortened(earlier[-1])
        yield f"Earlier you asked about {topic}, and this goes on from there."


def _about_media(turn: PromptTurn) -> Iterator[str]:
    for part in turn.parts:
        if isinstance(part, Media):
            size = f"{part.size:,} bytes" if part.size < 10_000 else f"{part.size / 1_000:,.0f} kB"  # noqa: PLR2004
            pixels = f", {part.width} by {part.height} pixels" if part.width else ""
            name = f" “{part.name}”" if part.name else ""
            kind = part.kind if part.kind != "audio" else "recording"
            yield f"I have your {kind}{name} ({part.format.upper()}{pixels}, {size})."
            if part.text.strip():
                yield f"It begins with “{_shortened(part.text)}”."


def _about_results(turn: PromptTurn) -> Iterator[str]:
    for result in turn.parts:
        if not isinstance(result, PromptToolResult):
            continue
        if result.is_error:
            yield f"The tool failed: {_shortened(result.text)}. I will go on without it."
        else:
            yield f"The tool answered: {_describe(result.text)}."


def _describe(text: str) -> str:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return _shortened(text, 200)
    if isinstance(values, dict) and values:
        return ", ".join(f"{name} is {value}" for name, value in list(values.items())[:6])
    return _shortened(text, 200)


def _shortened(text: str, limit: int = 60) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: flat.rfind(" ", 0, limit) if " " in flat[:limit] else limit] + " …"
