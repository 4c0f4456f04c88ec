// Builds DOM nodes. The page never parses a string of HTML.

/** Make an element: `make("p", { className: "note" }, "text", anotherNode)`. */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-")) element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The element with an id. */
export const find = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

/** Make an icon from the path of its strokes. */
export function icon(path) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  const strokes = document.createElementNS(SVG, "path");
  strokes.setAttribute("d", path);
  drawing.append(strokes);
  return drawing;
}

export const ICONS = {
  copy: "M9 9h10v10H9zM5 15V5h10",
  done: "M5 13l4 4L19 7",
  again: "M20 11a8 8 0 1 0-2.3 6M20 5v6h-6",
  edit: "M4 20l1-4L16 5l3 3L8 19z",
  remove: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  close: "M6 6l12 12M18 6L6 18",
};

/** A button with an icon and an accessible name. */
export function iconButton(name, path, onclick) {
  return make("button", { type: "button", className: "quiet small", "aria-label": name, title: name, onclick }, icon(path));
}

/** A button that copies the result of `text()` and confirms it for a moment. */
export function copyButton(text, name = "Copy") {
  const button = iconButton(name, ICONS.copy, async () => {
    const copied = await copy(text());
    button.replaceChildren(icon(copied ? ICONS.done : ICONS.close));
    button.title = copied ? "Copied" : "The browser did not allow copying";
    setTimeout(() => {
      button.replaceChildren(icon(ICONS.copy));
      button.title = name;
    }, 1500);
  });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelecting(text); // the clipboard API needs HTTPS
  }
}

function copyBySelecting(text) {
  const area = make("textarea", { value: text, className: "sr-only" });
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}
