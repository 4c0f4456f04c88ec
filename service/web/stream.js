// Follows a stream of the service to its end, over as many connections as it takes.
//
// EventSource can neither POST nor send a key, so this is fetch and a reader of Server-Sent Events. A connection that
// breaks is made again with the id of the last event seen: the service goes on there, and no question is asked twice.

import { ask, Refusal } from "./api.js";

const PAUSES_MS = [0, 500, 1000, 2000, 4000, 5000, 5000, 5000, 5000, 5000];

/** The stream could not be followed to its end; `streamId` is where to come back to, if it had begun. */
export class Broken extends Error {
  constructor(message, streamId, last) {
    super(message);
    this.streamId = streamId;
    this.last = last;
  }
}

/**
 * Follow a stream.
 *
 * `begin(signal)` opens it anew, and may be called again while no event has come: it has to be a call that the service
 * knows again. Without it `streamId` and `after` say where to go on. `onEvent(name, data)` is told each event,
 * `onState(state, detail)` what becomes of the connection.
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
    if (tries > PAUSES_MS.length) throw new Broken("The connection was lost and could not be made again.", seen.id, seen.n);
    await pause(PAUSES_MS[tries - 1], signal);
  }
}

function open(begin, seen, signal) {
  if (!seen.id) return begin(signal);
  const headers = { Accept: "text/event-stream", ...(seen.n ? { "Last-Event-ID": `${seen.id}-${seen.n}` } : {}) };
  return ask(`/api/streams/${seen.id}`, { headers, signal });
}

/** Read one connection's events. Gives "end", "reconnect" (the service asks for it) or "cut". */
async function read(response, seen, onEvent, onFirst) {
  seen.id ??= response.headers.get("X-Stream-Id");
  let outcome = "cut";
  try {
    for await (const event of events(response.body)) {
      if (outcome !== "cut") continue; // nothing but the connection's end can follow
      if (event.name === "reconnect") outcome = "reconnect";
      else if (take(event, seen, onEvent, onFirst)) outcome = "end";
    }
  } catch (error) {
    if (outcome === "cut") throw error;
  }
  return outcome;
}

/** Pass an event on, once. Gives whether it is the stream's last. */
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

/** Read Server-Sent Events (WHATWG HTML, section 9.2.6) from a response's body. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = { name: "message", id: "", data: [] };
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n"); // our service ends its lines so
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (event.data.length) yield { name: event.name, id: event.id, data: event.data.join("\n") };
          event = { name: "message", id: event.id, data: [] };
        } else takeLine(event, line);
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // it may be broken already
  }
}

function takeLine(event, line) {
  const at = line.indexOf(":");
  if (at === 0) return; // a comment: the service is alive
  const field = at < 0 ? line : line.slice(0, at);
  const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
  if (field === "data") event.data.push(value);
  else if (field === "event") event.name = value;
  else if (field === "id") event.id = value;
}

/** Wait, but no longer than until the network is back. */
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
