// The conversation that is shown: it is read, said something in, followed while it is answered, and stopped.

import { ask, askJson, Refusal } from "./api.js";
import { Broken, follow } from "./stream.js";

const ANEW_MS = 1500; // until a reply whose process died is looked for again
const TRIES = 12;

/** A chat. `parts` are the page's: transcript, composer, status, models, settings; `onChange` is told of the conversation, `onBegun` of an answer. */
export class Chat {
  constructor(parts, { onChange, onBegun }) {
    Object.assign(this, parts);
    this._onChange = onChange;
    this._onBegun = onBegun;
    this.id = null;
    this._running = null;
    this._messages = [];
  }

  get path() {
    return `/api/conversations/${this.id}`;
  }

  /** Leave what is shown and begin with nothing. What is being answered goes on without us. */
  reset() {
    this._leave();
    this.id = null;
    this._show({ title: null, messages: [], next_cursor: null });
    this.settings.show({});
    this.status.clear();
  }

  /** Show a conversation, and follow it where it is being answered. */
  async open(id) {
    this._leave();
    this.id = id;
    this.status.clear();
    const conversation = await askJson(this.path);
    if (this.id !== id) return;
    this._show(conversation);
    this.settings.show(conversation);
    if (conversation.model_id) this.models.choose(conversation.model_id);
    if (conversation.answering) await this._followRunning(conversation);
  }

  /** Look whether something was said elsewhere, in another tab perhaps. */
  async refresh() {
    if (!this.id || this._running) return;
    const id = this.id;
    const conversation = await askJson(this.path);
    if (this.id === id && !this._running && conversation.updated_at !== this._updated) await this.open(id);
  }

  /** Say something, or say a message anew. `mode` is "stream" or "complete". */
  async send(content, mode, replaces = null) {
    if (this._running) return;
    if (replaces) this.transcript.cut(replaces, { keep: content === null });
    if (content) this.transcript.say(content);
    const sent = { content, mode, replaces, known: new Set(this._messages.map((message) => message.id)) };
    await this._answer(sent, async (run) => {
      await this._begin();
      const body = { ...(content ? { content } : {}), ...(replaces ? { replaces } : {}), ...this.settings.parameters };
      body.model_id = this.models.chosen ?? undefined;
      body.stream = mode === "stream";
      const key = { "Idempotency-Key": unique() };
      const say = (signal) => ask(`${this.path}/messages`, { method: "POST", body, headers: key, signal });
      if (body.stream) await this._follow(run, { begin: say });
      else await this._whole(run, say);
    });
  }

  /** Have the last message answered anew. */
  regenerate(id) {
    return this.send(null, "stream", id);
  }

  /** Stop the answer. What has come stays. */
  async stop() {
    const run = this._running;
    if (!run) return;
    run.streamId ??= await this._streamOf(run);
    if (run.streamId) await ask(`/api/streams/${run.streamId}`, { method: "DELETE" });
  }

  /** Try again after a failure: follow what goes on after all, or say again what was not answered. */
  async again() {
    try {
      await this._again();
    } catch (error) {
      this.status.fail(reasonOf(error));
    }
  }

  async _again() {
    const { content, mode, replaces, known } = this._sent ?? {};
    const conversation = this.id ? await askJson(this.path) : { messages: [], next_cursor: null };
    this._show(conversation);
    if (conversation.answering) return this._followRunning(conversation);
    const end = this._messages.at(-1);
    if (end?.status === "complete" && end.role === "assistant" && !known?.has(end.id)) return this.status.end(end);
    const last = this._messages.findLast((message) => message.role === "user");
    if (last && !known?.has(last.id)) return this.send(null, mode ?? "stream", last.id); // it was kept, but not answered
    if (!content) return replaces && this.send(null, mode, replaces);
    return this.send(content, mode, replaces);
  }

  /** Make the conversation, where there is none yet. */
  async _begin() {
    if (this.id) return;
    const body = { ...this.settings.ofConversation, model_id: this.models.chosen };
    const made = await askJson("/api/conversations", { method: "POST", body });
    this.id = made.id;
    this._onChange(made);
  }

  /** Run one answer on the page, from "Connecting…" to its end. */
  async _answer(sent, work) {
    const run = { reply: this.transcript.reply(), aborter: new AbortController(), streamId: null };
    this._running = run;
    this._sent = sent;
    this.composer.answering(true);
    this.status.begin();
    try {
      await work(run);
    } catch (error) {
      if (run.aborter.signal.aborted) return;
      const reason = reasonOf(error);
      run.reply.fail(reason);
      this.status.fail(reason);
    } finally {
      if (this._running === run) {
        this._running = null;
        this.composer.answering(false);
        await this._settle();
      }
    }
  }

  async _follow(run, from) {
    await follow({
      ...from,
      signal: run.aborter.signal,
      onState: (state, tries) => this.status.connection(state, tries),
      onEvent: (name, data) => {
        if (name === "start") this._begun(run, data.stream_id);
        run.reply.take(name, data);
        this.status.take(name, data);
      },
    });
  }

  _begun(run, streamId) {
    run.streamId = streamId;
    this._onBegun();
  }

  async _whole(run, say) {
    this.status.begin("Waiting for the whole answer…");
    const answer = await (await retried(() => say(run.aborter.signal), run.aborter.signal)).json();
    run.reply.show({ ...answer, status: "complete" });
    this.status.end(answer);
  }

  /** Follow a reply that somebody began: this page before it was loaded again, or another tab. */
  async _followRunning(conversation) {
    const asked = this._messages.at(-2);
    if (asked) this.transcript.cut(asked.id, { keep: true });
    await this._answer(null, async (run) => {
      run.streamId = conversation.answering;
      try {
        await this._follow(run, { streamId: run.streamId });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        await this._waitUntilSettled(run); // the stream is lost, but what was kept of it will be found
      }
    });
  }

  async _waitUntilSettled(run) {
    for (let n = 0; n < TRIES && this._running === run; n += 1) {
      const conversation = await askJson(this.path);
      if (!conversation.answering) return this._show(conversation);
      await new Promise((resolve) => setTimeout(resolve, ANEW_MS));
    }
    throw new Broken("The answer cannot be followed any more.", run.streamId, 0);
  }

  /** Find the stream of an answer that comes in one piece: the conversation knows it once it has begun. */
  async _streamOf(run) {
    while (this._running === run) {
      if (this.id) {
        const { answering } = await askJson(this.path);
        if (answering) return answering;
      }
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    return null;
  }

  /** Take over what the service calls things, once an answer is over. */
  async _settle() {
    if (!this.id) return;
    try {
      const conversation = await askJson(`${this.path}?limit=200`);
      this._remember(conversation);
      this.transcript.name(conversation.messages);
    } catch {
      // Without a connection the names come with the next answer, or with "Try again".
    }
  }

  _show(conversation) {
    this._remember(conversation);
    this.transcript.show(conversation.messages, this._earlier(conversation.next_cursor));
  }

  _remember(conversation) {
    this._messages = conversation.messages;
    this._updated = conversation.updated_at;
    this._onChange(conversation);
  }

  _earlier(cursor) {
    if (!cursor) return null;
    return async () => {
      const page = await askJson(`${this.path}?cursor=${encodeURIComponent(cursor)}`);
      return { messages: page.messages, earlier: this._earlier(page.next_cursor) };
    };
  }

  _leave() {
    this._running?.aborter.abort();
    this._running = null;
    this._sent = null;
    this.composer.answering(false);
  }
}

/** Say a failure in a sentence. */
function reasonOf(error) {
  if (error instanceof Refusal || error instanceof Broken) return error.message;
  if (error instanceof TypeError) return "The service cannot be reached."; // what fetch throws without a connection
  console.error(error);
  return "Something went wrong on this page.";
}

/** Try again while there is no connection: the key lets the service know the question again. */
async function retried(request, signal) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof TypeError) || signal.aborted || tries >= 5) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** tries));
    }
  }
}

/** A word that nobody else has; `crypto.randomUUID` is there on secure pages only. */
function unique() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16).padStart(8, "0")).join("");
}
