// The line above the message box: what is going on, in words, and how fast it goes, in figures.

import { find } from "./element.js";

const STATES = {
  queued: ({ place }) => (place ? `Waiting for a place: ${place} before this one…` : "Waiting for a place…"),
  retrying: ({ attempt }) => `The model is busy. Trying again (attempt ${attempt})…`,
  fallback: ({ model_id }) => `Another model answers: ${model_id}`,
  reconnecting: () => "The model's connection broke. Going on from there…",
  continued: () => "Going on where the answer broke off",
  restarted: () => "Beginning the answer again…",
  not_resumable: () => "The answer cannot be kept just now: stay on this page",
  slow: ({ message }) => message ?? "The model is slow",
};

const CONNECTION = {
  connecting: () => "Connecting…",
  reconnecting: (tries) => `Connection lost. Reconnecting (${tries})…`,
  resumed: () => "Connection restored",
};

const RESTORED_MS = 2000; // good news stays long enough to be read

/** The status line of one answer at a time. */
export class Status {
  constructor() {
    this._words = find("status");
    this._figures = find("figures");
    this._progress = find("progress");
  }

  /** Begin anew. */
  begin(words = "Connecting…") {
    this._asked = performance.now();
    this._first = null;
    this._held = 0;
    this._figures.textContent = "";
    this._progress.hidden = false;
    this._progress.removeAttribute("value"); // not known yet
    this._say(words);
  }

  /** Say what becomes of the connection. */
  connection(state, tries) {
    this._say(CONNECTION[state](tries));
    this._held = state === "resumed" ? performance.now() + RESTORED_MS : 0;
  }

  /** Take a stream's event. */
  take(name, data) {
    if (name === "start") this._say("Waiting for the first word…");
    else if (name === "status") this._say(STATES[data.state]?.(data) ?? data.state);
    else if (name === "progress") this._measure(data);
    else if (["reasoning", "tool_call"].includes(name) || data.text !== undefined) this._answering(name === "reasoning" ? "Thinking…" : "Answering…");
    else if (data.done) this.end(data);
    else if (data.error) this.fail(data.error);
  }

  /** Say that all is over, well or cancelled. */
  end({ stop_reason, usage, metrics }) {
    this._progress.value = 1;
    this._progress.hidden = true;
    this._say(stop_reason === "cancelled" ? "Stopped" : "Answer complete");
    const seconds = metrics?.latency ? metrics.latency - (metrics.time_to_first_token ?? 0) : 0;
    const rate = usage?.output_tokens && seconds > 0.05 ? usage.output_tokens / seconds : null;
    this._show(metrics?.time_to_first_token ?? this._first, rate, usage?.output_tokens);
  }

  /** Say that it failed, and why. */
  fail(reason) {
    this._progress.hidden = true;
    this._say(`Failed: ${reason}`);
  }

  /** Say nothing. */
  clear() {
    this._progress.hidden = true;
    this._figures.textContent = "";
    this._say("");
  }

  _answering(words) {
    this._first ??= (performance.now() - this._asked) / 1000;
    if (performance.now() > this._held) this._say(words);
  }

  _measure({ progress, tokens_per_second, output_tokens, message }) {
    this._progress.value = progress;
    this._show(this._first, tokens_per_second, output_tokens);
    if (message) this._say(message);
  }

  _show(first, rate, tokens) {
    const figures = [
      first == null ? null : `first token ${first.toFixed(2)} s`,
      rate == null ? null : `${rate.toFixed(0)} tokens/s`,
      tokens == null ? null : `${tokens} tokens`,
    ];
    this._figures.textContent = figures.filter(Boolean).join(" · ");
  }

  _say(words) {
    if (this._words.textContent !== words) this._words.textContent = words; // a screen reader reads each change
  }
}
