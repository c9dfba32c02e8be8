// @ts-check
/** Starts CPython (Pyodide) from the bundle's parts, by a full boot or from a memory snapshot. */
import { connect } from 'cloudflare:sockets';
import { loadPyodide } from './pyodide.mjs';
import createPyodideModule from './pyodide.asm.mjs';
import { mountPack } from './filesystem.mjs';
import { host, HOST_MODULE } from './host.mjs';
import { restoreSnapshot } from './snapshot.mjs';

const NOWHERE = 'https://pyodide.invalid/';
const PYTHON_PATH = '/lib/python3.14:/lib/python3.14/site-packages';

/**
 * @typedef {object} BootOptions
 * @property {import('./filesystem.mjs').Pack} pack
 * @property {Record<string, string>} environment
 * @property {string} workingDirectory
 * @property {import('./container.mjs').ContainerReader} [snapshot]
 * @property {boolean} [recordable] make the interpreter one that `makeSnapshot` can serialize
 */

/**
 * @param {BootOptions} options
 * @returns {Promise<any>} Pyodide's API, with `_edgelift_host` registered and sockets open to the network
 */
export async function startInterpreter(options) {
  const { snapshot, recordable, workingDirectory } = options;
  const python = await loadPyodide({
    indexURL: NOWHERE,
    packageBaseUrl: NOWHERE,
    lockFileContents: { info: {}, packages: {} },
    createPyodideModule: (/** @type {any} */ settings) => createModule(settings, options),
    env: {
      HOME: '/home/worker',
      PYTHONPATH: `${PYTHON_PATH}:${workingDirectory}`,
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONUNBUFFERED: '1',
      ...options.environment,
    },
    stdout: (/** @type {string} */ line) => console.log(line),
    stderr: (/** @type {string} */ line) => console.error(line),
    _makeSnapshot: recordable ?? false,
    // Any true value: the bytes are put in place by `createModule` below, not by Pyodide.
    _loadSnapshot: snapshot ? new Uint8Array(8) : undefined,
    _snapshotDeserializer: deserialize,
  });
  await python._api.initializeNodeSockFS(connect);
  if (!snapshot) python.registerJsModule(HOST_MODULE, host);
  return python;
}

/**
 * @param {any} settings
 * @param {BootOptions} options
 */
async function createModule(settings, options) {
  // Without this Pyodide scans every installed distribution at boot, and refuses to make snapshots.
  delete settings.API.lockFilePromise;
  settings.preRun = [
    (/** @type {any} */ module) => prepareFiles(module, options),
    (/** @type {any} */ module) => Object.assign(module.ENV, settings.API.config.env),
  ];
  const module = await createPyodideModule(settings);
  if (options.snapshot) {
    const restored = await restoreSnapshot(module, options.snapshot);
    module.API.restoreSnapshot = () => restored;
  }
  return module;
}

/**
 * @param {any} module
 * @param {BootOptions} options
 */
function prepareFiles(module, options) {
  const version = module.HEAPU32[module._Py_Version >>> 2];
  module.API.pyVersionTuple = [(version >>> 24) & 255, (version >>> 16) & 255, (version >>> 8) & 255];
  const [major, minor] = module.API.pyVersionTuple;
  module.API.sitePackages = `/lib/python${major}.${minor}/site-packages`;
  for (const folder of [module.API.sitePackages, `/lib/python${major}.${minor}/lib-dynload`, '/home/worker']) {
    module.FS.mkdirTree(folder);
  }
  module.FS.mkdirTree(options.workingDirectory);
  mountPack(module.FS, options.pack);
  module.FS.chdir(options.workingDirectory);
}

/**
 * Name a JavaScript object that Python refers to, for a snapshot.
 * @param {unknown} object
 */
export function serialize(object) {
  if (object === host) return { host: null };
  for (const [name, value] of Object.entries(host)) if (value === object) return { host: name };
  const kind = Object.prototype.toString.call(object).slice(8, -1);
  const shown = typeof object === 'function' ? `function ${object.name}` : Object.keys(Object(object)).slice(0, 8);
  throw new Error(`Python holds a JavaScript object after the app's import: ${kind} (${shown})`);
}

/** @param {{ host: string | null }} named */
function deserialize(named) {
  return named.host === null ? host : /** @type {any} */ (host)[named.host];
}
