// The model picker, and what the chosen model can do.

import { askJson } from "./api.js";
import { find, make } from "./element.js";

const CHOSEN = "artesian.model";
const WORDS = { images: "images", documents: "documents", tools: "tools", reasoning: "reasoning", continuation: "goes on after a break" };

/** The picker. `onChange(id, capabilities)` is told of each choice. */
export class Models {
  constructor({ onChange }) {
    this._onChange = onChange;
    this._select = find("model");
    this._models = new Map();
    this._select.addEventListener("change", () => {
      sessionStorage.setItem(CHOSEN, this._select.value);
      this._tell(true);
    });
  }

  /** The chosen model's id. */
  get chosen() {
    return this._select.value || null;
  }

  /** What the chosen model can do. */
  get capabilities() {
    return this._models.get(this._select.value)?.capabilities ?? {};
  }

  /** Ask what there is. */
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
    this._usual = usual ?? models[0]?.id; // a key may not be for the usual one
    this.choose(sessionStorage.getItem(CHOSEN) ?? this._usual);
  }

  /** Choose a model, one that is not in the list too. */
  choose(id) {
    const wanted = id ?? this._usual;
    if (wanted && !this._models.has(wanted)) {
      this._models.set(wanted, { id: wanted, capabilities: {} });
      this._select.prepend(make("option", { value: wanted }, wanted));
    }
    this._select.value = wanted;
    this._tell(false);
  }

  _tell(byHand) {
    const can = this.capabilities;
    const words = Object.keys(WORDS).filter((name) => can[name]).map((name) => WORDS[name]);
    find("abilities").textContent = [...words, ...(can.streaming === false ? ["comes in one piece"] : [])].join(" · ");
    this._onChange(this._select.value, can, byHand);
  }
}

/** A model's name, with its region's profile where several share the name. */
function label(model, models) {
  const twins = models.filter((other) => other.name === model.name);
  const profile = /^(global|us-gov|us|eu|apac|au|jp|ca|sa)\./.exec(model.id)?.[1];
  return twins.length > 1 && profile ? `${model.name} (${profile})` : model.name;
}
