// One reply: it grows with the events of a stream, or is drawn as it is stored. Text, reasoning and calls keep their order.

import { copyButton, iconButton, ICONS, make } from "./element.js";
import { Markdown } from "./markdown.js";

const WHY = {
  max_tokens: "The answer reached the maximum of output tokens. Raise it in the settings.",
  content_filtered: "The model's content filter stopped the answer.",
  guardrail_intervened: "A guardrail intervened.",
  context_window_exceeded: "The conversation is too long for this model.",
  malformed_output: "The model wrote malformed output.",
  cancelled: "Stopped.",
  tool_use: "The model is waiting for a tool result.",
};

const FRAME_MS = 16;

/** A reply on the page. `onRegenerate` and `onAgain` are called by its buttons "Regenerate" and "Try again". */
export class Reply {
  constructor({ onRegenerate, onAgain }) {
    this._onRegenerate = onRegenerate;
    this._onAgain = onAgain;
    this._body = make("div", { className: "body" });
    this._typing = make("p", { className: "typing" }, make("span", { className: "sr-only" }, "Waiting for the first token"), make("i"), make("i"), make("i"));
    this._foot = make("div", { className: "foot" });
    this.element = make("article", { className: "assistant" }, make("h2", { className: "sr-only" }, "Answer"), this._body, this._typing, this._foot);
    this._clear();
  }

  /** The answer's text, without reasoning and calls. */
  get text() {
    return this._parts.filter((part) => part.kind === "text").map((part) => part.markdown.text).join("\n\n");
  }

  /** Show that the answer is being generated. */
  begin() {
    this.element.classList.add("growing");
    this.element.setAttribute("aria-busy", "true");
    return this;
  }

  /** Add an event of the stream. */
  take(name, data) {
    if (name === "message" && data.text !== undefined) this._text(data.text);
    else if (name === "message" && data.done) this.end(data);
    else if (name === "message" && data.error) this.fail(data.error, data.retryable);
    else if (name === "reasoning") this._reasoning(data);
    else if (name === "tool_call") this._call(data);
    else if (name === "tool_result") this._result(data);
    else if (name === "citation") this._cite(data);
    else if (name === "guardrail") this._fold("guardrail", "Guardrail").append(JSON.stringify(data, null, 2));
    else if (name === "status" && data.state === "restarted") this._clear();
  }

  /** Draw a reply as the service stores it. */
  show(message) {
    this._clear();
    for (const block of message.content) this._block(block);
    if (message.error) this.fail(message.error.error, true);
    else if (message.status !== "answering") this.end(message);
    return this;
  }

  /** End the reply, complete or cancelled. */
  end({ stop_reason, usage, metrics }) {
    this._over();
    const notes = [
      usage?.output_tokens == null ? null : `${usage.estimated ? "about " : ""}${usage.output_tokens} tokens`,
      metrics?.latency == null ? null : `${metrics.latency.toFixed(1)} s`,
      metrics?.model_id?.split(".").at(-1),
    ];
    const note = make("span", { className: "note" }, notes.filter(Boolean).join(" · "));
    const actions = make("div", { className: "actions" }, copyButton(() => this.text, "Copy the answer"), iconButton("Regenerate", ICONS.again, this._onRegenerate), note);
    this._foot.replaceChildren(...(WHY[stop_reason] ? [make("p", { className: "why" }, WHY[stop_reason])] : []), actions);
  }

  /** End the reply with a failure. */
  fail(reason) {
    this._over();
    const again = make("button", { type: "button", onclick: this._onAgain }, "Try again");
    this._foot.replaceChildren(make("div", { className: "failure" }, make("p", {}, reason), again));
  }

  _clear() {
    clearTimeout(this._timer);
    this._timer = 0;
    this._cost = 0;
    this._parts = [];
    this._last = null;
    this._body.replaceChildren();
    this._foot.replaceChildren();
    this._typing.hidden = false;
  }

  _over() {
    this.render();
    this.element.classList.remove("growing");
    this.element.removeAttribute("aria-busy");
    this._typing.hidden = true;
    for (const part of this._parts) part.summary?.replaceChildren(part.name);
  }

  /** Draw what has arrived. */
  render() {
    clearTimeout(this._timer);
    this._timer = 0;
    const began = performance.now();
    for (const part of this._parts) part.render?.();
    this._cost = performance.now() - began;
  }

  /** Draw at most once a frame, and less often when a long block makes drawing slow. */
  _soon() {
    this._timer ||= setTimeout(() => this.render(), Math.max(FRAME_MS, 3 * this._cost));
  }

  _text(text) {
    this._part("text").markdown.append(text);
    this._soon();
  }

  _part(kind, make_ = () => this._words()) {
    if (this._last?.kind !== kind) this._add(kind, make_());
    return this._last;
  }

  _add(kind, part) {
    this._last?.render?.();
    this._last = { kind, ...part };
    this._parts.push(this._last);
    this._typing.hidden = true;
    this._body.append(this._last.element);
  }

  _words() {
    const markdown = new Markdown();
    return { markdown, element: markdown.element, render: () => markdown.render() };
  }

  /** A collapsed part: its summary is `live` while it grows, and `name` afterwards. */
  _fold(kind, name, live = name) {
    const summary = make("summary", {}, live);
    const text = make("pre", { tabIndex: 0 });
    this._add(kind, { name, summary, text, element: make("details", { className: `fold ${kind}` }, summary, text) });
    return text;
  }

  _reasoning({ text, redacted }) {
    if (redacted !== undefined) this._fold("redacted", "Reasoning (redacted by the provider)");
    else if (text) (this._last?.kind === "reasoning" ? this._last.text : this._fold("reasoning", "Reasoning", "Thinking…")).append(text);
  }

  _call({ index, id, name, arguments: pieces }) {
    if (name !== undefined) {
      this._fold("call", `Called the tool ${name}`, `Calling the tool ${name}…`);
      Object.assign(this._last, { id, index });
    } else this._parts.findLast((part) => part.kind === "call" && part.index === index)?.text.append(pieces);
  }

  _result({ content, is_error }) {
    this._fold("result", is_error ? "Tool error" : "Tool result").append(JSON.stringify(content, null, 2));
  }

  _cite(citation) {
    const source = citation.title ?? citation.source ?? "a source";
    this._part("citations", () => ({ element: make("ul", { className: "citations", "aria-label": "Sources" }) }));
    this._last.element.append(make("li", {}, typeof source === "string" ? source : JSON.stringify(source)));
  }

  _block(block) {
    if (block.type === "text") {
      this._add("text", this._words());
      this._text(block.text);
      for (const citation of block.citations ?? []) this._cite(citation);
    } else if (block.type === "reasoning") this._reasoning(block);
    else if (block.type === "tool_use") {
      this._call(block);
      this._last.text.append(block.input_text ?? JSON.stringify(block.input, null, 2));
    } else if (block.type === "tool_result") this._result(block);
  }
}
