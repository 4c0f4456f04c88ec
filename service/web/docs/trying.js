// Tries an operation: sends a request, shows each event when it arrives, and stops the stream.
//
// Swagger UI shows a stream only after its end. Here the body is read as it arrives.

import { find, make } from "../element.js";
import { events } from "../stream.js";

const KEY = "artesian.key"; // shared with the chat page: one key a tab
const MOST = 2000; // events on the page; a browser is slow with more

const QUESTION = "Why is the sky blue?";
const MODEL = "amazon.nova-lite-v1:0";
const NATIVE = { prompt: QUESTION, max_tokens: 200 };
const CHAT = { model: MODEL, messages: [{ role: "user", content: QUESTION }], max_tokens: 200, stream: true };
/** The default requests, to be edited by the user. */
const BODIES = {
  "/api/generate": { ...NATIVE, stream: true },
  "/api/generate/stream": NATIVE,
  "/api/conversations/{conversation_id}/messages": { content: QUESTION, max_tokens: 200, stream: true },
  "/v1/chat/completions": CHAT,
  "/v1/messages": CHAT,
  "/v1/responses": { model: MODEL, input: QUESTION, max_output_tokens: 200, stream: true },
};
const QUERIES = {
  "/api/generate": `?stream=true&max_tokens=200&prompt=${encodeURIComponent(QUESTION)}`,
  "/v1/responses/{response_id}": "?stream=true",
};

/** The panel. `offer(call)` shows an operation in it. */
export class Panel {
  #call = null;
  #running = null;
  #streamId = "";

  constructor() {
    find("key").value = sessionStorage.getItem(KEY) ?? "";
    find("key").addEventListener("change", ({ target }) => keep(target.value.trim()));
    find("try").addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#running) this.#run();
    });
    find("stop").addEventListener("click", () => this.#running?.stop());
    find("body").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find("try").requestSubmit();
    });
  }

  /** Show an operation in the panel, with a default request. */
  offer(call) {
    this.#call = call;
    const query = call.method === "GET" ? (QUERIES[call.path] ?? "") : "";
    find("address").value = call.path.replace("{stream_id}", this.#streamId || "{stream_id}") + query;
    find("body-part").hidden = !call.hasBody;
    find("body").value = call.hasBody ? JSON.stringify(BODIES[call.path] ?? {}, null, 2) : "";
    find("start").disabled = false;
  }

  async #run() {
    const trial = new Trial();
    this.#running = trial;
    find("start").disabled = true;
    find("stop").disabled = false;
    try {
      await trial.run(() => request(this.#call));
    } finally {
      this.#streamId = trial.streamId || this.#streamId;
      this.#running = null;
      find("start").disabled = false;
      find("stop").disabled = true;
    }
  }
}

function keep(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

/** Return the request in the panel's fields. */
function request(call) {
  const headers = new Headers({ Accept: "text/event-stream" });
  if (find("key").value.trim()) headers.set("Authorization", `Bearer ${find("key").value.trim()}`);
  if (call.hasBody) headers.set("Content-Type", "application/json");
  for (const line of find("headers").value.split("\n").filter((each) => each.trim())) {
    const [name, ...value] = line.split(":");
    headers.set(name.trim(), value.join(":").trim());
  }
  const body = call.hasBody ? find("body").value : undefined;
  return { address: find("address").value, options: { method: call.method, headers, body, cache: "no-store" } };
}

/** One request, from its start to its end. */
class Trial {
  streamId = "";
  #abort = new AbortController();
  #began = performance.now();
  #first = null;
  #count = 0;
  #stopped = false;
  #headers = null;

  /** Send the request of `request()`, and show the response. */
  async run(request) {
    find("shown").hidden = true;
    find("events").replaceChildren();
    find("answer").hidden = true;
    say("Waiting for the first event…");
    try {
      const { address, options } = request();
      this.#headers = options.headers;
      const url = new URL(address, location.origin);
      if (url.origin !== location.origin) throw new TypeError("Requests can be sent to this service only.");
      const response = await fetch(url, { ...options, signal: this.#abort.signal });
      this.streamId = response.headers.get("X-Stream-Id") ?? "";
      if (isStream(response)) await this.#follow(response.body);
      else await showAnswer(response);
    } catch (error) {
      say(this.#stopped ? `Stopped. ${this.#figures()}` : `Failed: ${error.message}. ${this.#figures()}`);
    }
  }

  /** Stop the model: the stream then ends. Without a stream yet, disconnect. */
  async stop() {
    this.#stopped = true;
    say("Stopping…");
    if (!this.streamId) return this.#abort.abort();
    const headers = new Headers(this.#headers);
    headers.delete("Content-Type");
    headers.set("Accept", "application/json");
    const stopped = await fetch(`/api/streams/${this.streamId}`, { method: "DELETE", headers }).catch(() => null);
    if (!stopped?.ok) this.#abort.abort();
  }

  async #follow(body) {
    find("shown").hidden = false;
    for await (const event of events(body)) {
      const at = performance.now() - this.#began;
      this.#first ??= at;
      this.#count += 1;
      if (this.#count === 1) say("Streaming…");
      showEvent(event, at);
    }
    say(`${this.#stopped ? "Stopped." : "Complete."} ${this.#figures()}`);
  }

  #figures() {
    if (!this.#count) return "No event was received.";
    const took = seconds(performance.now() - this.#began);
    return `${this.#count} ${this.#count === 1 ? "event" : "events"} in ${took}, the first after ${seconds(this.#first)}.`;
  }
}

const isStream = (response) => (response.headers.get("Content-Type") ?? "").startsWith("text/event-stream");
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;

function say(words) {
  find("state").textContent = words;
}

/** Add an event to the list, and scroll to the end unless the user has scrolled away. */
function showEvent({ name, id, data }, at) {
  const shown = find("shown");
  const atEnd = shown.scrollHeight - shown.scrollTop - shown.clientHeight < 40;
  const list = find("events");
  list.append(
    make(
      "li",
      {},
      make("span", { className: "when" }, seconds(at)),
      make("span", { className: "number" }, id.split("-").at(-1)),
      make("code", { className: "name" }, name),
      make("code", { className: "data" }, data),
    ),
  );
  if (list.childElementCount > MOST) list.firstElementChild.remove();
  if (atEnd) shown.scrollTop = shown.scrollHeight;
}

/** Show a response that is not a stream: an error, or JSON. */
async function showAnswer(response) {
  const text = await response.text();
  const type = response.headers.get("Content-Type") ?? "";
  find("answer").textContent = type.includes("json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
  find("answer").hidden = text === "";
  find("shown").hidden = text === "";
  say(response.ok ? `The response has status ${response.status} and is not a stream.` : `Rejected with status ${response.status}.`);
  if (response.status === 401) {
    find("key").closest("details").open = true;
    find("key").focus();
  }
}
