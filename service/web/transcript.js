// The messages on the page, and where in them the reader is.

import { copyButton, find, iconButton, ICONS, make } from "./element.js";
import { Reply } from "./reply.js";

const NEAR = 80; // pixels from the end within which the view goes along with a growing answer

/** The transcript. `actions` are what a message offers: `edit(message)`, `regenerate(message)`, `again()`. */
export class Transcript {
  constructor(actions) {
    this._actions = actions;
    this._list = find("transcript");
    this._scroller = find("scroller");
    this._toEnd = find("to-end");
    this._follows = true;
    this._top = 0;
    this._scroller.addEventListener("scroll", () => this._look(), { passive: true });
    this._toEnd.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this._follows && this.toEnd()).observe(this._list);
    new ResizeObserver(() => this._follows && this.toEnd()).observe(this._scroller);
  }

  /** Show messages in place of what is there. */
  show(messages, earlier) {
    this._list.replaceChildren();
    if (earlier) this._list.append(this._earlier(earlier));
    for (const message of messages) this._list.append(this._draw(message));
    this._welcome();
    this.toEnd();
  }

  /** Add the user's message, as it is sent. */
  say(content) {
    const element = this._user({ content });
    this._list.append(element);
    this._welcome();
    this.toEnd();
    return element;
  }

  /** Add a reply that is still to come. */
  reply() {
    const reply = this._newReply().begin();
    this._list.append(reply.element);
    this.toEnd();
    return reply;
  }

  /** Take away a message and what follows it, or only what follows. */
  cut(id, { keep = false } = {}) {
    const from = this._list.querySelector(`[data-id="${CSS.escape(id)}"]`);
    while (from?.nextSibling) from.nextSibling.remove();
    if (!keep) from?.remove();
  }

  /** Give the last two messages the ids that the service gave them. */
  name(messages) {
    const elements = [...this._list.querySelectorAll("article")].slice(-2);
    for (const [n, message] of messages.slice(-elements.length).entries()) {
      if (elements[n]) elements[n].dataset.id = message.id;
    }
  }

  /** Go to the end, and stay there while an answer grows. */
  toEnd() {
    this._follows = true;
    this._scroller.scrollTop = this._scroller.scrollHeight;
    this._top = this._scroller.scrollTop;
    this._toEnd.hidden = true;
  }

  _look() {
    const top = this._scroller.scrollTop;
    const left = this._scroller.scrollHeight - this._scroller.clientHeight - top;
    if (left < NEAR) this._follows = true;
    else if (top < this._top) this._follows = false; // the reader went up; what grows meanwhile goes down
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
      const { messages, earlier } = await load();
      const height = this._scroller.scrollHeight;
      button.replaceWith(...(earlier ? [this._earlier(earlier)] : []), ...messages.map((message) => this._draw(message)));
      this._scroller.scrollTop += this._scroller.scrollHeight - height;
    };
    return button;
  }

  _draw(message) {
    const element = message.role === "user" ? this._user(message) : this._newReply().show(message).element;
    element.dataset.id = message.id;
    return element;
  }

  _newReply() {
    const reply = new Reply({
      onRegenerate: () => this._actions.regenerate(reply.element.previousElementSibling.dataset.id),
      onAgain: () => this._actions.again(),
    });
    return reply;
  }

  _user({ content }) {
    const text = content.filter((block) => block.type === "text").map((block) => block.text).join("\n\n");
    const bubble = make("div", { className: "bubble" }, ...content.flatMap(shown));
    const element = make("article", { className: "user" }, make("h2", { className: "sr-only" }, "You"), bubble);
    const edit = iconButton("Edit and send again", ICONS.edit, () => this._actions.edit(element.dataset.id, content));
    element.append(make("div", { className: "actions" }, edit, copyButton(() => text, "Copy the message")));
    return element;
  }
}

function shown(block) {
  if (block.type === "text") return [make("p", {}, block.text)];
  if (block.type === "image") return [picture(block)];
  if (block.type === "document") return [make("p", { className: "note" }, `Document: ${block.name}`)];
  if (block.type === "tool_result") return [make("p", { className: "note" }, "The result of a tool")];
  return [];
}

/** An image that the user sent, made from its bytes: never from an address. */
export function picture({ media_type, data }) {
  return make("img", { src: `data:${media_type};base64,${data}`, alt: "Image you attached" });
}
