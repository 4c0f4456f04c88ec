// The list of conversations beside the chat.

import { askJson, reasonOf, Refusal } from "./api.js";
import { find, iconButton, ICONS, make } from "./element.js";

const PAGE = 30;

/** The list. `onDeleted(id)`, `onRenamed(id, title)` and `onError(error)` are called after a change. */
export class Conversations {
  constructor({ onDeleted, onRenamed, onError }) {
    this._onDeleted = onDeleted;
    this._onRenamed = onRenamed;
    this._onError = onError;
    this._list = find("conversations");
    this._more = find("more");
    this._current = null;
    this._more.addEventListener("click", () => this._page(this._cursor).catch(this._onError));
  }

  /** Load the first page of the list. */
  async load() {
    try {
      const page = await askJson(`/api/conversations?limit=${PAGE}`);
      this._list.replaceChildren();
      this._take(page);
    } catch (error) {
      find("list-error").textContent = `The list is not up to date: ${reasonOf(error)}`;
    }
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
    find("list-error").textContent = "";
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
      try {
        await askJson(`/api/conversations/${id}`, { method: "PATCH", body: { title } });
      } catch (error) {
        return this._onError(error);
      }
      link.textContent = title;
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
    try {
      await askJson(`/api/conversations/${id}`, { method: "DELETE" });
    } catch (error) {
      if (!(error instanceof Refusal && error.status === 404)) return this._onError(error);
    }
    item.remove();
    this._onDeleted(id);
  }
}
