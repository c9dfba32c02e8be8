// @ts-check
/**
 * The build's own worker, the only one with the `UNSAFE_EVAL` binding: compiles sources with the wasm CPython and
 * makes the memory snapshot. Answers are containers; the WebAssembly modules met on the way are part of each.
 */
import { env } from 'cloudflare:workers';
import { readContainer, writeContainer } from './container.mjs';
import { listNodes } from './filesystem.mjs';
import { serialize, startInterpreter } from './interpreter.mjs';
import { describeTable, makeSnapshot } from './snapshot.mjs';
import { recordedModules } from './wasm_lookup.mjs';

/** Databases with the schema and no rows, for what the app's import asks about its tables. */
export { D1Database, D1Service } from './d1.mjs';
export { SqlObject } from './sql_object.mjs';

/**
 * @typedef {object} BuildRequest
 * @property {Record<string, string>} environment
 * @property {string} workingDirectory
 * @property {string} program   Python source that defines the functions called below
 * @property {string[]} [paths]      of the sources to compile
 * @property {string} [settings] the settings document, as JSON text
 */

/**
 * @param {BuildRequest} request
 * @param {boolean} recordable
 */
async function boot(request, recordable) {
  const answer = await env.FILES.fetch('http://files/files.pack');
  if (!answer.ok) throw new Error(`files.pack: HTTP ${answer.status}`);
  const { environment, workingDirectory } = request;
  const pack = readContainer(await answer.arrayBuffer());
  return startInterpreter({ pack, environment, workingDirectory, recordable });
}

/**
 * @param {object} head
 * @param {Uint8Array[]} parts
 */
function answerWith(head, parts) {
  const modules = [...recordedModules];
  const recorded = modules.map(([key, bytes]) => [key, bytes.length]);
  return new Response(writeContainer({ ...head, recorded }, [...parts, ...modules.map(([, bytes]) => bytes)]));
}

/** @param {BuildRequest} request */
async function compileFiles(request) {
  const python = await boot(request, false);
  const scope = python.runPython('{}');
  python.runPython(request.program, { globals: scope });
  const compiled = scope.get('compile_files')(JSON.stringify(request.paths)).toJs();
  const files = compiled.map((/** @type {Uint8Array} */ bytes) => bytes.length);
  return answerWith({ files }, compiled);
}

/** @param {BuildRequest} request */
async function snapshotApp(request) {
  const python = await boot(request, true);
  // Its names must not stay in the snapshot: a module of its own, dropped again before the heap is written.
  const scope = python.runPython('{}');
  python.runPython(request.program, { globals: scope });
  const nodesBefore = listNodes(python._module.FS);
  const configure = scope.get('configure_app');
  const report = JSON.parse(await configure.callPromising(request.settings));
  configure.destroy();
  scope.destroy();
  if (report.error) return answerWith({ report }, []);
  try {
    const { head, parts } = makeSnapshot(python, serialize, nodesBefore);
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    return answerWith({ report, snapshot: head, size, table: describeTable(python._module) }, parts);
  } catch (error) {
    return answerWith({ report: { ...report, error: error instanceof Error ? error.message : String(error) } }, []);
  }
}

export default {
  /** @param {Request} request */
  async fetch(request) {
    const { pathname } = new URL(request.url);
    try {
      const body = await request.json();
      return await (pathname === '/compile' ? compileFiles(body) : snapshotApp(body));
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      console.error(text);
      return new Response(text, { status: 500 });
    }
  },
};
