// @ts-check
/**
 * The globals that Pyodide's two files see, by an import line the build puts on top of them.
 *
 * workerd does not compile WebAssembly from bytes at run time. Every module Pyodide asks for is therefore a
 * precompiled module of the bundle, found by its bytes (`wasm_table.mjs`, written by the build). Only the build's
 * own boot has the `UNSAFE_EVAL` binding; there unknown bytes are compiled and remembered.
 */
import { env } from 'cloudflare:workers';
import { mainModule, modulesByKey } from './wasm_table.mjs';

const real = globalThis.WebAssembly;
/** Modules that are keyed by their whole bytes are short; side modules carry their key in a custom section. */
const LONGEST_KEYED_BY_BYTES = 4096;
const KEY_SECTION = 'edgelift:';

/** @type {Map<string, Uint8Array>} modules compiled in this boot that the bundle does not have, by key */
export const recordedModules = new Map();

/** @param {Uint8Array} bytes */
export function toHex(bytes) {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/**
 * The key written into the last custom section of a stub, or the bytes themselves as hex.
 * @param {Uint8Array} bytes
 */
function readKey(bytes) {
  const tail = new TextDecoder('latin1').decode(bytes.subarray(Math.max(0, bytes.length - 64 - KEY_SECTION.length)));
  const at = tail.indexOf(KEY_SECTION);
  if (at >= 0) return tail.slice(at + KEY_SECTION.length);
  return bytes.length <= LONGEST_KEYED_BY_BYTES ? toHex(bytes) : '';
}

/**
 * @param {BufferSource} source
 * @returns {WebAssembly.Module}
 */
function findModule(source) {
  const bytes = ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
  const key = readKey(bytes);
  const known = modulesByKey.get(key);
  if (known) return known;
  if (!env.UNSAFE_EVAL) {
    const message =
      `edgelift: a WebAssembly module of ${bytes.length} bytes was asked for at run time that the build did not ` +
      `record (${toHex(bytes.subarray(0, 64))}). Run the code that needs it at import, so that the build meets it; ` +
      'most often it is a ctypes callback with a new signature.';
    // Pyodide's callers turn the exception into a bare error number: the log is where the reason stays.
    console.error(message);
    throw new real.CompileError(message);
  }
  const copy = bytes.slice();
  if (key) recordedModules.set(key, copy);
  return env.UNSAFE_EVAL.newWasmModule(copy);
}

const Module = new Proxy(real.Module, {
  construct: (_target, [source]) => findModule(source),
});

/** The WebAssembly namespace with its compiling members replaced by the look-up. */
export const WebAssembly = Object.create(Object.prototype, {
  ...Object.getOwnPropertyDescriptors(real),
  Module: { value: Module },
  compile: { value: async (/** @type {BufferSource} */ source) => findModule(source) },
  instantiate: {
    value: async (/** @type {any} */ source, /** @type {WebAssembly.Imports} */ imports) => {
      if (source instanceof real.Module) return new real.Instance(source, imports ?? {});
      const module = findModule(source);
      return { module, instance: new real.Instance(module, imports ?? {}) };
    },
  },
  // Pyodide streams exactly one file: its own main module.
  instantiateStreaming: {
    value: async (/** @type {unknown} */ _response, /** @type {WebAssembly.Imports} */ imports) => ({
      module: mainModule,
      instance: new real.Instance(mainModule, imports),
    }),
  },
});

/** Under nodejs_compat `process` exists and Pyodide would take workerd for Node. */
export const process = undefined;
export const location = new URL('https://pyodide.invalid/');
/** workerd refuses `useCapture`, and nothing that Pyodide listens for happens here. */
export const addEventListener = () => {};
/** Pyodide fetches its wasm and its standard library: both come from the bundle, so the answers are not read. */
export const fetch = async () => new Response(new Uint8Array(0));
