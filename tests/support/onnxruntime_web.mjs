// node onnxruntime_web.mjs NODE_MODULES MODEL IMAGE HEIGHT WIDTH DENSITY
// onnxruntime-web computes the density of an image; both are raw float32.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, model, image, height, width, density] = process.argv.slice(2);
const ort = createRequire(modules + "/")("onnxruntime-web");
const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(model)), {
  executionProviders: ["wasm"],
});
const pixels = new Float32Array(new Uint8Array(readFileSync(image)).buffer);
const shape = [1, Number(height), Number(width), 3];
const found = await session.run({ image: new ort.Tensor("float32", pixels, shape) });
writeFileSync(density, found.density.data);
