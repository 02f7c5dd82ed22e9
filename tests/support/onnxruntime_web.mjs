// node onnxruntime_web.mjs NODE_MODULES MODEL IMAGE HEIGHT WIDTH DENSITY
// Computes the density of an image by onnxruntime-web; both files hold raw float32.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, model, image, height, width, density] = process.argv.slice(2);
const ort = createRequire(modules + "/")("onnxruntime-web");
const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(model)), {
  executionProviders: ["wasm"],
});
const pixels = new Float32Array(new Uint8Array(readFileSync(image)).buffer);
const shape = [1, Number(height), Number(width), 3];
const outputs = await session.run({ image: new ort.Tensor("float32", pixels, shape) });
writeFileSync(density, outputs.density.data);
