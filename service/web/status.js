// The status line above the message box: the state of the answer, and its speed in figures.

import { find } from "./element.js";

const STATES = {
  queued: ({ place }) => (place ? `Queued: ${place} ahead of this request…` : "Queued…"),
  retrying: ({ attempt }) => `The model is busy. Retrying (attempt ${attempt})…`,
  fallback: ({ model_id }) => `Fallback to another model: ${model_id}`,
  reconnecting: () => "The connection to the model was lost. Continuing the answer…",
  continued: () => "Continuing the answer",
  restarted: () => "Restarting the answer…",
  not_resumable: () => "This answer cannot be resumed: do not close or reload the page",
  slow: ({ message }) => message ?? "The model is slow",
};

const CONNECTION = {
  connecting: () => "Connecting…",
  reconnecting: (tries) => `Connection lost. Reconnecting (${tries})…`,
  resumed: () => "Connection restored",
};

const RESTORED_MS = 2000; // long enough to be read

/** The status line of one answer at a time. */
export class Status {
  constructor() {
    this._text = find("status");
    this._figures = find("figures");
    this._progress = find("progress");
  }

  /** Begin an answer. */
  begin(text = "Connecting…") {
    this._asked = performance.now();
    this._first = null;
    this._held = 0;
    this._figures.textContent = "";
    this._progress.hidden = false;
    this._progress.removeAttribute("value"); // not known yet
    this._write(text);
  }

  /** Show a change of the connection. */
  connection(state, tries) {
    this._write(CONNECTION[state](tries));
    this._held = state === "resumed" ? performance.now() + RESTORED_MS : 0;
  }

  /** Show an event of the stream. */
  take(name, data) {
    if (name === "start") this._write("Waiting for the first token…");
    else if (name === "status") this._write(STATES[data.state]?.(data) ?? data.state);
    else if (name === "progress") this._measure(data);
    else if (["reasoning", "tool_call"].includes(name) || data.text !== undefined) this._answering(name === "reasoning" ? "Thinking…" : "Answering…");
    else if (data.done) this.end(data);
    else if (data.error) this.fail(data.error);
  }

  /** Show the end of an answer, complete or cancelled. */
  end({ stop_reason, usage, metrics }) {
    this._progress.value = 1;
    this._progress.hidden = true;
    this._write(stop_reason === "cancelled" ? "Stopped" : "Answer complete");
    const seconds = metrics?.latency ? metrics.latency - (metrics.time_to_first_token ?? 0) : 0;
    const rate = usage?.output_tokens && seconds > 0.05 ? usage.output_tokens / seconds : null;
    this._show(metrics?.time_to_first_token ?? this._first, rate, usage?.output_tokens);
  }

  /** Show a failure and its reason. */
  fail(reason) {
    this._progress.hidden = true;
    this._write(`Failed: ${reason}`);
  }

  /** Show nothing. */
  clear() {
    this._progress.hidden = true;
    this._figures.textContent = "";
    this._write("");
  }

  _answering(text) {
    this._first ??= (performance.now() - this._asked) / 1000;
    if (performance.now() > this._held) this._write(text);
  }

  _measure({ progress, tokens_per_second, output_tokens, message }) {
    this._progress.value = progress;
    this._show(this._first, tokens_per_second, output_tokens);
    if (message) this._write(message);
  }

  _show(first, rate, tokens) {
    const figures = [
      first == null ? null : `first token ${first.toFixed(2)} s`,
      rate == null ? null : `${rate.toFixed(0)} tokens/s`,
      tokens == null ? null : `${tokens} tokens`,
    ];
    this._figures.textContent = figures.filter(Boolean).join(" · ");
  }

  _write(text) {
    if (this._text.textContent !== text) this._text.textContent = text; // a screen reader reads each change
  }
}
