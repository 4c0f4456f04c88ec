// Markdown as DOM nodes, block by block.
//
// An answer is shown in the reader's browser, so nothing of it may run, load or fetch: nodes are created one by one and
// get no attribute but a link's URL, raw HTML is text, and an image is a link to it. While an answer grows only its last
// block is created again.

import { copyButton, make } from "./element.js";

const FENCE = /^( {0,3})(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])( *\1){2,} *$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])( +|$)(.*)$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const TABLE_RULE = /^ {0,3}\|?( *:?-+:? *\|)+( *:?-+:? *)?$/;
const BLANK = /^\s*$/;
const DEEPEST = 12; // levels of nested blocks

/** Markdown that grows. `element` shows it; `append` adds to it and `render` brings the element up to date. */
export class Markdown {
  constructor() {
    this.element = make("div", { className: "markdown" });
    this.text = "";
    this._settled = 0; // where the last block starts
    this._open = []; // its nodes
    this._shown = 0;
  }

  append(text) {
    this.text += text;
  }

  render() {
    if (this._shown === this.text.length) return;
    this._shown = this.text.length;
    for (const node of this._open) node.remove();
    const blocks = split(this.text.slice(this._settled));
    const last = blocks.pop();
    for (const block of blocks) this.element.append(draw(block, 0));
    if (!last) return;
    this._settled += last.start;
    this._open = [draw(last, 0)];
    this.element.append(...this._open);
  }
}

/** Show a whole text at once. */
export function markdown(text) {
  const whole = new Markdown();
  whole.append(text);
  whole.render();
  return whole.element;
}

/** Split a text into blocks: `{kind, lines, start}`, where `start` is a block's offset in the text. */
function split(text) {
  const lines = text.split("\n");
  const blocks = [];
  let at = 0;
  const starts = lines.map((line) => {
    const start = at;
    at += line.length + 1;
    return start;
  });
  for (let n = 0; n < lines.length; ) {
    if (BLANK.test(lines[n])) {
      n += 1;
      continue;
    }
    const [kind, end] = extent(lines, n);
    blocks.push({ kind, lines: lines.slice(n, end), start: starts[n] });
    n = end;
  }
  return blocks;
}

/** Return the kind of the block that starts in line `n`, and the line after it. */
function extent(lines, n) {
  const fence = FENCE.exec(lines[n]);
  if (fence) return ["code", pastFence(lines, n, fence[2])];
  if (HEADING.test(lines[n])) return ["heading", n + 1];
  if (RULE.test(lines[n])) return ["rule", n + 1];
  if (ITEM.test(lines[n])) return ["list", pastList(lines, n)];
  if (QUOTE.test(lines[n])) return ["quote", past(lines, n, (line) => !BLANK.test(line) && (QUOTE.test(line) || !begins(line)))];
  if (isTable(lines, n)) return ["table", past(lines, n + 2, (line) => line.includes("|"))];
  return ["paragraph", past(lines, n + 1, (line, m) => !BLANK.test(line) && !begins(line) && !isTable(lines, m))];
}

const isTable = (lines, n) => lines[n].includes("|") && n + 1 < lines.length && TABLE_RULE.test(lines[n + 1]);
const begins = (line) => FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || startsList(line);

/** Whether a line starts a list inside a paragraph: a number in running text does not. */
function startsList(line) {
  const item = ITEM.exec(line);
  return item !== null && item[4] !== "" && (!/\d/.test(item[2]) || /^1[.)]$/.test(item[2]));
}

function past(lines, n, goesOn) {
  while (n < lines.length && goesOn(lines[n], n)) n += 1;
  return n;
}

function pastFence(lines, n, mark) {
  const closing = new RegExp(`^ {0,3}${mark[0]}{${mark.length},} *$`);
  const end = past(lines, n + 1, (line) => !closing.test(line));
  return Math.min(end + 1, lines.length);
}

/** A list continues over blank lines as long as the next line is indented or another item of its kind. */
function pastList(lines, n) {
  const kind = listKind(lines[n]);
  let end = n + 1;
  for (let m = n + 1; m < lines.length; m += 1) {
    if (BLANK.test(lines[m])) continue;
    const indented = /^( {2,}|\t)/.test(lines[m]);
    const lazy = m === end && !begins(lines[m]);
    if (!indented && !lazy && listKind(lines[m]) !== kind) break;
    end = m + 1;
  }
  return end;
}

function listKind(line) {
  const item = ITEM.exec(line);
  return item && (/\d/.test(item[2]) ? "ol" : "ul");
}

const DRAWN = { code, heading, rule: () => make("hr"), list, quote, table, paragraph };

function draw(block, depth) {
  return depth > DEEPEST ? paragraph(block.lines) : DRAWN[block.kind](block.lines, depth);
}

function inside(lines, depth) {
  return split(lines.join("\n")).map((block) => draw(block, depth + 1));
}

function paragraph(lines) {
  return make("p", {}, ...inline(lines.map((line) => line.trimStart()).join("\n")));
}

function heading(lines) {
  const [, marks, text] = HEADING.exec(lines[0]);
  return make(`h${Math.min(6, marks.length + 2)}`, {}, ...inline(text)); // the page itself has h1 and h2
}

function quote(lines, depth) {
  return make("blockquote", {}, ...inside(lines.map((line) => QUOTE.exec(line)?.[1] ?? line), depth));
}

function code(lines) {
  const [, indent, mark, language] = FENCE.exec(lines[0]);
  const closed = lines.length > 1 && new RegExp(`^ {0,3}${mark[0]}{${mark.length},} *$`).test(lines.at(-1));
  const margin = new RegExp(`^ {0,${indent.length}}`);
  const text = lines.slice(1, closed ? -1 : undefined).map((line) => line.replace(margin, "")).join("\n");
  const header = make("div", { className: "code-header" }, make("span", {}, language || "text"), copyButton(() => text, "Copy the code"));
  const shown = make("pre", { tabIndex: 0 }, make("code", {}, text)); // it scrolls, so the keyboard has to reach it
  return make("div", { className: "code" }, header, shown);
}

function list(lines, depth) {
  const kind = listKind(lines[0]);
  const element = make(kind);
  const first = Number.parseInt(ITEM.exec(lines[0])[2], 10);
  if (first > 1) element.start = first;
  for (const item of items(lines, kind)) {
    const loose = item.some((line, n) => n > 0 && n < item.length - 1 && BLANK.test(line));
    const nodes = inside(item, depth);
    if (!loose && nodes[0]?.tagName === "P") nodes.splice(0, 1, ...nodes[0].childNodes);
    element.append(make("li", {}, ...task(nodes)));
  }
  return element;
}

/** Split a list into its items, each without its marker and margin. */
function items(lines, kind) {
  const found = [];
  let margin = 0;
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item && (!found.length || (item[1].length < margin && listKind(line) === kind))) {
      margin = item[1].length + item[2].length + Math.max(1, Math.min(item[3].length, 4));
      found.push([item[4]]);
    } else found.at(-1).push(line.replace(new RegExp(`^( {0,${margin}}|\\t)`), ""));
  }
  return found;
}

function task(nodes) {
  const first = nodes[0];
  const box = first instanceof Text ? /^\[([ xX])\]\s+/.exec(first.data) : null;
  if (!box) return nodes;
  first.data = first.data.slice(box[0].length);
  const ticked = box[1] !== " ";
  return [make("span", { className: "box", role: "img", "aria-label": ticked ? "done" : "to do" }, ticked ? "☑ " : "☐ "), ...nodes];
}

function table(lines) {
  const sides = cells(lines[1]).map((rule) => (rule.endsWith(":") ? (rule.startsWith(":") ? "center" : "right") : "left"));
  const row = (line, name) =>
    make("tr", {}, ...cells(line).slice(0, sides.length).map((cell, n) => make(name, { className: `to-${sides[n]}` }, ...inline(cell))));
  const body = lines.slice(2).map((line) => row(line, "td"));
  const drawn = make("table", {}, make("thead", {}, row(lines[0], "th")), make("tbody", {}, ...body));
  return make("div", { className: "table", tabIndex: 0, role: "region", "aria-label": "Table" }, drawn);
}

function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

// Inline patterns: the earliest match applies; of those with the same start the first in this list.
const INLINE = [
  [/\\([!-/:-@[-`{-~])/, (found) => [found[1]]],
  [/(?<!`)(`+)(?!`)([\s\S]*?[^`])\1(?!`)/, (found) => [make("code", {}, found[2].replace(/^ (.*[^ ].*) $/, "$1"))]],
  [/!\[([^\]\n]*)\]\(\s*<?([^\s)>]*)>?[^)\n]*\)/, (found) => [link(found[2], [`Image: ${found[1] || found[2]}`])]],
  [/\[((?:[^[\]\n]|\[[^[\]\n]*\])+)\]\(\s*<?((?:[^\s()<>]|\([^\s()]*\))*)>?(?:\s+["'][^)\n]*["'])?\s*\)/, (found) => [link(found[2], inline(found[1]))]],
  [/<((?:https?:\/\/|mailto:)[^\s<>]+)>/, (found) => [link(found[1], [found[1]])]],
  [/\bhttps?:\/\/[^\s<>"'`\])}]*[^\s<>"'`\])}.,;:!?*_~]/, (found) => [link(found[0], [found[0]])]],
  [/\*\*(?=\S)([\s\S]*?\S)\*\*(?!\*)/, (found) => [make("strong", {}, ...inline(found[1]))]],
  [/(?<![\p{L}\p{N}_])__(?=\S)([\s\S]*?\S)__(?![\p{L}\p{N}_])/u, (found) => [make("strong", {}, ...inline(found[1]))]],
  [/\*(?![\s*])([\s\S]*?[^\s*])\*(?!\*)/, (found) => [make("em", {}, ...inline(found[1]))]],
  [/(?<![\p{L}\p{N}_])_(?![\s_])([\s\S]*?[^\s_])_(?![\p{L}\p{N}_])/u, (found) => [make("em", {}, ...inline(found[1]))]],
  [/~~(?=\S)([\s\S]*?\S)~~/, (found) => [make("del", {}, ...inline(found[1]))]],
  [/( {2,}|\\)\n/, () => [make("br")]],
];

/** Make the nodes of running text. */
function inline(text) {
  const nodes = [];
  const next = INLINE.map(() => null); // each pattern's next match, searched again once it has been passed
  for (let at = 0; at < text.length; ) {
    let first = null;
    for (const [n, [pattern]] of INLINE.entries()) {
      if (next[n] === null || (next[n] !== false && next[n].index < at)) next[n] = search(pattern, text, at);
      if (next[n] && (!first || next[n].index < first[0].index)) first = [next[n], n];
    }
    if (!first) {
      nodes.push(text.slice(at));
      break;
    }
    const [found, n] = first;
    if (found.index > at) nodes.push(text.slice(at, found.index));
    nodes.push(...INLINE[n][1](found));
    at = found.index + found[0].length;
  }
  return nodes.map((node) => (typeof node === "string" ? document.createTextNode(node) : node));
}

function search(pattern, text, at) {
  const sticky = new RegExp(pattern.source, pattern.flags.includes("u") ? "gu" : "g");
  sticky.lastIndex = at;
  return sticky.exec(text) ?? false;
}

/** A link if its URL is opened by a click only, otherwise its text. */
function link(address, words) {
  let parsed;
  try {
    parsed = new URL(address);
  } catch {
    return make("span", {}, ...words);
  }
  if (!["http:", "https:", "mailto:"].includes(parsed.protocol)) return make("span", {}, ...words);
  return make("a", { href: parsed.href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...words);
}
