"""An answer in a terminal: its text on standard output, everything else, dimmed, on standard error."""

import sys
from contextlib import ExitStack

from rich.console import Console
from rich.text import Text as Line

from artesian import Connection, Done, Event, Reasoning, Status, Stream, Text, ToolCall

# What a model says must not steer the terminal: control characters are shown as pictures, but for tab and line feed.
_PICTURES: dict[int, str | None] = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"}
_PICTURES |= {0x0D: None, 0x7F: "\u2421"} | dict.fromkeys(range(0x80, 0xA0), "\ufffd")

_STOPS = {
    "max_tokens": "cut at --max-tokens",
    "content_filtered": "stopped by a content filter",
    "guardrail_intervened": "stopped by a guardrail",
    "context_window_exceeded": "the conversation is too long for this model",
    "malformed_output": "the model did not finish it properly",
    "cancelled": "cancelled",
}

_STATUSES = {
    "retrying": "The model did not answer; trying again",
    "reconnecting": "The model broke off; going on from here",
    "continued": "The model goes on where it broke off",
    "restarted": "The answer begins again",
    "not_resumable": "This answer cannot be continued if it breaks off",
    "slow": "The model is slow",
}


class Screen:
    """A terminal, or what stands in its place. `notes`: whether what is not text is shown at all."""

    def __init__(self, *, notes: bool = True) -> None:
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)
        self._notes = notes
        self._clean = sys.stdout.isatty()
        self._mid_line = False

    def show(self, stream: Stream) -> Done | None:
        """Show a stream to its end."""
        done = None
        with ExitStack() as waiting:
            spinner = None
            if self._notes and self._err.is_terminal:
                spinner = waiting.enter_context(self._err.status("waiting for the model", spinner="dots"))
            try:
                for event in stream:
                    if isinstance(event, Text):
                        waiting.close()
                        self.write(event.text)
                    elif isinstance(event, Reasoning) and spinner:
                        spinner.update("thinking")
                    elif isinstance(event, Done):
                        done = event
                    elif line := line_of(event):
                        self.note(line)
            finally:
                waiting.close()
                self.end_line()
        return done

    def write(self, text: str) -> None:
        """Write a piece of text."""
        sys.stdout.write(text.translate(_PICTURES) if self._clean else text)
        sys.stdout.flush()
        self._mid_line = not text.endswith("\n") if text else self._mid_line

    def end_line(self) -> None:
        """Begin a new line, unless one has just begun."""
        if self._mid_line:
            self.write("\n")

    def note(self, line: str) -> None:
        """Say something about the answer."""
        if not (self._notes and line):
            return
        if self._mid_line and self._clean:  # a file or a pipe gets the text and nothing else
            self.end_line()
        self._err.print(Line(line, style="dim"))

    def problem(self, sentence: str) -> None:
        """Say what went wrong."""
        self.end_line()
        self._err.print(Line(sentence, style="red"))


def line_of(event: Event) -> str | None:
    """Say an event in words, where it needs any."""
    match event:
        case Connection(state="lost"):
            return f"Connection lost. Trying again in {event.delay:g} s ({event.attempt} of {event.attempts})"
        case Connection(state="restored"):
            return "Connection restored"
        case Status(state="queued"):
            return f"Waiting for a place: number {event.place}" if event.place else "Waiting for a place"
        case Status(state="fallback"):
            return f"Trying {event.model_id} instead"
        case Status(message=str(message)) if message:
            return message
        case Status(state="retrying", delay=float(delay)):
            return f"{_STATUSES['retrying']} in {delay:.2g} s"
        case Status(state=state):
            return _STATUSES.get(state)
        case ToolCall(name=str(name)):
            return f"The model calls {name}"
    return None


def summary(done: Done) -> str:
    """Say how long an answer was, how fast it came and why it ended, where that is not plain."""
    usage, metrics = done.usage, done.metrics
    parts = []
    if usage.output_tokens is not None:
        parts.append(f"{'about ' if usage.estimated else ''}{usage.output_tokens} tokens")
        speaking = (metrics.latency or 0) - (metrics.time_to_first_token or 0)
        if speaking > 0:
            parts.append(f"{usage.output_tokens / speaking:.3g} tokens/s")
    if metrics.time_to_first_token is not None:
        parts.append(f"first after {metrics.time_to_first_token:.2f} s")
    if stop := _STOPS.get(done.stop_reason):
        parts.append(stop)
    return " · ".join(parts)
