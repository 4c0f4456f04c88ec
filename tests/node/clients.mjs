// Runs other people's clients against the service whose address is the first argument, and writes one line of JSON for
// each check: {"name": …} or {"name": …, "error": …}.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const url = process.argv[2];
const model = "global.anthropic.claude-haiku-4-5-20251001-v1:0";
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const both = "What is the weather in Oslo, and what is the time there?";
const names = { get_weather: "The weather of a city", get_time: "The local time of a city" };
const pauses = "slow-first=0.03+pause=0.03@1+pause=0.03@2+pause=0.03@3"; // several heartbeats long, each

const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "key", maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: url, apiKey: "key", maxRetries: 0 });
const fault = (script) => ({ headers: { "X-Artesian-Fault": script } });

const passing = new Set(["id", "created", "created_at", "completed_at", "parsed", "parsed_arguments", "index", "call_id", "_request_id", "request_id", "tool_use_id", "output_text", "output_parsed", "parsed_output"]);
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  const members = Object.entries(value).filter(([name, member]) => !passing.has(name) && member !== null && member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, plain(member)]));
}

const chat = {
  text: { model, messages: [{ role: "user", content: "Tell me about wells." }] },
  tools: {
    model,
    messages: [{ role: "user", content: both }],
    tools: Object.entries(names).map(([name, description]) => ({ type: "function", function: { name, description, parameters: schema } })),
  },
};
const responses = {
  text: { model, input: "Tell me about wells." },
  tools: { model, input: both, tools: Object.entries(names).map(([name, description]) => ({ type: "function", name, description, parameters: schema, strict: false })) },
  reasoning: { model, input: "Why do wells flow?", reasoning: { effort: "low" } },
};
const messages = {
  text: { model, max_tokens: 4000, messages: [{ role: "user", content: "Tell me about wells." }] },
  tools: { model, max_tokens: 4000, messages: [{ role: "user", content: both }], tools: Object.entries(names).map(([name, description]) => ({ name, description, input_schema: schema })) },
  thinking: { model, max_tokens: 4000, messages: [{ role: "user", content: "Why do wells flow?" }], thinking: { type: "enabled", budget_tokens: 1500 } },
};

const checks = {};

for (const [name, asked] of Object.entries(chat)) {
  checks[`openai: a chat's accumulated stream is the whole answer: ${name}`] = async () => {
    const whole = await openai.chat.completions.create(asked);
    const stream = openai.chat.completions.stream({ ...asked, stream_options: { include_usage: true } }, fault(pauses));
    assert.deepEqual(plain(await stream.finalChatCompletion()), plain(whole));
  };
}
for (const [name, asked] of Object.entries(responses)) {
  checks[`openai: a response's accumulated stream is the whole answer: ${name}`] = async () => {
    const whole = await openai.responses.create(asked);
    assert.deepEqual(plain(await openai.responses.stream(asked, fault(pauses)).finalResponse()), plain(whole));
  };
}
checks["openai: its tool runner runs to the end"] = async () => {
  const asked = [];
  const runner = openai.chat.completions.runTools({
    ...chat.tools,
    tools: Object.entries(names).map(([name, description]) => ({
      type: "function",
      function: { name, description, parameters: schema, parse: JSON.parse, function: ({ city }) => (asked.push(`${name} ${city}`), `rain over ${city}`) },
    })),
  });
  assert.match(await runner.finalContent(), /rain over Oslo/);
  assert.deepEqual(asked, ["get_weather Oslo", "get_time Oslo"]);
};
checks["openai: a background response is gone on with after its connection was cut"] = async () => {
  const seen = [];
  const stream = await openai.responses.create({ ...responses.text, background: true, stream: true }, fault("pause=0.3@3"));
  for await (const event of stream) {
    seen.push(event);
    if (event.type === "response.output_text.delta") break; // which aborts the request
  }
  const after = seen.at(-1).sequence_number;
  for await (const event of await openai.responses.retrieve(seen[0].response.id, { stream: true, starting_after: after })) seen.push(event);
  assert.deepEqual(seen.map((event) => event.sequence_number), [...seen.keys()]);
  assert.equal(seen.at(-1).type, "response.completed");
  const said = seen.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta).join("");
  assert.equal(seen.at(-1).response.output[0].content[0].text, said);
};
checks["openai: errors have their class"] = async () => {
  await assert.rejects(openai.chat.completions.create({ ...chat.text, model: "claude-haiku" }), (error) => error instanceof OpenAI.NotFoundError && /anthropic\.claude/.test(error.message));
  await assert.rejects(openai.responses.create({ ...responses.text, previous_response_id: `resp_${"0".repeat(32)}` }), (error) => error instanceof OpenAI.BadRequestError && error.code === "previous_response_not_found");
  await assert.rejects(openai.chat.completions.create(chat.text, fault("throttle*")), OpenAI.RateLimitError);
};
checks["openai: a failure in mid-stream is raised"] = async () => {
  const stream = await openai.chat.completions.create({ ...chat.text, stream: true }, fault("cut@3*"));
  await assert.rejects(async () => { for await (const _ of stream); }, OpenAI.APIError);
};
checks["openai: models are listed and found"] = async () => {
  const listed = [];
  for await (const one of openai.models.list()) listed.push(one.id);
  assert.ok(listed.includes(model));
  assert.equal((await openai.models.retrieve(model)).id, model);
};

for (const [name, asked] of Object.entries(messages)) {
  checks[`anthropic: the accumulated stream is the whole message: ${name}`] = async () => {
    const whole = await anthropic.messages.create(asked);
    assert.deepEqual(plain(await anthropic.messages.stream(asked, fault(pauses)).finalMessage()), plain(whole));
  };
}
checks["anthropic: its tool runner runs to the end"] = async () => {
  const asked = [];
  const runner = anthropic.beta.messages.toolRunner({
    ...messages.tools,
    tools: Object.entries(names).map(([name, description]) => ({
      name, description, input_schema: schema, parse: (input) => input, run: ({ city }) => (asked.push(`${name} ${city}`), `rain over ${city}`),
    })),
  });
  const message = await runner.runUntilDone();
  assert.match(message.content.at(-1).text, /rain over Oslo/);
  assert.deepEqual(asked.sort(), ["get_time Oslo", "get_weather Oslo"]);
};
checks["anthropic: errors have their class"] = async () => {
  await assert.rejects(anthropic.messages.create({ ...messages.text, model: "claude-haiku" }), (error) => error instanceof Anthropic.NotFoundError && /anthropic\.claude/.test(error.message) && Boolean(error.requestID));
  await assert.rejects(anthropic.messages.create(messages.text, fault("http=503*")), (error) => error.status === 529);
  await assert.rejects(anthropic.messages.create(messages.text, fault("throttle*")), Anthropic.RateLimitError);
};
checks["anthropic: a failure in mid-stream is raised"] = async () => {
  await assert.rejects(anthropic.messages.stream(messages.text, fault("cut@3*")).finalMessage(), Anthropic.APIError);
};
checks["anthropic: tokens are counted and models listed"] = async () => {
  const { max_tokens, ...counted } = messages.text;
  assert.ok((await anthropic.messages.countTokens(counted)).input_tokens > 0);
  const listed = [];
  for await (const one of anthropic.models.list({ limit: 100 })) listed.push(one.id);
  assert.ok(listed.includes(model));
};

const beating = { fetch: (address, init) => fetch(address, { ...init, headers: { ...init.headers, "X-Artesian-Fault": pauses } }) };
const providers = {
  "ai with @ai-sdk/openai": createOpenAI({ baseURL: `${url}/v1`, apiKey: "key", ...beating })(model),
  "ai with @ai-sdk/openai, chat": createOpenAI({ baseURL: `${url}/v1`, apiKey: "key", ...beating }).chat(model),
  "ai with @ai-sdk/openai-compatible": createOpenAICompatible({ name: "artesian", baseURL: `${url}/v1`, apiKey: "key", includeUsage: true, ...beating })(model),
  "ai with @ai-sdk/anthropic": createAnthropic({ baseURL: `${url}/v1`, apiKey: "key", ...beating })(model),
};
const reasoning = {
  "ai with @ai-sdk/openai": { openai: { reasoningEffort: "low", forceReasoning: true } },
  "ai with @ai-sdk/openai-compatible": { artesian: { reasoningEffort: "low" } },
  "ai with @ai-sdk/anthropic": { anthropic: { thinking: { type: "enabled", budgetTokens: 1500 } } },
};
const tools = Object.fromEntries(
  Object.entries(names).map(([name, description]) => [name, tool({ description, inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => `rain over ${city}` })]),
);
for (const [name, provider] of Object.entries(providers)) {
  checks[`${name}: the streamed text is the whole one`] = async () => {
    const asked = { model: provider, prompt: "Tell me about wells.", maxRetries: 0 };
    const whole = await generateText(asked);
    const stream = streamText({ ...asked, onError: () => {} });
    let said = "";
    for await (const piece of stream.textStream) said += piece;
    assert.equal(said, whole.text);
    assert.equal(await stream.finishReason, "stop");
    assert.equal((await stream.usage).outputTokens, whole.usage.outputTokens);
    assert.ok(whole.usage.outputTokens > 10);
  };
  checks[`${name}: calls are made and answered, step by step`] = async () => {
    for (const options of [undefined, reasoning[name]]) {
      const stream = streamText({ model: provider, prompt: both, tools, stopWhen: stepCountIs(4), maxRetries: 0, providerOptions: options, onError: () => {} });
      assert.match(await stream.text, /rain over Oslo/);
      const steps = await stream.steps;
      assert.deepEqual(steps.map((step) => step.finishReason), ["tool-calls", "stop"]);
      assert.deepEqual(steps[0].toolCalls.map((call) => [call.toolName, call.input.city]), [["get_weather", "Oslo"], ["get_time", "Oslo"]]);
      if (options) assert.ok(steps[0].reasoningText);
    }
  };
}
checks["ai with @ai-sdk/anthropic: an unknown model is a 404"] = async () => {
  const unknown = createAnthropic({ baseURL: `${url}/v1`, apiKey: "key" })("claude-haiku");
  await assert.rejects(generateText({ model: unknown, prompt: "Hi", maxRetries: 0 }), (error) => error.statusCode === 404 && /anthropic\.claude/.test(error.message));
};

for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(JSON.stringify({ name }));
  } catch (error) {
    console.log(JSON.stringify({ name, error: String(error?.stack ?? error) }));
  }
}
