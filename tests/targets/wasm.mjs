// Runs the golden workload in WebAssembly: node wasm.mjs PROGRAM.wasm
import { readFileSync } from "node:fs";

let memory;
const print = (text, length) => process.stdout.write(Buffer.from(new Uint8Array(memory.buffer, text, length)));
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { host: { print } });
memory = instance.exports.memory;
process.exitCode = instance.exports.golden();
