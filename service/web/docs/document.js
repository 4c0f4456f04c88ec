// Reads the OpenAPI document: which operations stream, and the members of their events.

/** The operations of a document that return Server-Sent Events, in order. */
export function streamingCalls(document) {
  const calls = [];
  for (const [path, operations] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(operations)) {
      const item = operation.responses?.["200"]?.content?.["text/event-stream"]?.itemSchema;
      if (!item) continue;
      calls.push({
        path,
        method: method.toUpperCase(),
        summary: operation.summary ?? "",
        hasBody: Boolean(operation.requestBody),
        events: eventsOf(document, item),
      });
    }
  return calls;
}

/** The events that an `itemSchema` allows: `{name, description, members: [{name, type, required}]}`. */
function eventsOf(document, item) {
  return branches(document, item).flatMap(({ properties }) =>
    branches(document, properties.data)
      .flatMap((data) => (data.contentSchema ? branches(document, data.contentSchema) : [data]))
      .map((shape) => event(document, properties.event?.const, shape)),
  );
}

function event(document, name, shape) {
  if (shape.const !== undefined) return { name: name ?? "message", description: `The text ${shape.const}`, members: [] };
  const members = Object.entries(shape.properties ?? {}).map(([member, schema]) => ({
    name: member,
    type: typeOf(document, schema),
    required: (shape.required ?? []).includes(member),
  }));
  return { name: name ?? "message", description: shape.description ?? "", members };
}

/** The alternatives of a schema, with references resolved. */
function branches(document, schema) {
  const found = resolved(document, schema);
  return found.anyOf ? found.anyOf.flatMap((each) => branches(document, each)) : [found];
}

function resolved(document, schema) {
  if (!schema.$ref) return schema;
  const parts = schema.$ref.replace("#/", "").split("/");
  return parts.reduce((inside, part) => inside[part], document);
}

/** A schema's type in a few words. A reference is its name, so that recursion ends. */
function typeOf(document, schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1).replace(/Shape$/, "");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  const among = schema.anyOf ?? schema.oneOf;
  if (among) return among.map((each) => typeOf(document, each)).join(" or ");
  if (schema.type === "array") return `list of ${typeOf(document, schema.items ?? {})}`;
  return schema.type ?? "anything";
}
