"""What is known of one model, as values: `Abilities` on either API, `Model`, and the `Target` of one attempt."""

from typing import Literal

from msgspec import Struct

Api = Literal["converse", "invoke"]

ReasoningStyle = Literal[
    "budget", "budget_or_adaptive", "adaptive", "nova", "effort", "high_only", "nested_effort", "qwen", "inherent"
]
"""How a model is told to reason:

`budget`              Claude 3.7 to 4.5: `thinking {"type": "enabled", "budget_tokens": n}`
`budget_or_adaptive`  Claude 4.6 takes both
`adaptive`            Claude 4.7 and later: `thinking {"type": "adaptive"}` and `output_config.effort`
`nova`                Nova 2: `reasoningConfig {"type": "enabled", "maxReasoningEffort": …}`
`effort`              gpt-oss, GLM 5.3: `reasoning_effort`
`high_only`           DeepSeek V3, GLM up to 5: `reasoning_effort` is `"high"` or absent
`nested_effort`       GPT, Grok: `reasoning {"effort": …}`
`qwen`                Qwen3: `reasoning_config`
`inherent`            it reasons without being told to, and takes no field: DeepSeek R1, Kimi, MiniMax, Magistral
"""

Tag = Literal["reasoning", "think"]

ANY_CHOICE = frozenset({"auto", "any", "tool"})
AUTO_ONLY = frozenset({"auto"})


class Abilities(Struct, frozen=True):
    """What a model takes on one API. None: nobody has said, so Bedrock is asked."""

    streams: bool = True
    turns: bool | None = None
    """Whether a request may hold more than one turn."""
    system: bool | None = None
    tools: bool | None = None
    tools_streaming: bool | None = None
    tool_choice: frozenset[str] | None = None
    """The modes that may be asked for; `none` is always ours to arrange."""
    tool_result_alone: bool = False
    """Whether a message with a tool's result may hold nothing else."""
    images: bool | None = None
    documents: bool | None = None
    tool_result_images: bool | None = None
    tool_result_documents: bool | None = None
    tool_result_status: bool | None = None
    reasoning: ReasoningStyle | Literal[False] | None = None
    cache_points: bool | None = None
    temperature: bool | None = None
    max_temperature: float = 1.0
    top_p: bool | None = None
    top_k: bool | None = None
    stop_sequences: bool | None = None
    output_schema: bool | None = None
    leading_assistant: bool | None = None
    """Whether a conversation may begin with the assistant."""
    prefill: bool | None = None
    """Whether the last message may be the assistant's, to be gone on from."""


class Model(Struct, frozen=True):
    """One model. `listed`: it has a row of its own, and is not only guessed from its id's pattern."""

    id: str
    family: str
    provider: str
    name: str
    series: str = ""
    """The generation within the family that shares wire, template and abilities: `llama3`, `claude_adaptive`."""
    geos: tuple[str, ...] = ()
    profile_only: bool = False
    """Whether it is sold through inference profiles alone: the bare id is refused on demand."""
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    end_of_life: str | None = None
    """ISO date (or year) from which every request fails."""
    ended: bool = False
    """Whether it was past its end on 2026-11-22, when the rows were written."""
    converse: Abilities | None = Abilities()
    invoke: Abilities = Abilities()
    always_reasons: bool = False
    reasoning_tag: Tag | None = None
    """The tag that wraps reasoning inside the text on InvokeModel."""
    listed: bool = True

    def on(self, api: Api) -> Abilities:
        """What it takes on one API."""
        return (self.converse or Abilities()) if api == "converse" else self.invoke

    @property
    def output_ceiling(self) -> int | None:
        """The number of tokens above which a request is surely refused: round thousands may stand for 1,024 each."""
        limit = self.max_output_tokens
        return limit // 1000 * 1024 if limit and limit % 1000 == 0 else limit

    @property
    def profiles(self) -> tuple[str, ...]:
        """The ids of its inference profiles, in the order of `geos`."""
        return tuple(f"{geo}.{self.id}" for geo in self.geos)

    @property
    def names(self) -> tuple[str, ...]:
        """Every id it can be asked for by: the bare one first, unless it is sold through profiles alone."""
        return self.profiles if self.profile_only and self.geos else (self.id, *self.profiles)


class Target(Struct, frozen=True):
    """What one attempt calls: `model_id` is what Bedrock is given."""

    model_id: str
    model: Model
    api: Api
    streams: bool
    """False: the model cannot stream this, so it is called whole and delivered as a stream."""

    @property
    def family(self) -> str:
        """The family's name, as `families.FAMILIES` knows it."""
        return self.model.family

    @property
    def abilities(self) -> Abilities:
        """What the model takes on this attempt's API."""
        return self.model.on(self.api)

    @property
    def base_id(self) -> str:
        """The id that CountTokens wants: without geo prefix; an opaque ARN stays as it is."""
        return self.model.id
