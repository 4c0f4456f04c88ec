// Connects the parts of the page. The address names the conversation: `/#<id>`, or `/` for a new one.

import { askJson, reasonOf } from "./api.js";
import { Chat, isGone } from "./chat.js";
import { Composer } from "./composer.js";
import { Conversations } from "./conversations.js";
import { find, make } from "./element.js";
import { Models } from "./models.js";
import { Outbox } from "./outbox.js";
import { Settings } from "./settings.js";
import { Status } from "./status.js";
import { Transcript } from "./transcript.js";

const IDEAS = [
  "Explain how an artesian well works, in three short paragraphs",
  "Write a Python function that merges two sorted lists",
  "Compare tea and coffee in a small table",
  "Plan a quiet weekend in the mountains",
];

const status = new Status();
const composer = new Composer({
  send: (content, mode, edited) => chat.send(content, mode, edited),
  stop: () => report(chat.stop()),
});
const transcript = new Transcript({
  edit: (message) => composer.edit(message),
  discard: (message) => chat.discard(message),
  regenerate: (message) => report(chat.regenerate(message)),
  again: (message) => report(chat.again(message)),
});
const models = new Models({
  onChange: (id, can, byUser) => {
    composer.allowImages(can.images !== false);
    settings.allow(can);
    if (byUser) change({ model_id: id });
  },
});
const settings = new Settings({ onChange: (own) => change(own) });
const outbox = new Outbox();
const chat = new Chat(
  { transcript, composer, status, models, settings, outbox },
  {
    onChange: ({ id, title }) => {
      if (location.hash.slice(1) !== (id ?? "")) history.replaceState(null, "", id ? `#${id}` : "/");
      list.mark(id ?? null);
      showTitle(title);
    },
    onStored: () => list.load(), // the conversation has a title now, and is the latest
  },
);
const list = new Conversations({
  onDeleted: (id) => {
    outbox.removeAll(id);
    if (id === chat.id) go("");
  },
  onRenamed: (id, title) => id === chat.id && showTitle(title),
  onError: (error) => status.fail(reasonOf(error)),
});

/** Show the failure of an action. */
function report(action) {
  return action.catch((error) => status.fail(reasonOf(error)));
}

/** Store a change of the conversation's settings, if it exists already. */
function change(changes) {
  if (chat.id) report(askJson(chat.path, { method: "PATCH", body: changes }));
}

function showTitle(title) {
  find("title").textContent = title ?? "New chat";
  document.title = title ? `${title} · Artesian` : "Artesian";
}

function go(id) {
  if (id) location.hash = id;
  else {
    history.pushState(null, "", "/");
    show();
  }
}

async function show() {
  drawer(false);
  const id = location.hash.slice(1);
  if (id === (chat.id ?? "")) return; // it may be sending its first message
  if (!id) chat.reset();
  else {
    try {
      await chat.open(id);
    } catch (error) {
      if (isGone(error)) chat.forget(id);
      status.fail(reasonOf(error));
    }
  }
  list.mark(chat.id);
  focusComposer();
}

function focusComposer() {
  if (matchMedia("(pointer: fine)").matches) composer.focus();
}

/** Open or close the list of conversations, which covers the chat on a narrow page. */
function drawer(open) {
  document.body.classList.toggle("drawer-open", open);
  find("open-drawer").setAttribute("aria-expanded", String(open));
  const narrow = matchMedia("(max-width: 50rem)").matches;
  find("drawer").inert = narrow && !open;
  document.querySelector("main").inert = narrow && open;
  if (narrow && open) find("close-drawer").focus();
}

find("open-drawer").addEventListener("click", () => drawer(true));
find("close-drawer").addEventListener("click", () => drawer(false));
find("scrim").addEventListener("click", () => drawer(false));
matchMedia("(max-width: 50rem)").addEventListener("change", () => drawer(false));
document.addEventListener("keydown", ({ key }) => key === "Escape" && document.body.classList.contains("drawer-open") && drawer(false));
find("new").addEventListener("click", () => go(""));
addEventListener("hashchange", show);
addEventListener("popstate", () => location.hash || show());
document.addEventListener("visibilitychange", () => document.hidden || chat.refresh().catch(() => {}));

find("ideas").append(
  ...IDEAS.map((idea) => make("button", { type: "button", onclick: () => composer.write(idea) }, idea)),
);

async function showBackend() {
  const { backend } = await fetch("/readyz").then((response) => response.json());
  const local = backend?.name === "local";
  find("backend").textContent = local ? "local emulator" : `Bedrock · ${backend?.region ?? "no region"}`;
  find("welcome-backend").textContent = local
    ? "Demo mode: sample text from the local emulator. Connect AWS to use real models."
    : "";
}

if (!location.hash) chat.reset(); // shows what could not be sent in a new conversation
focusComposer();
report(Promise.all([showBackend(), models.load(), list.load(), show()]));
