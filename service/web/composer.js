// The message box: the text, the attached images, and the buttons that send them.

import { find, iconButton, ICONS, make } from "./element.js";
import { textOf } from "./outbox.js";
import { picture } from "./transcript.js";

const TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const MAX_IMAGES = 5;
const MAX_SIDE = 1568; // pixels; models scale larger ones down to about this
const MAX_BYTES = 3_500_000; // Bedrock takes 3.75 MB for one image

/**
 * The message box. `send(content, mode, edited)` sends a message in the mode "stream" or "complete" and returns whether
 * it was accepted; `edited` is the message that it edits, or null. `stop()` stops the answer.
 */
export class Composer {
  constructor({ send, stop }) {
    this._send = send;
    this._field = find("message");
    this._images = [];
    this._edited = null;
    this._draft = null; // what the box held before the edit
    this._buttons = { stream: find("stream"), complete: find("complete"), stop: find("stop") };
    find("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this._submit("stream");
    });
    this._buttons.complete.addEventListener("click", () => this._submit("complete"));
    this._buttons.stop.addEventListener("click", stop);
    find("stop-editing").addEventListener("click", () => this.cancelEdit());
    this._field.addEventListener("keydown", (event) => this._key(event));
    this._field.addEventListener("input", () => this._fit());
    this._takeFiles();
    this.answering(false);
  }

  /** Set whether an answer is running: then it can be stopped, and nothing can be sent. */
  answering(running) {
    this._running = running;
    this._buttons.stream.disabled = this._buttons.complete.disabled = running;
    this._buttons.stop.disabled = !running;
  }

  /** Set whether the model accepts images. */
  allowImages(allowed) {
    const attach = find("attach");
    attach.disabled = !allowed;
    attach.title = allowed ? "Attach an image" : "This model does not accept images";
  }

  /** Edit a message. The text in the box is restored after the edit. */
  edit(message) {
    if (!this._edited) this._draft = { text: this._field.value, images: this._images };
    this._edited = message;
    this._fill(textOf(message.content), message.content.filter((block) => block.type === "image"));
    this.focus();
  }

  /** Put the draft back in place of the edit. */
  cancelEdit() {
    const { text, images } = this._draft;
    this._edited = this._draft = null;
    this._fill(text, images);
    this.focus();
  }

  /** Keep the text as a draft, which edits nothing: its message belongs to a conversation that is no longer shown. */
  stopEditing() {
    this._edited = this._draft = null;
    this._show();
  }

  /** Write text into the box. */
  write(text) {
    this._fill(text, this._images);
    this.focus();
  }

  _fill(text, images) {
    this._field.value = text;
    this._images = images;
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
    } else if (event.key === "Escape" && this._edited) this.cancelEdit();
  }

  _submit(mode) {
    const text = this._field.value.trim();
    if (this._running || (!text && !this._images.length)) return this.focus();
    const content = [...this._images, ...(text ? [{ type: "text", text }] : [])];
    if (!this._send(content, mode, this._edited)) return;
    const { text: draft, images } = this._draft ?? { text: "", images: [] };
    this._edited = this._draft = null;
    this._fill(draft, images);
  }

  _show() {
    find("editing").hidden = this._edited === null;
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

  /** Fit the height of the box to its text in browsers without `field-sizing`. */
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
    for (const file of images.slice(0, MAX_IMAGES - this._images.length)) this._images = [...this._images, await toBlock(file)];
    this._show();
    this.focus();
  }
}

/** Make a content block of an image file; a large image is scaled down. */
async function toBlock(file) {
  const bitmap = await createImageBitmap(file);
  const scale = MAX_SIDE / Math.max(bitmap.width, bitmap.height);
  const fits = scale >= 1 && file.size <= MAX_BYTES;
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
