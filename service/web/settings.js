// The settings dialog: settings of the conversation (system prompt, history length) and parameters of each answer.

import { forgetKey, hasKey } from "./api.js";
import { find } from "./element.js";

const STORAGE_KEY = "artesian.parameters";
const DEFAULTS = { max_tokens: 2000, max_messages: 10 };

/** The settings. `onChange({system, max_messages})` is called when the dialog closes. */
export class Settings {
  constructor({ onChange }) {
    this._fields = {
      system: find("system"),
      max_messages: find("max-messages"),
      max_tokens: find("max-tokens"),
      temperature: find("temperature"),
      reasoning: find("reasoning"),
    };
    const kept = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "{}");
    this._fields.max_tokens.value = kept.max_tokens ?? DEFAULTS.max_tokens;
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
      this._save();
      onChange(this.ofConversation);
    });
  }

  /** The settings of the conversation. */
  get ofConversation() {
    return {
      system: this._fields.system.value.trim() || null,
      max_messages: number(this._fields.max_messages) ?? DEFAULTS.max_messages,
    };
  }

  /** The parameters that are sent with each message. */
  get parameters() {
    const { temperature, reasoning } = this._fields;
    const reasons = reasoning.value && !reasoning.disabled;
    return {
      max_tokens: (number(this._fields.max_tokens) ?? DEFAULTS.max_tokens) + (reasons ? 4096 : 0),
      ...(number(temperature) === null || reasons ? {} : { temperature: number(temperature) }),
      ...(reasons ? { reasoning: { effort: reasoning.value } } : {}),
    };
  }

  /** Show the settings of a conversation. */
  show({ system = null, max_messages = DEFAULTS.max_messages }) {
    this._fields.system.value = system ?? "";
    this._fields.max_messages.value = max_messages;
  }

  /** Enable what the model supports. */
  allow({ reasoning, system }) {
    this._fields.reasoning.disabled = reasoning === false;
    this._fields.system.disabled = system === false;
  }

  _save() {
    const { max_tokens, temperature, reasoning } = this._fields;
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ max_tokens: max_tokens.value, temperature: temperature.value, reasoning: reasoning.value }));
  }
}

function number(field) {
  return field.value === "" || !field.checkValidity() ? null : field.valueAsNumber;
}
