# ruff: noqa: RUF001  prompts can contain typographic apostrophes
"""Finds what a prompt asks for: its keywords, the kind and the length of the answer, and its language."""

import re
import unicodedata
from zlib import crc32

from msgspec import Struct

_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_STOP_WORDS = frozenset(
    """a about above across after again all also am an and another any are as ask asked at be because been before being
    below best between both but by can could describe detail detailed did do does doing done each either else ever every
    everything exactly explain few find for from get give go going good great had happened happens has have having he
    hello help her here hers hey hi him his how i if in into is it its just keep know let like little look made make
    many may me mean might more most much must my need never no nor not now of off ok okay on one only or other our out
    over please quickly rather say see shall she should show simple simply so some something still such sure take tell
    than thank thanks that the their them then there these they thing things think this those through to today together
    too under until up upon us use used using very want was way ways we well what when where whether which while who
    whom whose why will with within without word words would write yes yet you your short brief briefly long
    two three four five six seven eight nine ten hundred thousand first second third
    haiku poem verse rhyme song lyrics limerick story tale fable table list steps ideas tips reasons examples code
    function script program snippet compare difference differences summary summarise summarize essay paragraph
    paragraphs sentence sentences count
    le la les des du est une un pour dans avec qui que quoi comment pourquoi bonjour expliquez et sur
    der die das und ist ein eine nicht wie warum was mit für bitte hallo erkläre von den dem
    el los las es con qué cómo por porqué hola explica del una""".split()  # noqa: SIM905
)
BRIEF_WORDS = 25  # words
_MAX_KEYWORD = 28  # characters

_WANTS = (
    ("code", r"\b(code|function|script|program|snippet|python|javascript|typescript|rust|sql|regex|algorithm)\b"),
    ("list", r"\b(list|steps|ideas|tips|ways|bullet|bullets|reasons|examples|checklist)\b"),
    ("table", r"\b(table|columns|markdown table)\b"),
    ("poem", r"\b(poem|haiku|verse|rhyme|song|lyrics|limerick)\b"),
    ("story", r"\b(story|tale|fable|once upon)\b"),
    ("greeting", r"^\W{0,8}(hello|hi|hey|good (morning|evening|afternoon)|greetings)\b[^.?]{0,24}[.!?]*\s*$"),
    ("self", r"\b(who|what) are you\b|\byour name\b"),
    ("compare", r"\b(compare|versus|vs|difference|differ|better than)\b"),
    ("why", r"\bwhy\b"),
    ("how", r"\bhow\b"),
)
_PATTERNS = tuple((want, re.compile(pattern, re.IGNORECASE | re.MULTILINE)) for want, pattern in _WANTS)
_AMOUNT = re.compile(r"\b(\d{2,5})[- ]words?\b", re.IGNORECASE)
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ITEMS = re.compile(rf"\b({'|'.join(_NUMBERS)}|10|[1-9])\b", re.IGNORECASE)
_ECHO = re.compile(
    r"\b(?:say|repeat|(?:reply|answer|respond) with)\b(?: \w+){0,3}?:? [\"“](.{1,2000}?)[\"”]",
    re.IGNORECASE | re.DOTALL,
)
_COUNT = re.compile(r"\bcount\b.{0,20}?\bto (\d{1,4})\b", re.IGNORECASE)
_SHORT = re.compile(r"\b(briefly|brief|short|shortly|one sentence|in a word|tl;?dr|concise|concisely)\b", re.IGNORECASE)
_LONG = re.compile(r"\b(long|detailed|in detail|in depth|essay|thorough|thoroughly|comprehensive)\b", re.IGNORECASE)

_LANGUAGES = {
    "fr": frozenset(
        [
            "le",
            "la",
            "les",
            "des",
            "est",
            "une",
            "pour",
            "dans",
            "avec",
            "qui",
            "que",
            "quoi",
            "comment",
            "pourquoi",
            "bonjour",
            "expliquez",
        ]
    ),
    "de": frozenset(
        [
            "der",
            "die",
            "das",
            "und",
            "ist",
            "ein",
            "eine",
            "nicht",
            "wie",
            "warum",
            "was",
            "mit",
            "für",
            "bitte",
            "hallo",
            "erkläre",
        ]
    ),
    "es": frozenset(
        [
            "el",
            "los",
            "las",
            "es",
            "una",
            "para",
            "con",
            "que",
            "qué",
            "cómo",
            "por",
            "porqué",
            "hola",
            "explica",
            "del",
        ]
    ),
}
_SCRIPTS = {"CYRILLIC": "ru", "GREEK": "el", "ARABIC": "ar", "HEBREW": "he", "DEVANAGARI": "hi", "HANGUL": "ko",
            "HIRAGANA": "ja", "KATAKANA": "ja", "CJK": "zh", "THAI": "th"}  # fmt: skip


class PromptIntent(Struct, frozen=True):
    """What a prompt asks for. `words`: its keywords, in order and without repetition."""

    words: tuple[str, ...]
    wants: str
    language: str
    amount: int
    counts_to: int
    items: int
    echo: str
    symbols: str
    seed: int


def read_intent(text: str, context: str = "") -> PromptIntent:
    """Analyse a prompt; `context` (the conversation before it) only changes the seed."""
    start = text[:4_000]
    words = _find_keywords(start)
    return PromptIntent(
        words=words,
        wants=next((want for want, pattern in _PATTERNS if pattern.search(start)), "tell" if words else "chat"),
        language=_find_language(start),
        amount=_find_amount(start),
        counts_to=int(found[1]) if (found := _COUNT.search(start)) else 0,
        items=_find_items(start),
        echo=found[1] if (found := _ECHO.search(start)) else "",
        symbols="".join(dict.fromkeys(sign for sign in start if unicodedata.category(sign) == "So"))[:8],
        seed=crc32(text.encode(errors="replace"), crc32(context.encode(errors="replace"))),
    )


def _find_keywords(text: str) -> tuple[str, ...]:
    """Return the keywords; two adjacent ones are joined."""
    found: dict[str, str] = {}
    previous, end = "", -1
    for match in _WORD.finditer(text):
        word = match[0].rstrip("'’-").removesuffix("'s").removesuffix("’s")
        long_enough = len(word) > 2 or not word.isascii() or word.isupper()  # noqa: PLR2004 "of", "to"
        if word.lower() in _STOP_WORDS or not long_enough or len(word) > _MAX_KEYWORD:
            previous = ""
        elif previous and " " not in previous and text[end : match.start()] == " ":
            found.pop(previous.lower(), None)
            previous = f"{previous} {word}"
            found.setdefault(previous.lower(), previous)
        else:
            previous = word
            found.setdefault(word.lower(), word)
        end = match.start() + len(word)
    return tuple(found.values())[:12]


def _find_amount(text: str) -> int:
    """Return the approximate number of words that the prompt asks for; 0 if it does not."""
    if found := _AMOUNT.search(text):
        return min(int(found[1]), 4_000)
    if _LONG.search(text):
        return 420
    return BRIEF_WORDS if _SHORT.search(text) else 0


def _find_items(text: str) -> int:
    """Return the number of list items that the prompt asks for; 0 if it does not."""
    found = _ITEMS.search(text)
    if not found:
        return 0
    number = found[1].lower()
    return int(number) if number.isdecimal() else 1 + _NUMBERS.index(number)


def _find_language(text: str) -> str:
    """Return the language by the script, or by the most frequent marker words."""
    for character in text:
        if character.isalpha() and not character.isascii():
            script = unicodedata.name(character, "").split(" ", 1)[0]
            if script in _SCRIPTS:
                is_japanese = any("぀" <= character <= "ヿ" for character in text)
                return "ja" if is_japanese else _SCRIPTS[script]
    words = [word.lower() for word in _WORD.findall(text)]
    score = {language: sum(word in marks for word in words) for language, marks in _LANGUAGES.items()}
    best = max(score, key=lambda language: score[language])
    return best if score[best] * 4 >= len(words) > 0 else "en"
