// Follows a stream of the service to its end, and reconnects when the connection breaks.
//
// EventSource can neither POST nor send a key, so this uses fetch and its own parser of Server-Sent Events. A reconnect
// names the last event received: the service resumes after it, and the model is not called again.

import { ask, Failure, Refusal } from "./api.js";

const PAUSES_MS = [0, 500, 1000, 2000, 4000, 5000, 5000, 5000, 5000, 5000];


/**
 * Follow a stream.
 *
 * `begin(signal)` opens it. It is called again while no event has arrived, so its request needs an `Idempotency-Key`.
 * Without it `streamId` and `after` say where to resume. `onEvent(name, data)` is called for each event,
 * `onState(state, attempt)` when the connection changes.
 */
export async function follow({ begin, streamId, after = 0, onEvent, onState, signal }) {
  const seen = { id: streamId, n: after };
  for (let tries = 0; ; ) {
    try {
      onState(tries ? "reconnecting" : "connecting", tries);
      const response = await open(begin, seen, signal);
      if (response.status === 204) return;
      if (tries) onState("resumed", tries);
      const before = seen.n;
      const outcome = await read(response, seen, onEvent, () => (tries = 0));
      if (outcome === "end") return;
      if (outcome === "reconnect" || seen.n > before) tries = 0;
    } catch (error) {
      if (signal?.aborted) throw error;
      if (error instanceof Refusal && !(error.status >= 500 && seen.id)) throw error;
    }
    tries += 1;
    if (tries > PAUSES_MS.length) throw new Failure("The connection was lost and could not be restored.");
    await pause(PAUSES_MS[tries - 1], signal);
  }
}

function open(begin, seen, signal) {
  if (!seen.id) return begin(signal);
  const headers = { Accept: "text/event-stream", ...(seen.n ? { "Last-Event-ID": `${seen.id}-${seen.n}` } : {}) };
  return ask(`/api/streams/${seen.id}`, { headers, signal });
}

/** Read the events of one connection. Returns "end", "reconnect" (the service asks for it) or "cut". */
async function read(response, seen, onEvent, onFirst) {
  seen.id ??= response.headers.get("X-Stream-Id");
  let outcome = "cut";
  try {
    for await (const event of events(response.body)) {
      if (outcome !== "cut") continue; // only the end of the connection can follow
      if (event.name === "reconnect") outcome = "reconnect";
      else if (take(event, seen, onEvent, onFirst)) outcome = "end";
    }
  } catch (error) {
    if (outcome === "cut") throw error;
  }
  return outcome;
}

/** Pass an event on, once. Returns whether it is the last one of the stream. */
function take(event, seen, onEvent, onFirst) {
  const [id, n] = split(event.id);
  if (id === seen.id && n <= seen.n) return false;
  seen.id = id ?? seen.id;
  seen.n = n ?? seen.n;
  onFirst();
  const data = JSON.parse(event.data);
  onEvent(event.name, data);
  return event.name === "message" && Boolean(data.done || data.error);
}

function split(id) {
  const at = id.lastIndexOf("-");
  return at < 0 ? [] : [id.slice(0, at), Number(id.slice(at + 1))];
}

/** Parse Server-Sent Events (WHATWG HTML, section 9.2.6) from the body of a response. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = { name: "message", id: "", data: [] };
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n"); // the service ends its lines with LF alone
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (event.data.length) yield { name: event.name, id: event.id, data: event.data.join("\n") };
          event = { name: "message", id: event.id, data: [] };
        } else takeLine(event, line);
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // the connection may be broken already
  }
}

function takeLine(event, line) {
  const at = line.indexOf(":");
  if (at === 0) return; // a comment, sent as a heartbeat
  const field = at < 0 ? line : line.slice(0, at);
  const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
  if (field === "data") event.data.push(value);
  else if (field === "event") event.name = value;
  else if (field === "id") event.id = value;
}

/** Wait, or until the network is back if that is sooner. */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener("online", end);
      signal?.aborted ? reject(signal.reason) : resolve();
    };
    const timer = setTimeout(end, ms);
    window.addEventListener("online", end);
    signal?.addEventListener("abort", end, { once: true });
  });
}
