# ruff: noqa: RUF001  the sentences are in several scripts
"""The sentences of the local Bedrock's answers. `{a}`, `{b}` and `{c}` are keywords of the prompt."""

OPENINGS = {
    "tell": (
        "Let us look at {a} for a moment.",
        "There is more to {a} than one notices at first.",
        "It is good that you ask about {a}.",
        "The short version first: {a} will reward a patient look.",
    ),
    "why": (
        "The reason lies closer to {a} than one would think.",
        "Mostly it comes down to {a}.",
        "Several causes meet here, and the strongest of them has to do with {a}.",
    ),
    "how": (
        "It works in three movements, and each of them begins with {a}.",
        "Start with {a}, and the rest follows.",
        "In practice it is simpler than it sounds, as long as {a} comes first.",
    ),
    "compare": (
        "Both have their place: {a} for those who want it steady, {b} for those who want it quick.",
        "Set {a} beside {b} and the difference shows soon.",
    ),
    "greeting": (
        "Hello! It is good to hear from you.",
        "Hello there, and welcome.",
        "Good day! I am listening.",
    ),
    "chat": (
        "I am listening. Tell me a little more, and I will gladly go on from there.",
        "Very well. What would you like to look at next?",
        "Understood. Give me a subject, and I will say a few words about it.",
    ),
}

BODY = (
    "What matters first is {b}; without it the rest would not hold together.",
    "People often speak of {a} and forget {b}, although the two belong together like a river and its bed.",
    "A small example helps.",
    "Take {b} away, and little remains of {a}.",
    "Nothing here is hurried.",
    "That sounds abstract, but anyone who has looked at {c} closely knows the feeling.",
    "There are exceptions, of course.",
    "In most cases, though, you can leave {a} alone for a while and find everything as it was.",
    "Some would begin with {c} instead, which is a fair choice when time is short.",
    "It pays to write down what one knows about {b} before going further.",
    "Deep down it is a question of pressure and patience, as with water in rock.",
    "The older way of looking at {a} was simpler; the newer one is more exact.",
    "One can take the measure of {b}, and one should, because most guesses are too high.",
    "Seen from further away, {c} may be only a detail.",
    "Seen from close by, it is everything.",
    "If {a} should surprise you, look at {b} again.",
    "This is where many explanations stop, and where {c} can become interesting.",
    "The numbers agree with that, as far as anybody has counted them.",
    "Two things follow: leave room for {a}, and give {b} time.",
    "It is worth saying plainly that {c} alone will decide very little.",
    "A careful person checks {a} twice and {b} three times.",
    "And yet it moves: slowly at first, then all at once.",
    "Nobody has to know everything about {c} to make good use of it.",
    "There is an old saying that water finds its way, and {b} can be much the same.",
)

CLOSINGS = (
    "So much for {a}; ask on if you would like to go deeper.",
    "That is the heart of it.",
    "In one line: mind {a}, and {b} will look after itself.",
    "With that in hand, {a} should hold no more terrors.",
    "If one thing stays with you, let it be {b}.",
)

ITEMS = (
    "**{A}** — begin here, since everything else leans on it.",
    "**{B}** — keep it small enough to change your mind.",
    "**{C}** — look at it with fresh eyes once a day.",
    "**Room** — leave some around {a}, for what you did not expect.",
    "**Time** — {b} needs more of it than the plan says.",
    "**A second opinion** — somebody else sees {c} differently.",
    "**An end** — decide beforehand when {a} is good enough.",
)

VERSES = (
    ("Beneath the hill, where stones lie deep,", "the thought of {a} may fall asleep;"),
    ("it dreams of {b}, it waits for rain,", "it goes, and comes to light again."),
    ("No hurry in the rock below,", "just {c}, and the wish to flow."),
)

STORY = (
    "Once there was a well that nobody had dug.",
    "The people of the valley spoke of {a} when they spoke of it at all.",
    "One morning a child came by, thinking of {b}, and listened.",
    "“It is talking,” she said, “about {c}.”",
    "The old ones laughed, and then they heard it too.",
    "From that day on the water rose a little every spring, and nobody there was ever quite alone with {a} again.",
)

LANGUAGES = {
    "fr": ("Parlons donc de {a}.", "Voilà l’essentiel, en peu de mots."),
    "de": ("Sprechen wir also über {a}.", "So viel dazu, in aller Kürze; größer wäre schöner."),
    "es": ("Hablemos, pues, de {a}.", "Eso es lo esencial, ¿verdad?"),
    "ru": ("Поговорим о том, что такое {a}.", "Вот и вся суть, если коротко."),
    "el": ("Ας μιλήσουμε για {a}.", "Αυτή είναι η ουσία, με λίγα λόγια."),
    "ar": ("لنتحدث عن {a}.", "هذا هو جوهر الأمر باختصار."),
    "he": ("בואו נדבר על {a}.", "זה העיקר, בקיצור."),
    "hi": ("आइए {a} के बारे में बात करें।", "संक्षेप में, यही सार है।"),
    "ko": ("{a}에 대해 이야기해 봅시다.", "간단히 말하면 그것이 핵심입니다."),
    "ja": ("「{a}」についてお話ししましょう。", "要するに、そういうことです。"),
    "zh": ("我们来谈谈“{a}”。", "简而言之，这就是要点。"),
    "th": ("มาคุยกันเรื่อง {a}", "โดยสรุปก็เป็นเช่นนี้"),
}

FALLBACK_WORDS = ("the question itself", "the small print", "the larger picture")
