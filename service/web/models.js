// The model picker, and the capabilities of the chosen model.

import { askJson } from "./api.js";
import { find, make } from "./element.js";

const CHOSEN = "artesian.model";
const LABELS = { images: "images", documents: "documents", tools: "tools", reasoning: "reasoning", continuation: "resumable" };

/** The picker. `onChange(id, capabilities)` is called for each choice. */
export class Models {
  constructor({ onChange }) {
    this._onChange = onChange;
    this._select = find("model");
    this._models = new Map();
    this._select.addEventListener("change", () => {
      sessionStorage.setItem(CHOSEN, this._select.value);
      this._wanted = this._select.value;
      this._changed(true);
    });
  }

  /** The id of the chosen model; before the list is loaded the one that was chosen last in this tab, or null. */
  get chosen() {
    return this._select.value || sessionStorage.getItem(CHOSEN);
  }

  /** The capabilities of the chosen model. */
  get capabilities() {
    return this._models.get(this._select.value)?.capabilities ?? {};
  }

  /** Load the list of models. */
  async load() {
    const { models, default: usual } = await askJson("/api/models");
    const groups = new Map();
    for (const model of models) {
      this._models.set(model.id, model);
      if (!groups.has(model.provider)) groups.set(model.provider, []);
      groups.get(model.provider).push(make("option", { value: model.id, title: model.id }, label(model, models)));
    }
    const providers = [...groups.keys()].sort((one, other) => one.localeCompare(other));
    this._select.replaceChildren(...providers.map((name) => make("optgroup", { label: name }, ...groups.get(name))));
    this._usual = usual ?? models[0]?.id; // a key may not include the default model
    this.choose(this._wanted ?? sessionStorage.getItem(CHOSEN));
  }

  /** Choose a model, which need not be in the list. */
  choose(id) {
    this._wanted = id; // the list may be loaded later
    const wanted = id ?? this._usual;
    if (wanted && !this._models.has(wanted)) {
      this._models.set(wanted, { id: wanted, capabilities: {} });
      this._select.prepend(make("option", { value: wanted }, wanted));
    }
    this._select.value = wanted;
    this._changed(false);
  }

  _changed(byUser) {
    const can = this.capabilities;
    const labels = Object.keys(LABELS).filter((name) => can[name]).map((name) => LABELS[name]);
    find("abilities").textContent = [...labels, ...(can.streaming === false ? ["no streaming"] : [])].join(" · ");
    this._onChange(this._select.value, can, byUser);
  }
}

/** The name of a model, with the region prefix of its inference profile where several share the name. */
function label(model, models) {
  const twins = models.filter((other) => other.name === model.name);
  const profile = /^(global|us-gov|us|eu|apac|au|jp|ca|sa)\./.exec(model.id)?.[1];
  return twins.length > 1 && profile ? `${model.name} (${profile})` : model.name;
}
