// Puts the page together. The address says which conversation is shown: `/#<id>`, or `/` for a new one.

import { askJson } from "./api.js";
import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { Conversations } from "./conversations.js";
import { find, make } from "./element.js";
import { Models } from "./models.js";
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
  send: (content, mode, replaces) => chat.send(content, mode, replaces).then(() => list.load()),
  stop: () => chat.stop(),
});
const transcript = new Transcript({
  edit: (id, content) => id && composer.edit(id, content),
  regenerate: (id) => id && chat.regenerate(id),
  again: () => chat.again(),
});
const models = new Models({
  onChange: (id, can, byHand) => {
    composer.allowImages(can.images !== false);
    settings.allow(can);
    if (byHand) change({ model_id: id });
  },
});
const settings = new Settings({ onChange: (own) => change(own) });
const chat = new Chat(
  { transcript, composer, status, models, settings },
  {
    onChange: ({ id, title }) => {
      if (id && location.hash !== `#${id}`) history.replaceState(null, "", `#${id}`);
      list.mark(id ?? null);
      name(title);
    },
    onBegun: () => list.load(), // now it has a title, and is the latest
  },
);
const list = new Conversations({
  onGone: (id) => id === chat.id && go(""),
  onRenamed: (id, title) => id === chat.id && name(title),
});

/** Keep what belongs to the conversation, where there is one. */
async function change(changes) {
  if (chat.id) await askJson(chat.path, { method: "PATCH", body: changes });
}

function name(title) {
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
  if (id && id === chat.id) return;
  if (!id) chat.reset();
  else {
    try {
      await chat.open(id);
    } catch (error) {
      chat.reset();
      history.replaceState(null, "", "/");
      status.fail(error.message);
    }
  }
  list.mark(chat.id);
  if (matchMedia("(pointer: fine)").matches) composer.focus();
}

/** Open or close the list of conversations, which on a narrow page lies over the chat. */
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

async function start() {
  const { backend } = await fetch("/readyz").then((answer) => answer.json());
  const local = backend.name === "local";
  find("backend").textContent = local ? "built-in Bedrock" : `Bedrock · ${backend.region ?? "no region"}`;
  find("welcome-backend").textContent = local
    ? "Answers come from the built-in Bedrock, which needs no account and only plays at being a model."
    : "";
  await models.load();
  await Promise.all([list.load(), show()]);
}

start().catch((error) => status.fail(error.message));
