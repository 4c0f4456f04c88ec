// Calls the service: one way to ask, one kind of error, and the key where the service wants one.

import { find } from "./element.js";

const KEY = "artesian.key";

/** What the service refused, in its own words. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.error ?? problem.detail ?? `The service answered with status ${status}.`);
    this.status = status;
    this.code = problem.code ?? "";
    this.retryable = problem.retryable ?? status >= 500;
  }
}

/** Ask the service; `fetch` with the key. Throws a Refusal, or what fetch throws where there is no connection. */
export async function ask(path, { method = "GET", body, headers = {}, signal } = {}) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const response = await fetch(path, {
      method,
      signal,
      cache: "no-store",
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(key ? { Authorization: `Bearer ${key}` } : {}),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    if (response.status !== 401) throw new Refusal(response.status, problem);
    await askForKey(key ? `That key was not accepted. ${problem.error ?? ""}` : null);
  }
}

/** Ask, and read the answer's JSON. */
export async function askJson(path, options) {
  const response = await ask(path, options);
  return response.status === 204 ? null : response.json();
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;
export const forgetKey = () => sessionStorage.removeItem(KEY);

let asking = null;

/** Ask the user for a key, once however many calls need it. */
function askForKey(why) {
  asking ??= new Promise((resolve) => {
    const dialog = find("key");
    const field = find("key-value");
    if (why) find("key-note").textContent = why;
    field.value = "";
    dialog.oncancel = (event) => event.preventDefault(); // there is nothing to see without
    dialog.onclose = () => {
      sessionStorage.setItem(KEY, field.value.trim());
      field.value = "";
      asking = null;
      resolve();
    };
    dialog.showModal();
  });
  return asking;
}
