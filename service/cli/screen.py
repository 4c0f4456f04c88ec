"""An answer in a terminal: its text on standard output, everything else, dimmed, on standard error."""

import sys
from contextlib import ExitStack

from rich.console import Console
from rich.text import Text as Line

from artesian import Connection, Done, Event, Reasoning, Status, Stream, Text, ToolCall

# A model's text must not control the terminal: control characters except tab and line feed are shown as symbols.
_SYMBOLS: dict[int, str | None] = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"}
_SYMBOLS |= {0x0D: None, 0x7F: "\u2421"} | dict.fromkeys(range(0x80, 0xA0), "\ufffd")

_STOPS = {
    "max_tokens": "cut at --max-tokens",
    "content_filtered": "stopped by a content filter",
    "guardrail_intervened": "stopped by a guardrail",
    "context_window_exceeded": "the conversation is too long for this model",
    "malformed_output": "malformed output of the model",
    "cancelled": "cancelled",
}

_STATUSES = {
    "retrying": "The model did not answer; retrying",
    "reconnecting": "The answer was interrupted; continuing it",
    "continued": "The model continues the interrupted answer",
    "restarted": "The answer starts again",
    "not_resumable": "This answer cannot be resumed if the connection is lost",
    "slow": "The model is slow",
}


class Screen:
    """Standard output and standard error. `notes`: whether anything but the text is shown."""

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
        """Write a text delta."""
        sys.stdout.write(text.translate(_SYMBOLS) if self._clean else text)
        sys.stdout.flush()
        self._mid_line = not text.endswith("\n") if text else self._mid_line

    def end_line(self) -> None:
        """Start a new line, unless the cursor is at the start of one."""
        if self._mid_line:
            self.write("\n")

    def note(self, line: str) -> None:
        """Print a note about the answer."""
        if not (self._notes and line):
            return
        if self._mid_line and self._clean:  # a file or a pipe gets the text and nothing else
            self.end_line()
        self._err.print(Line(line, style="dim"))

    def problem(self, sentence: str) -> None:
        """Print an error."""
        self.end_line()
        self._err.print(Line(sentence, style="red"))


def line_of(event: Event) -> str | None:
    """Describe an event in one line; None if it needs no description."""
    match event:
        case Connection(state="lost"):
            return f"Connection lost. Reconnecting in {event.delay:g} s ({event.attempt} of {event.attempts})"
        case Connection(state="restored"):
            return "Connection restored"
        case Status(state="queued"):
            return f"Queued at position {event.place}" if event.place else "Queued"
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
    """Describe the length and speed of an answer, and why it ended if that is unusual."""
    usage, metrics = done.usage, done.metrics
    parts = []
    if usage.output_tokens is not None:
        parts.append(f"{'about ' if usage.estimated else ''}{usage.output_tokens} tokens")
        generating = (metrics.latency or 0) - (metrics.time_to_first_token or 0)
        if generating > 0:
            parts.append(f"{usage.output_tokens / generating:.3g} tokens/s")
    if metrics.time_to_first_token is not None:
        parts.append(f"first after {metrics.time_to_first_token:.2f} s")
    if stop := _STOPS.get(done.stop_reason):
        parts.append(stop)
    return " · ".join(parts)
