// The message box: words, attached images, and how to send them.

import { find, iconButton, ICONS, make } from "./element.js";
import { picture } from "./transcript.js";

const TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const MOST_IMAGES = 5;
const LONGEST_SIDE = 1568; // pixels; models scale larger ones down to about this
const MOST_BYTES = 3_500_000; // Bedrock takes 3.75 MB for one image

/** The composer. `send(content, mode)` and `stop()` are what its buttons do; `mode` is "stream" or "complete". */
export class Composer {
  constructor({ send, stop }) {
    this._send = send;
    this._field = find("message");
    this._images = [];
    this._replaces = null;
    this._buttons = { stream: find("stream"), complete: find("complete"), stop: find("stop") };
    find("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this._submit("stream");
    });
    this._buttons.complete.addEventListener("click", () => this._submit("complete"));
    this._buttons.stop.addEventListener("click", stop);
    find("stop-editing").addEventListener("click", () => this.clear());
    this._field.addEventListener("keydown", (event) => this._key(event));
    this._field.addEventListener("input", () => this._fit());
    this._takeFiles();
    this.answering(false);
  }

  /** Say whether an answer is being given: then it can be stopped, and nothing can be sent. */
  answering(going) {
    this._going = going;
    this._buttons.stream.disabled = this._buttons.complete.disabled = going;
    this._buttons.stop.disabled = !going;
  }

  /** Say whether the model looks at images. */
  allowImages(allowed) {
    const attach = find("attach");
    attach.disabled = !allowed;
    attach.title = allowed ? "Attach an image" : "This model does not look at images";
  }

  /** Take a message up again, to be said anew. */
  edit(id, content) {
    this._replaces = id;
    this._field.value = content.filter((block) => block.type === "text").map((block) => block.text).join("\n\n");
    this._images = content.filter((block) => block.type === "image");
    this._show();
    this.focus();
  }

  /** Put words into the box. */
  write(text) {
    this._field.value = text;
    this._show();
    this.focus();
  }

  clear() {
    this._field.value = "";
    this._images = [];
    this._replaces = null;
    this._show();
  }

  focus() {
    this._field.focus();
  }

  _key(event) {
    const sends = event.key === "Enter" && !event.shiftKey && !event.isComposing;
    if (sends && !matchMedia("(pointer: coarse)").matches) {
      event.preventDefault();
      this._submit("stream");
    } else if (event.key === "Escape" && this._replaces) this.clear();
  }

  _submit(mode) {
    const text = this._field.value.trim();
    if (this._going || (!text && !this._images.length)) return this.focus();
    const content = [...this._images, ...(text ? [{ type: "text", text }] : [])];
    const replaces = this._replaces;
    this.clear();
    this._send(content, mode, replaces);
  }

  _show() {
    find("editing").hidden = this._replaces === null;
    const attached = find("attached");
    attached.hidden = this._images.length === 0;
    attached.replaceChildren(...this._images.map((image) => this._thumbnail(image)));
    this._fit();
  }

  _thumbnail(image) {
    const remove = iconButton("Remove this image", ICONS.close, () => {
      this._images = this._images.filter((other) => other !== image);
      this._show();
      this.focus();
    });
    return make("li", {}, picture(image), remove);
  }

  /** Let the box be as high as its words, where CSS alone cannot (`field-sizing`). */
  _fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this._field.style.height = "auto";
    this._field.style.height = `${this._field.scrollHeight}px`;
  }

  _takeFiles() {
    const input = find("file");
    find("attach").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this._attach([...input.files]);
      input.value = "";
    });
    this._field.addEventListener("paste", (event) => this._attach([...event.clipboardData.files], event));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      this._attach([...event.dataTransfer.files]);
    });
  }

  async _attach(files, event) {
    const images = files.filter((file) => TYPES.includes(file.type));
    if (images.length === 0 || find("attach").disabled) return;
    event?.preventDefault();
    for (const file of images.slice(0, MOST_IMAGES - this._images.length)) this._images.push(await toBlock(file));
    this._show();
    this.focus();
  }
}

/** Make a content block of a picture, smaller where it is larger than a model looks at. */
async function toBlock(file) {
  const bitmap = await createImageBitmap(file);
  const scale = LONGEST_SIDE / Math.max(bitmap.width, bitmap.height);
  const fits = scale >= 1 && file.size <= MOST_BYTES;
  const blob = fits ? file : await scaled(bitmap, Math.min(1, scale));
  bitmap.close();
  return { type: "image", media_type: blob.type, data: toBase64(new Uint8Array(await blob.arrayBuffer())) };
}

function scaled(bitmap, scale) {
  const canvas = make("canvas", { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
}

function toBase64(bytes) {
  const pieces = [];
  for (let at = 0; at < bytes.length; at += 32768) pieces.push(String.fromCharCode(...bytes.subarray(at, at + 32768)));
  return btoa(pieces.join(""));
}
