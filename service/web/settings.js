// The settings dialog: the conversation's own (system prompt, how many messages), and the parameters of each answer.

import { forgetKey, hasKey } from "./api.js";
import { find } from "./element.js";

const KEPT = "artesian.parameters";
const USUAL = { max_tokens: 2000, max_messages: 10 };

/** The settings. `onChange({system, max_messages})` is told when those of the conversation were changed. */
export class Settings {
  constructor({ onChange }) {
    this._fields = {
      system: find("system"),
      max_messages: find("max-messages"),
      max_tokens: find("max-tokens"),
      temperature: find("temperature"),
      reasoning: find("reasoning"),
    };
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
    this._fields.max_tokens.value = kept.max_tokens ?? USUAL.max_tokens;
    this._fields.temperature.value = kept.temperature ?? "";
    this._fields.reasoning.value = kept.reasoning ?? "";
    this.show({});
    const dialog = find("settings");
    find("open-settings").addEventListener("click", () => {
      find("forget-key").hidden = !hasKey();
      dialog.showModal();
    });
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "forget") {
        forgetKey();
        location.reload();
      }
      this._keep();
      onChange(this.ofConversation);
    });
  }

  /** What belongs to the conversation. */
  get ofConversation() {
    return {
      system: this._fields.system.value.trim() || null,
      max_messages: number(this._fields.max_messages) ?? USUAL.max_messages,
    };
  }

  /** What goes along with each message. */
  get parameters() {
    const { temperature, reasoning } = this._fields;
    const thinks = reasoning.value && !reasoning.disabled;
    return {
      max_tokens: (number(this._fields.max_tokens) ?? USUAL.max_tokens) + (thinks ? 4096 : 0),
      ...(number(temperature) === null || thinks ? {} : { temperature: number(temperature) }),
      ...(thinks ? { reasoning: { effort: reasoning.value } } : {}),
    };
  }

  /** Show a conversation's own. */
  show({ system = null, max_messages = USUAL.max_messages }) {
    this._fields.system.value = system ?? "";
    this._fields.max_messages.value = max_messages;
  }

  /** Offer what the model can. */
  allow({ reasoning, system }) {
    this._fields.reasoning.disabled = reasoning === false;
    this._fields.system.disabled = system === false;
  }

  _keep() {
    const { max_tokens, temperature, reasoning } = this._fields;
    sessionStorage.setItem(KEPT, JSON.stringify({ max_tokens: max_tokens.value, temperature: temperature.value, reasoning: reasoning.value }));
  }
}

function number(field) {
  return field.value === "" || !field.checkValidity() ? null : field.valueAsNumber;
}
