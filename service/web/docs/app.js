// Builds the page: loads the OpenAPI document once, lists the streaming operations, and starts Swagger UI for all.

import { find, make } from "../element.js";
import { streamingCalls } from "./document.js";
import { showKinds } from "./kinds.js";
import { Panel } from "./trying.js";

const DARK = matchMedia("(prefers-color-scheme: dark)");

followScheme();
DARK.addEventListener("change", followScheme);
await begin();

/** Let Swagger UI follow the page's colour scheme. */
function followScheme() {
  document.documentElement.classList.toggle("dark-mode", DARK.matches);
}

async function begin() {
  const response = await fetch("/openapi.json").catch(() => null);
  if (!response?.ok) {
    find("state").textContent = "The API description could not be loaded. Reload the page.";
    return;
  }
  const spec = await response.json();
  find("version").textContent = spec.info.version;
  offer(streamingCalls(spec));
  // Swagger UI shows its own title below ours, and would validate the document with an external service.
  window.SwaggerUIBundle({ spec, dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null });
}

function offer(calls) {
  const panel = new Panel();
  const choice = find("call");
  choice.append(...calls.map((call, at) => make("option", { value: String(at) }, `${call.method} ${call.path}`)));
  const show = () => {
    const call = calls[Number(choice.value)];
    find("summary").textContent = call.summary;
    showKinds(find("kinds"), call.events);
    panel.offer(call);
  };
  choice.addEventListener("change", show);
  choice.disabled = false;
  show();
}
