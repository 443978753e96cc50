// Draws with Vercel's AI SDK, unchanged: the provider for OpenAI and the one for compatible servers.
import fs from "node:fs";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateImage, generateText } from "ai";

const where = { baseURL: `${process.env.URL}/openai/v1`, apiKey: process.env.KEY };
const openai = createOpenAI(where);
const compatible = createOpenAICompatible({ ...where, name: "luminary" });
const told = {};

for (const [name, model] of [["openai", openai.image("gpt-image-1")], ["compatible", compatible.imageModel("tiny")]]) {
  const drawn = await generateImage({ model, prompt: "a red circle", n: 2, size: "1024x1024", maxRetries: 0 });
  told[name] = drawn.images.map((image) => image.mediaType);
  const prompt = { text: "make it blue", images: [fs.readFileSync("boat.png")], mask: fs.readFileSync("mask.png") };
  const edited = await generateImage({ model, prompt, maxRetries: 0 });
  told[`${name}_edit`] = edited.images.map((image) => image.mediaType);
}
const tools = { image_generation: openai.tools.imageGeneration({ outputFormat: "png" }) };
const answer = await generateText({ model: openai("tiny"), prompt: "a red umbrella", tools, maxRetries: 0 });
told.responses = answer.staticToolResults.map((result) => [result.toolName, result.output.result.slice(0, 8)]);
try {
  await generateImage({ model: compatible.imageModel("invalid-model"), prompt: "a", maxRetries: 0 });
} catch (error) {
  told.error = { status: error.statusCode, message: error.message };
}
console.log(JSON.stringify(told));
