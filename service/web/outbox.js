// The messages that were sent and that the service has not stored. The tab keeps them, so that they survive a reload.
//
// A message is a draft in the message box, then `sending`, then `stored` or `refused`. Only a stored message has an `id`,
// the one that the service gave it. A message that is `sending` while no request is under way was not confirmed: the
// connection broke or the page was reloaded, and only the conversation can tell whether it is stored.

const STORAGE_KEY = "artesian.unsent";
const MAX_CHARACTERS = 4_000_000; // of about five million that a browser keeps for one tab
const MAX_MESSAGES = 50;

/** The outbox of this tab. */
export class Outbox {
  constructor() {
    this._messages = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "[]");
    this._whole = new Set();
  }

  /** The unsent messages of a conversation; null stands for a conversation that does not exist yet. */
  of(conversation) {
    return this._messages.filter((message) => message.conversation === conversation);
  }

  /** Add a message that is about to be sent. `replaces` is the id of the stored message that it edits. */
  add({ conversation, content, mode, replaces, created }) {
    const message = { conversation, content, mode, replaces, created, state: "sending", id: null, reason: null };
    this._messages.push(message);
    this.save();
    return message;
  }

  /** Remove a message that was stored or discarded. */
  remove(message) {
    this._messages = this._messages.filter((other) => other !== message);
    this.save();
  }

  /** Remove the messages of a conversation that the user deleted. */
  removeAll(conversation) {
    this._messages = this._messages.filter((message) => message.conversation !== conversation);
    this.save();
  }

  /** Move the messages of a conversation that does not exist any more to the next new one. */
  orphan(conversation) {
    for (const message of this.of(conversation)) {
      Object.assign(message, { conversation: null, created: false, replaces: null, state: "refused" });
    }
    this.save();
  }

  /** Mark the messages that a conversation contains as stored. */
  reconcile({ id, messages }) {
    for (const message of this.of(id)) {
      const stored = message.state === "sending" ? findStored(message, messages) : null;
      if (!stored) continue;
      Object.assign(message, { state: "stored", id: stored.id });
      this.remove(message);
    }
  }

  /** Whether a message survives a reload with its images. */
  survives(message) {
    return this._whole.has(message);
  }

  /** Write the messages to the tab's storage: above the limit the oldest lose their images first, then their text. */
  save() {
    const kept = this._messages.slice(-MAX_MESSAGES);
    const copies = kept.map((message) => ({ ...message }));
    for (const copy of copies) if (sizeOf(copies) > MAX_CHARACTERS) removeImages(copy);
    while (sizeOf(copies) > MAX_CHARACTERS) {
      copies.shift();
      kept.shift();
    }
    this._whole = new Set(kept.filter((message, n) => copies[n].content === message.content));
    try {
      sessionStorage.setItem(STORAGE_KEY, JSON.stringify(copies));
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      this._whole.clear(); // the messages stay on the page, and say that they do not survive a reload
    }
  }
}

function sizeOf(messages) {
  return JSON.stringify(messages).length;
}

function removeImages(message) {
  const kept = message.content.filter((block) => block.type === "text");
  const missing = message.content.length - kept.length;
  if (missing) Object.assign(message, { content: kept, missing: (message.missing ?? 0) + missing });
}

/** Find an unconfirmed message among the messages of its conversation: after the one that preceded it, with its text. */
function findStored(message, messages) {
  if (message.streamId) {
    const reply = messages.findIndex((other) => other.stream_id === message.streamId);
    return messages[reply - 1];
  }
  if (message.after === undefined) return null;
  const before = messages.findIndex((other) => other.id === message.after);
  if (message.after !== null && before < 0) return null;
  return messages
    .slice(before + 1)
    .find((other) => other.role === "user" && other.id !== message.replaces && sameContent(other, message));
}

function sameContent(one, other) {
  const images = ({ content, missing = 0 }) => content.filter((block) => block.type === "image").length + missing;
  return textOf(one.content) === textOf(other.content) && images(one) === images(other);
}

/** The text of a message's content blocks. */
export function textOf(content) {
  return content.filter((block) => block.type === "text").map((block) => block.text).join("\n\n");
}
