// The conversation on the page: it is opened, messages are sent in it, its answers are followed and stopped.

import { ask, askJson, Failure, reasonOf, Refusal } from "./api.js";
import { follow } from "./stream.js";

const POLL_MS = 1500; // between two looks at a reply whose process died
const MAX_POLLS = 12;
const DELETED = "This conversation was deleted. Try again to send the message in a new conversation.";
const NOT_REPLACED = "The message that this one replaces was deleted. Try again to send it as a new message.";

/**
 * The chat. `parts` are transcript, composer, status, models, settings and outbox. `onChange(conversation)` is called
 * when the conversation or its title changes, `onStored()` when the service has stored a message or an answer.
 *
 * A run is one request for an answer, with the message that it sends or null. It keeps the conversation that it began
 * in: when the page shows another one, the run is detached and continues until the service has stored its message.
 */
export class Chat {
  constructor(parts, { onChange, onStored }) {
    Object.assign(this, parts);
    this._onChange = onChange;
    this._onStored = onStored;
    this._inFlight = new Set();
    this._ready = Promise.resolve(); // the last opening, or what followed the last run
    this._clear();
  }

  get path() {
    return pathOf(this.id);
  }

  /** Show a new conversation, with the messages that could not be sent in one. */
  reset() {
    this._detach();
    this._clear();
    this._ready = Promise.resolve();
    this.settings.show({});
    this.status.clear();
    this._show(NEW);
  }

  /** Show a conversation, and follow its running reply, if any. */
  open(id) {
    this._detach();
    if (this.id !== id) {
      this._clear();
      this.id = id;
      this.transcript.clear();
    }
    this.status.clear();
    const reading = this._read(id);
    this._ready = reading;
    return reading.then((conversation) => {
      if (conversation?.answering && !this._run && this.id === id) return this._followRunning(conversation);
    });
  }

  /** Show what another tab has changed. */
  async refresh() {
    if (!this.id || this._run) return;
    const id = this.id;
    const conversation = await askJson(this.path);
    if (this.id === id && !this._run && conversation.updated_at !== this._updated) await this.open(id);
  }

  /** Send a message; false while a reply is running. `edited` is the message that it replaces. */
  send(content, mode, edited = null) {
    if (this._run) return false;
    const replaces = edited?.state === "stored" ? edited.id : (edited?.replaces ?? null);
    const created = edited?.created ?? false;
    const message = this.outbox.add({ conversation: this.id, content, mode, replaces, created });
    if (edited?.state === "refused") this.discard(edited);
    this._deliver(message, edited);
    return true;
  }

  /** Generate the answer to a stored message again. */
  async regenerate(message) {
    if (this._run) return;
    if (!message?.id) await this.again(message); // the page does not know yet what is stored
    else await this._regenerate(message.id, "stream");
  }

  /** Remove a message that was not sent. */
  discard(message) {
    this.outbox.remove(message);
    this.transcript.remove(message);
  }

  /** Stop the answer. The text that has arrived stays. */
  async stop() {
    const run = this._run;
    if (!run) return;
    run.streamId ??= await this._streamOf(run);
    if (run.streamId) await ask(`/api/streams/${run.streamId}`, { method: "DELETE" });
  }

  /** Try again after a failure: follow an answer that is still running, else send again what is not answered. */
  async again(message) {
    if (this._run) return;
    await this._ready.catch(() => {}); // its failure is on the page already
    const id = this.id;
    const conversation = id ? await askJson(this.path) : NEW;
    if (this._run || this.id !== id) return;
    this._ready = Promise.resolve();
    this._show(conversation);
    if (conversation.answering) return this._followRunning(conversation);
    if (message && message.state !== "stored") return this._deliver(message);
    const last = this._messages.at(-1);
    const asked = this._messages.findLast(({ role }) => role === "user");
    if (last?.status === "complete" && last.id !== this._regenerated) this.status.end(last);
    else if (asked) await this._regenerate(asked.id, this._mode);
  }

  /** Show that a conversation does not exist any more. Its unsent messages move to a new one. */
  forget(id) {
    this.outbox.orphan(id);
    if (this.id === id) this.reset();
  }

  async _read(id) {
    const conversation = await askJson(pathOf(id));
    if (this.id !== id) return null;
    this.settings.show(conversation);
    if (conversation.model_id) this.models.choose(conversation.model_id);
    this._show(conversation);
    return conversation;
  }

  async _deliver(message, edited = null) {
    Object.assign(message, { state: "sending", reason: null });
    this.outbox.save();
    this._mode = message.mode;
    const run = this._begin(message, message.mode);
    if (message.replaces) this.transcript.cut(message.replaces);
    this.transcript.remove(message); // an attempt before this one
    this.transcript.addMessage(message);
    run.reply = this.transcript.addReply(message);
    await this._perform(run, async () => {
      await run.ready;
      if (edited && edited.state !== "refused") await this._takePlaceOf(edited, message);
      run.conversation = message.conversation;
      if (!run.conversation) await this._create(run);
      else if (!run.detached) message.after = this._idBefore(message.replaces);
      const { content, replaces } = message;
      const body = { content, ...(replaces ? { replaces } : {}), ...run.parameters };
      await this._generate(run, body, this._keyOf(message, body));
    });
  }

  async _regenerate(id, mode) {
    this._regenerated = this._messages.at(-1)?.id;
    const run = this._begin(null, mode);
    this.transcript.cut(id, { keep: true });
    run.reply = this.transcript.addReply();
    await this._perform(run, async () => {
      await run.ready;
      await this._generate(run, { replaces: id, ...run.parameters }, randomKey());
    });
  }

  /** Follow an answer that began before this page was loaded, or in another tab. */
  async _followRunning(conversation) {
    const run = this._begin(null, "stream");
    run.streamId = conversation.answering;
    run.reply = this.transcript.growReply(conversation.messages.at(-1).id);
    await this._perform(run, async () => {
      try {
        await this._follow(run, { streamId: run.streamId });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        await this._waitForEnd(run); // the stream is gone, but the conversation has what was stored of it
      }
    });
  }

  /** Make an edited message replace its unconfirmed original, where the service has stored that. */
  async _takePlaceOf(original, message) {
    if (original.conversation && !original.id) {
      const conversation = await askJson(pathOf(original.conversation));
      if (original.state === "stored") original.id = findPair(conversation.messages, original.streamId).asked?.id ?? null;
      else this.outbox.reconcile(conversation);
    }
    if (original.state === "stored") message.replaces = original.id;
    else Object.assign(message, { conversation: original.conversation, created: original.created });
    this.discard(original);
  }

  /** Create the conversation for its first message. */
  async _create(run) {
    const body = { ...run.ofConversation, model_id: run.parameters.model_id };
    const created = await askJson("/api/conversations", { method: "POST", body });
    run.conversation = created.id;
    Object.assign(run.message, { conversation: created.id, created: true, after: null });
    this.outbox.save();
    if (run.detached) return;
    this.id = created.id;
    this._onChange(created);
  }

  /** Send a request for an answer, and show the answer. */
  async _generate(run, body, key) {
    const request = { method: "POST", body: { ...body, stream: run.mode === "stream" }, headers: { "Idempotency-Key": key } };
    const begin = async (signal) => {
      const response = await ask(`${pathOf(run.conversation)}/messages`, { ...request, signal });
      this._stored(run, response.headers.get("X-Stream-Id"));
      return response;
    };
    if (run.mode === "stream") return this._follow(run, { begin });
    this.status.begin("Waiting for the complete response…");
    const response = await retried(() => begin(run.aborter.signal), run.aborter.signal);
    const answer = await response.json();
    if (run.detached) return;
    run.reply.show({ ...answer, status: "complete" });
    this.status.end(answer);
  }

  _follow(run, from) {
    return follow({
      ...from,
      signal: run.aborter.signal,
      onState: (state, tries) => run.detached || this.status.connection(state, tries),
      onEvent: (name, event) => {
        if (run.detached) return;
        run.reply.take(name, event);
        this.status.take(name, event);
      },
    });
  }

  _begin(message, mode) {
    const run = {
      message,
      mode,
      conversation: this.id,
      ofConversation: this.settings.ofConversation,
      parameters: { ...this.settings.parameters, model_id: this.models.chosen ?? undefined },
      ready: this._ready.then((opened) => opened?.model_id && (run.parameters.model_id = opened.model_id)),
      aborter: new AbortController(),
      streamId: null,
      stored: message === null,
      detached: false,
    };
    this._run = run;
    if (message) this._inFlight.add(message);
    this.composer.answering(true);
    this.status.begin();
    return run;
  }

  /** Do the work of a run, show its failure, and find out what the service has stored. */
  async _perform(run, work) {
    let failure = null;
    try {
      await work();
    } catch (error) {
      if (!run.aborter.signal.aborted) failure = error;
    }
    const reason = failure && reasonOf(failure);
    if (failure && !run.detached) {
      run.reply.fail(reason);
      this.status.fail(reason);
    }
    const settled = this._settle(run, failure, reason);
    if (this._run === run) {
      this._run = null;
      this._ready = settled;
      this.composer.answering(false);
    }
    await settled;
    this._onStored();
  }

  _stored(run, streamId) {
    run.streamId = streamId;
    run.stored = true;
    if (run.message) {
      Object.assign(run.message, { state: "stored", streamId });
      this.outbox.remove(run.message);
      this.transcript.confirm(run.message);
    }
    this._onStored();
    if (run.detached) run.aborter.abort();
  }

  /** Set the ids of the stored pair; a message that the conversation does not contain is refused or unconfirmed. */
  async _settle(run, failure, reason) {
    const { message, conversation: id } = run;
    if (message) this._inFlight.delete(message);
    const found = id ? await lookUp(id) : { conversation: NEW };
    if (found.conversation) this.outbox.reconcile(found.conversation);
    if (message && message.state !== "stored" && failure) await this._keepUnsent(run, found, failure, reason);
    if (found.gone && message && message.state === "sending") {
      this.forget(id);
      if (!run.detached) this.status.fail(DELETED);
    }
    if (run.detached) return this._redrawAfter(run, failure, reason);
    if (this._run || this.id !== id || !found.conversation || !id) return;
    if (failure instanceof Refusal) this._show(found.conversation);
    else this._name(run, found.conversation);
  }

  /** Keep a message that was not stored, with the reason. Its conversation is deleted if it was created for it. */
  async _keepUnsent(run, { conversation, gone }, failure, reason) {
    const { message } = run;
    const refused = failure instanceof Refusal && failure.code !== "";
    if (gone) message.reason = DELETED;
    else if (refused && failure.code === "not_found" && message.replaces) {
      Object.assign(message, { replaces: null, reason: NOT_REPLACED });
    } else message.reason = reason;
    if ((refused && conversation) || !run.conversation) message.state = "refused";
    this.outbox.save();
    if (!this.outbox.survives(message)) message.reason += " This message is too large to survive a reload of the page.";
    if (!run.detached) run.reply.fail(message.reason);
    if (message.state === "refused" && message.created && isEmpty(conversation)) await this._deleteEmpty(run);
  }

  async _deleteEmpty(run) {
    const { conversation: id, detached } = run;
    if (detached && this.id === id) return; // the user has opened it meanwhile
    try {
      await askJson(pathOf(id), { method: "DELETE" });
    } catch {
      return; // it stays, and the next attempt sends the message in it
    }
    this.outbox.orphan(id);
    if (this.id !== id) return;
    this.id = null;
    this._onChange(NEW);
  }

  /** Show the result of a run that the page did not show, if it now shows its conversation. */
  async _redrawAfter(run, failure, reason) {
    if (this._run) return;
    const conversation = run.message ? run.message.conversation : run.conversation;
    if (this.id === null && conversation === null) this.reset();
    else if (this.id === conversation) await this.open(conversation).catch((error) => this.status.fail(reasonOf(error)));
    else if (failure && run.message) this.status.fail(`A message in another conversation was not sent: ${reason}`);
  }

  _name(run, conversation) {
    this._remember(conversation);
    const { asked, reply } = findPair(conversation.messages, run.streamId);
    if (run.message && asked) run.message.id = asked.id;
    if (reply) this.transcript.name(run.reply, asked?.id, reply.id);
  }

  /** The id of the stored message before the one that is replaced, or of the last one. */
  _idBefore(replaced) {
    const at = replaced ? this._messages.findIndex(({ id }) => id === replaced) : this._messages.length;
    return at < 0 ? undefined : (this._messages[at - 1]?.id ?? null);
  }

  /** The key with which the service recognises a message that is sent twice: a changed request needs another one. */
  _keyOf(message, { content, ...parameters }) {
    const sent = JSON.stringify(parameters);
    if (message.parameters !== sent) Object.assign(message, { parameters: sent, key: randomKey() });
    this.outbox.save();
    return message.key;
  }

  async _waitForEnd(run) {
    for (let n = 0; n < MAX_POLLS && !run.detached; n += 1) {
      const conversation = await askJson(pathOf(run.conversation));
      if (!conversation.answering && !run.detached) return this._show(conversation);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Failure("The answer can no longer be followed.");
  }

  /** Find the stream of a complete response: its conversation names it once the generation has begun. */
  async _streamOf(run) {
    while (this._run === run) {
      if (run.conversation) {
        const { answering } = await askJson(pathOf(run.conversation));
        if (answering) return answering;
      }
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    return null;
  }

  _show(conversation) {
    if (conversation.id) this.outbox.reconcile(conversation);
    this._remember(conversation);
    const unsent = this.outbox.of(this.id).filter((message) => message !== this._run?.message);
    this.transcript.show(conversation.messages, this._earlier(conversation.next_cursor));
    for (const message of unsent) {
      this.transcript.addMessage(message);
      const reply = this.transcript.addReply(message);
      if (!this._inFlight.has(message)) reply.fail(message.reason ?? UNCONFIRMED);
    }
    if (this._run?.message) this.transcript.append(this._run.message, this._run.reply);
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

  /** Stop showing the run. A message that is not stored yet is sent all the same. */
  _detach() {
    const run = this._run;
    this.composer.stopEditing();
    if (!run) return;
    run.detached = true;
    if (run.stored) run.aborter.abort();
    this._run = null;
    this.composer.answering(false);
  }

  _clear() {
    Object.assign(this, { id: null, _run: null, _messages: [], _updated: null, _regenerated: null, _mode: "stream" });
  }
}

const NEW = { id: null, title: null, messages: [], next_cursor: null };
const UNCONFIRMED = "The page was reloaded before the service confirmed this message.";

function pathOf(id) {
  return `/api/conversations/${id}`;
}

/** Read a conversation after a run: `gone` when it does not exist, neither when the service cannot tell. */
async function lookUp(id) {
  try {
    return { conversation: await askJson(pathOf(id)) };
  } catch (error) {
    return { gone: error instanceof Refusal && isGone(error) };
  }
}

/** Whether a refusal says that the conversation does not exist. */
export function isGone({ status }) {
  return status === 404 || status === 400;
}

function isEmpty(conversation) {
  return conversation?.id && conversation.messages.length === 0 && !conversation.answering;
}

/** Find the pair of messages whose reply is a stream. */
function findPair(messages, streamId) {
  const at = messages.findIndex((message) => message.role === "assistant" && message.stream_id === streamId);
  return at < 0 ? {} : { asked: messages[at - 1], reply: messages[at] };
}

/** Repeat a request while the network is down. Its `Idempotency-Key` makes sure that it takes effect once. */
async function retried(request, signal) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof TypeError) || signal.aborted || attempt >= 5) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
    }
  }
}

/** A random key; `crypto.randomUUID` exists on pages served over HTTPS only. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16).padStart(8, "0")).join("");
}
