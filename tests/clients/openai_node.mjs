// Draws with OpenAI's Node package, unchanged, and prints what it has read as JSON.
import fs from "node:fs";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: `${process.env.URL}/openai/v1`, apiKey: process.env.KEY, maxRetries: 0 });
const boat = () => toFile(fs.createReadStream("boat.png"), "boat.png", { type: "image/png" });
const mask = () => toFile(fs.createReadStream("mask.png"), "mask.png", { type: "image/png" });
const told = {};

const drawn = await client.images.generate({ model: "gpt-image-1", prompt: "a red circle", n: 2, size: "1024x1024", seed: 3 });
told.generate = { pictures: drawn.data.map((one) => one.b64_json.slice(0, 8)), size: drawn.size, tokens: drawn.usage.total_tokens };

const edited = await client.images.edit({ prompt: "make it blue", image: await boat(), mask: await mask() });
told.edit = edited.data.map((one) => one.b64_json.slice(0, 8));
const several = await client.images.edit({ prompt: "make it blue", image: [await boat(), await boat()] });
told.several = several.data.length;

told.stream = [];
for await (const event of await client.images.generate({ prompt: "a red circle", stream: true, partial_images: 2 })) {
  told.stream.push(event.type);
}

const errors = { model: { model: "invalid-model", prompt: "a" }, field: { prompt: "a", size: "large" } };
told.errors = {};
for (const [name, body] of Object.entries(errors)) {
  try {
    await client.images.generate(body);
  } catch (error) {
    told.errors[name] = { kind: error.constructor.name, code: error.code, param: error.param, type: error.type };
  }
}
try {
  await new OpenAI({ baseURL: client.baseURL, apiKey: "lum_wrong" }).models.list();
} catch (error) {
  told.errors.key = { kind: error.constructor.name };
}

const line = (id) => JSON.stringify({ custom_id: id, method: "POST", url: "/v1/images/generations", body: { prompt: "a red circle" } });
const input = await client.files.create({ purpose: "batch", file: await toFile(Buffer.from(`${line("a")}\n${line("b")}`), "in.jsonl") });
let batch = await client.batches.create({ input_file_id: input.id, endpoint: "/v1/images/generations", completion_window: "24h" });
while (!["completed", "failed"].includes(batch.status)) {
  await new Promise((resolve) => setTimeout(resolve, 500));
  batch = await client.batches.retrieve(batch.id);
}
const output = await (await client.files.content(batch.output_file_id)).text();
told.batch = { counts: batch.request_counts, ids: output.trim().split("\n").map((text) => JSON.parse(text).custom_id) };
const tool = { type: "image_generation" };
const ask = (input, more = {}) => client.responses.create({ model: "tiny", input, tools: [tool], ...more });
const first = await ask("a red umbrella", { tools: [{ ...tool, seed: 7 }] });
const second = await ask("make the umbrella blue", { previous_response_id: first.id });
const events = [];
for await (const event of await ask("make the umbrella green", { previous_response_id: second.id, stream: true })) {
  events.push(event);
}
const third = events.at(-1).response;
const results = [first, second, third].map((response) => response.output[0].result);
const kept = await client.responses.retrieve(third.id);
told.responses = {
  pictures: results.map((result) => result.slice(0, 8)),
  different: new Set(results).size,
  last: events.at(-1).type,
  same: kept.output[0].result === results[2],
  previous: third.previous_response_id === second.id,
};

told.models = (await client.models.list()).data.map((model) => model.id);
console.log(JSON.stringify(told));
