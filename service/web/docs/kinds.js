// Lists the events that an operation may send.

import { make } from "../element.js";

/** Show the events of an operation in a `<dl>`. */
export function showKinds(list, events) {
  list.replaceChildren(...events.flatMap(kind));
}

function kind({ name, description, members }) {
  return [
    make("dt", {}, make("code", {}, name)),
    make("dd", {}, make("p", {}, ...marked(description)), members.length ? memberList(members) : null),
  ];
}

function memberList(members) {
  return make(
    "ul",
    {},
    ...members.map(({ name, type, required }) =>
      make("li", {}, make("code", {}, name), ` ${type}`, required ? null : make("span", { className: "soft" }, ", may be absent")),
    ),
  );
}

/** Text between backticks in a description is code. */
function marked(description) {
  return description.split("`").map((part, at) => (at % 2 ? make("code", {}, part) : part));
}
