// The list of conversations beside the chat.

import { askJson } from "./api.js";
import { find, iconButton, ICONS, make } from "./element.js";

const PAGE = 30;

/** The list. `onGone(id)` is told of a conversation that was deleted. */
export class Conversations {
  constructor({ onGone, onRenamed }) {
    this._onGone = onGone;
    this._onRenamed = onRenamed;
    this._list = find("conversations");
    this._more = find("more");
    this._current = null;
    this._more.addEventListener("click", () => this._page(this._cursor));
  }

  /** Read the list anew. */
  async load() {
    const page = await askJson(`/api/conversations?limit=${PAGE}`);
    this._list.replaceChildren();
    this._take(page);
  }

  /** Mark the conversation that is shown. */
  mark(id) {
    this._current = id;
    for (const link of this._list.querySelectorAll("a")) {
      if (link.dataset.id === id) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  async _page(cursor) {
    this._take(await askJson(`/api/conversations?limit=${PAGE}&cursor=${encodeURIComponent(cursor)}`));
  }

  _take({ conversations, next_cursor }) {
    this._list.append(...conversations.map((conversation) => this._item(conversation)));
    this._cursor = next_cursor;
    this._more.hidden = next_cursor === null;
    this.mark(this._current);
  }

  _item({ id, title, answering }) {
    const link = make("a", { href: `#${id}`, className: answering ? "answering" : "" }, title ?? "Untitled");
    link.dataset.id = id;
    const item = make("li", {}, link);
    item.append(
      iconButton("Rename", ICONS.edit, () => this._rename(item, link, id)),
      iconButton("Delete", ICONS.remove, () => this._delete(item, id)),
    );
    return item;
  }

  _rename(item, link, id) {
    const field = make("input", { type: "text", value: link.textContent, maxLength: 200, "aria-label": "New title" });
    const end = async (keep) => {
      field.onblur = null;
      field.replaceWith(link);
      const title = field.value.trim();
      if (!keep || !title || title === link.textContent) return;
      link.textContent = title;
      await askJson(`/api/conversations/${id}`, { method: "PATCH", body: { title } });
      this._onRenamed(id, title);
    };
    field.onblur = () => end(true);
    field.onkeydown = ({ key }) => {
      if (key === "Enter" || key === "Escape") end(key === "Enter").then(() => link.focus());
    };
    link.replaceWith(field);
    field.select();
  }

  async _delete(item, id) {
    const dialog = find("confirm");
    dialog.returnValue = "no";
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    if (dialog.returnValue !== "yes") return;
    await askJson(`/api/conversations/${id}`, { method: "DELETE" });
    item.remove();
    this._onGone(id);
  }
}
