// Calls the service: one way to send a request, one kind of error, and the API key when the service requires one.

import { find } from "./element.js";

const KEY = "artesian.key";

/** An error whose message is written for the user. */
export class Failure extends Error {}

/** An error response of the service. `code` is empty when the response is not one of its own, a proxy's for example. */
export class Refusal extends Failure {
  constructor(status, problem) {
    super(problem.error ?? problem.detail ?? `The service answered with status ${status}.`);
    this.status = status;
    this.code = problem.code ?? "";
    this.retryable = problem.retryable ?? status >= 500;
  }
}

/** Describe an error in a sentence for the user. */
export function reasonOf(error) {
  if (error instanceof Failure) return error.message;
  if (error instanceof TypeError) return "The service cannot be reached."; // what fetch throws without a connection
  console.error(error);
  return "Something went wrong on this page.";
}

/** Send a request with the key. Throws a Refusal, or what fetch throws without a connection. */
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
    if (sessionStorage.getItem(KEY) !== key) continue; // another request has asked the user for it
    await askForKey(key ? `That key was not accepted. ${problem.error ?? ""}` : null);
  }
}

/** Send a request and read the JSON of its response. */
export async function askJson(path, options) {
  const response = await ask(path, options);
  return response.status === 204 ? null : response.json();
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;
export const forgetKey = () => sessionStorage.removeItem(KEY);

let asking = null;

/** Ask the user for a key, once for all requests that need it. */
function askForKey(why) {
  asking ??= new Promise((resolve) => {
    const dialog = find("key");
    const field = find("key-value");
    if (why) find("key-note").textContent = why;
    field.value = "";
    dialog.oncancel = (event) => event.preventDefault(); // the page is empty without a key
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
