// The messages on the page, and the scroll position in them.

import { reasonOf } from "./api.js";
import { copyButton, find, iconButton, ICONS, make } from "./element.js";
import { textOf } from "./outbox.js";
import { Reply } from "./reply.js";

const NEAR_PX = 80; // this close to the end, the view follows a growing answer

/**
 * The transcript. `actions` are called by the buttons of a message: `edit(message)`, `discard(message)`,
 * `regenerate(message)`, `again(message)`. Each gets the user's message; only a stored one has an id.
 */
export class Transcript {
  constructor(actions) {
    this._actions = actions;
    this._list = find("transcript");
    this._scroller = find("scroller");
    this._toEnd = find("to-end");
    this._follows = true;
    this._top = 0;
    this._messages = new WeakMap(); // the user's message that an article shows or answers
    this._scroller.addEventListener("scroll", () => this._look(), { passive: true });
    this._toEnd.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this._follows && this.toEnd()).observe(this._list);
    new ResizeObserver(() => this._follows && this.toEnd()).observe(this._scroller);
  }

  /** Remove all messages while a conversation is loading. */
  clear() {
    this._list.replaceChildren();
    find("welcome").hidden = true;
  }

  /** Show stored messages in place of the present ones. */
  show(messages, earlier) {
    this._list.replaceChildren(...(earlier ? [this._earlier(earlier)] : []), ...this._drawAll(messages));
    this._welcome();
    this.toEnd();
  }

  /** Add a message of the user that is not stored yet. */
  addMessage(message) {
    const element = this._user(message);
    element.classList.add("unsent");
    this._add(element);
  }

  /** Add the reply to a message, or to the last one, before its text arrives. */
  addReply(message = null) {
    const reply = this._newReply(message ?? this._messages.get(this._list.lastElementChild)).begin();
    reply.element.classList.toggle("unsent", message !== null);
    this._add(reply.element);
    return reply;
  }

  /** Replace a stored reply by one that grows. */
  growReply(id) {
    const stored = this._element(id);
    const reply = this._newReply(this._messages.get(stored)).begin();
    reply.element.dataset.id = id;
    stored.replaceWith(reply.element);
    this.toEnd();
    return reply;
  }

  /** Put a message that is being sent, and its reply, at the end. */
  append(message, reply) {
    this.remove(message);
    this.addMessage(message);
    this._add(reply.element);
  }

  /** Show that the service has stored a message. */
  confirm(message) {
    for (const element of this._articlesOf(message)) element.classList.remove("unsent");
  }

  /** Remove a message and its reply. */
  remove(message) {
    for (const element of this._articlesOf(message)) element.remove();
    this._welcome();
  }

  /** Remove a stored message and the stored ones after it, or only those after it. */
  cut(id, { keep = false } = {}) {
    const from = this._element(id);
    const stored = [...this._list.querySelectorAll("article[data-id]")];
    for (const element of from ? stored.slice(stored.indexOf(from) + (keep ? 1 : 0)) : []) element.remove();
  }

  /** Give a message and its reply the ids of the stored pair. */
  name(reply, askedId, replyId) {
    const asked = reply.element.previousElementSibling;
    for (const [element, id] of [[asked, askedId], [reply.element, replyId]]) {
      if (element && id) element.dataset.id = id;
    }
    const message = this._messages.get(reply.element);
    if (message && askedId) Object.assign(message, { id: askedId, state: "stored" });
  }

  /** Scroll to the end, and stay there while an answer grows. */
  toEnd() {
    this._follows = true;
    this._scroller.scrollTop = this._scroller.scrollHeight;
    this._top = this._scroller.scrollTop;
    this._toEnd.hidden = true;
  }

  _look() {
    const top = this._scroller.scrollTop;
    const left = this._scroller.scrollHeight - this._scroller.clientHeight - top;
    if (left < NEAR_PX) this._follows = true;
    else if (top < this._top) this._follows = false; // the user scrolled up; a growing answer only changes what is below
    this._top = top;
    this._toEnd.hidden = this._follows;
  }

  _welcome() {
    find("welcome").hidden = this._list.childElementCount > 0;
  }

  _earlier(load) {
    const button = make("button", { type: "button", className: "quiet earlier" }, "Show earlier messages");
    button.onclick = async () => {
      button.disabled = true;
      try {
        const page = await load();
        const height = this._scroller.scrollHeight;
        button.replaceWith(...(page.earlier ? [this._earlier(page.earlier)] : []), ...this._drawAll(page.messages));
        this._scroller.scrollTop += this._scroller.scrollHeight - height;
      } catch (error) {
        button.disabled = false;
        button.textContent = `Show earlier messages (${reasonOf(error)})`;
      }
    };
    return button;
  }

  _drawAll(messages) {
    let asked = null;
    return messages.map((stored) => {
      const message = { ...stored, state: "stored" };
      if (stored.role === "user") asked = message;
      const element = stored.role === "user" ? this._user(message) : this._newReply(asked).show(stored).element;
      element.dataset.id = stored.id;
      return element;
    });
  }

  _add(element) {
    this._list.append(element);
    this._welcome();
    this.toEnd();
  }

  _element(id) {
    return this._list.querySelector(`[data-id="${CSS.escape(id)}"]`);
  }

  _articlesOf(message) {
    return [...this._list.querySelectorAll("article")].filter((element) => this._messages.get(element) === message);
  }

  _newReply(message) {
    const reply = new Reply({
      onRegenerate: () => this._actions.regenerate(message),
      onAgain: () => this._actions.again(message),
    });
    this._messages.set(reply.element, message);
    return reply;
  }

  _user(message) {
    const { content, missing = 0 } = message;
    const bubble = make("div", { className: "bubble" }, ...content.flatMap(shown));
    if (missing) bubble.append(make("p", { className: "note" }, "Its images were too large to store. Attach them again."));
    const element = make("article", { className: "user" }, make("h2", { className: "sr-only" }, "You"), bubble);
    const edit = iconButton("Edit and send again", ICONS.edit, () => this._actions.edit(message));
    const discard = iconButton("Discard the message", ICONS.remove, () => this._actions.discard(message));
    discard.classList.add("discard");
    element.append(make("div", { className: "actions" }, edit, copyButton(() => textOf(content), "Copy the message"), discard));
    this._messages.set(element, message);
    return element;
  }
}

function shown(block) {
  if (block.type === "text") return [make("p", {}, block.text)];
  if (block.type === "image") return [picture(block)];
  if (block.type === "document") return [make("p", { className: "note" }, `Document: ${block.name}`)];
  if (block.type === "tool_result") return [make("p", { className: "note" }, "Tool result")];
  return [];
}

/** An image that the user attached, made from its bytes, never from a URL. */
export function picture({ media_type, data }) {
  return make("img", { src: `data:${media_type};base64,${data}`, alt: "Image you attached" });
}
