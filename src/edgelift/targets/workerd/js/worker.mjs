// @ts-check
/**
 * The lifted app's worker on the local runtime: starts Python in the first request and hands it every request as
 * flat strings and bytes. The contract with Python is written in src/edgelift/worker/runtime.py (PROTOCOL).
 */
import { env } from 'cloudflare:workers';
import { answerAsset } from './assets.mjs';
import assets from './assets.json';
import { openCall, openInbox } from './calls.mjs';
import { ContainerReader, readContainer } from './container.mjs';
import { closeRequest, connectPython, openRequest, takeAnswer } from './host.mjs';
import { startInterpreter } from './interpreter.mjs';
import { describeTable } from './snapshot.mjs';
import settings from './settings.json';

const CONTROL_HEADER = 'x-edgelift-control';
const LARGEST_WHOLE_BODY_BYTES = 1_048_576;
/** Statuses for which the Response constructor refuses a body. */
const EMPTY_STATUSES = new Set([101, 204, 205, 304]);
const BOOT_POLL_MS = 100;

/**
 * @typedef {object} Python the running interpreter and its entry points
 * @property {any} api
 * @property {(...parameters: unknown[]) => Promise<undefined>} handle
 * @property {(head: string) => string | number} placeHead
 * @property {(streamId: number) => Promise<Uint8Array | undefined>} nextChunk
 * @property {any} closeStream
 * @property {any} endRequest
 * @property {any} scheduled
 * @property {object} boot measurements of the start
 */

/** @type {Python | null} */
let python = null;
/** @type {Promise<Python> | null} */
let booting = null;
let answered = 0;

/** @param {string} name */
async function openFile(name) {
  const answer = await env.FILES.fetch(`http://files/${name}`);
  if (!answer.ok || !answer.body) throw new Error(`the bundle's ${name} cannot be read: HTTP ${answer.status}`);
  return answer;
}

async function openSnapshot() {
  const { body } = await openFile('snapshot.bin');
  return new ContainerReader(/** @type {ReadableStream} */ (body));
}

/**
 * The function table after a restore. Where databases are on servers, the app's own start is left out: it may need
 * them, and the build's check has none.
 * @param {ExecutionContext} context
 */
async function readTable(context) {
  const databases = /** @type {{ strategy?: string }[]} */ (settings.app.databases ?? []);
  if (!databases.some(({ strategy }) => strategy === 'hyperdrive')) {
    return describeTable((await ensurePython(context)).api._module);
  }
  const pack = readContainer(await (await openFile('files.pack')).arrayBuffer());
  const snapshot = await openSnapshot();
  const api = await startInterpreter({ pack, snapshot, environment: {}, workingDirectory: settings.root });
  return describeTable(api._module);
}

/** @returns {Promise<Python>} */
async function bootPython() {
  const started = performance.now();
  const pack = readContainer(await (await openFile('files.pack')).arrayBuffer());
  const snapshot = settings.snapshot ? await openSnapshot() : undefined;
  const read = performance.now();
  const environment = JSON.parse(env.EDGELIFT_ENVIRONMENT ?? '{}');
  const api = await startInterpreter({
    pack,
    snapshot,
    environment: snapshot ? {} : environment,
    workingDirectory: settings.root,
  });
  const restored = performance.now();
  const runtime = api.pyimport('edgelift.worker.runtime');
  if (!snapshot) await runtime.configure.callPromising(JSON.stringify(settings.app));
  const configured = performance.now();
  connectPython(
    (token) => runtime.run_callback.callPromising(token),
    () => api._module.HEAPU8,
  );
  await runtime.resume.callPromising(JSON.stringify(environment));
  const boot = {
    snapshot: Boolean(snapshot),
    read_ms: read - started,
    interpreter_ms: restored - read,
    configure_ms: configured - restored,
    boot_ms: performance.now() - started,
  };
  console.log(`edgelift: Python started in ${Math.round(boot.boot_ms)} ms${snapshot ? ' from the snapshot' : ''}`);
  return {
    api,
    handle: openCall(api._module, runtime.handle),
    placeHead: openInbox(api._module, runtime.locate_inbox(), runtime.INBOX_BYTES),
    nextChunk: openCall(api._module, runtime.next_chunk),
    closeStream: runtime.close_stream,
    endRequest: runtime.end_request,
    scheduled: runtime.scheduled,
    boot,
  };
}

/**
 * Start Python once; requests that come meanwhile wait, a failed start is tried again by the next request.
 * @param {ExecutionContext} context
 * @returns {Promise<Python>}
 */
async function ensurePython(context) {
  if (python) return python;
  if (!booting) {
    booting = bootPython().then(
      (started) => {
        python = started;
        booting = null;
        return started;
      },
      (error) => {
        booting = null;
        throw error;
      },
    );
    context.waitUntil(booting.catch(() => {}));
    return booting;
  }
  let over = false;
  const settled = booting.finally(() => {
    over = true;
  });
  // Another request's promise: a timer of our own keeps workerd from taking this request for hung.
  while (!over) await Promise.race([settled, scheduler.wait(BOOT_POLL_MS)]);
  return settled;
}

/**
 * Log an error; after one that destroyed the interpreter, drop it so that the next request starts anew.
 * @param {unknown} error
 */
function noteFailure(error) {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  console.error(text);
  const fatal = /** @type {any} */ (error)?.pyodide_fatal_error || text.includes('Cannot enter a promising task');
  if (fatal && python) {
    console.error('edgelift: the Python interpreter was lost; the next request starts a new one');
    python = null;
  }
}

/** @param {string} text */
const serverError = (text) =>
  new Response(text, { status: 500, headers: { 'content-type': 'text/plain; charset=utf-8' } });

/** @param {Headers} headers */
function flattenHeaders(headers) {
  let flat = '';
  headers.forEach((value, name) => {
    flat += `\n${name}\n${value}`;
  });
  return flat;
}

/**
 * @param {Request} request
 * @returns {{ whole: boolean, length: number }} how the body reaches Python
 */
function measureBody(request) {
  if (!request.body) return { whole: true, length: 0 };
  const told = request.headers.get('content-length');
  const length = told === null ? -1 : Number(told);
  return { whole: length >= 0 && length <= LARGEST_WHOLE_BODY_BYTES, length };
}

/**
 * @param {Python} running
 * @param {number} streamId
 * @param {number} requestId
 * @param {Uint8Array | undefined} first
 */
function streamBody(running, streamId, requestId, first) {
  const finish = () => {
    closeRequest(requestId);
    running.endRequest.callPromising(requestId).catch(noteFailure);
  };
  /** @type {Promise<unknown>} */
  let step = Promise.resolve();
  return new ReadableStream(
    {
      start(controller) {
        if (first && first.length > 0) controller.enqueue(first);
      },
      async pull(controller) {
        try {
          step = running.nextChunk(streamId);
          const chunk = await step;
          if (chunk) return controller.enqueue(chunk);
          controller.close();
        } catch (error) {
          noteFailure(error);
          controller.error(error);
        }
        finish();
      },
      async cancel() {
        // A generator that is running cannot be closed.
        await step.catch(() => {});
        await running.closeStream.callPromising(streamId).catch(noteFailure);
        finish();
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * @param {Request} request
 * @param {string} path
 * @param {number} pathStart
 * @param {Python} running
 */
async function callPython(request, path, pathStart, running) {
  const { url, method } = request;
  const queryStart = url.indexOf('?', pathStart);
  const query = queryStart < 0 ? '' : url.slice(queryStart + 1);
  const { whole, length } = measureBody(request);
  const id = openRequest(whole ? null : request.body);
  let streaming = false;
  try {
    const body = !whole ? length : length > 0 ? new Uint8Array(await request.arrayBuffer()) : undefined;
    const head = `${method}\n${path}\n${query}\n${url.slice(0, pathStart)}${flattenHeaders(request.headers)}`;
    await running.handle(running.placeHead(head), body, id);
    const { status, headers, content, streamId } = takeAnswer(id);
    streaming = streamId !== 0;
    return toResponse(status, headers, streaming ? streamBody(running, streamId, id, content) : content, method);
  } finally {
    if (!streaming && closeRequest(id)) running.endRequest.callPromising(id).catch(noteFailure);
  }
}

/**
 * @param {number} status
 * @param {string} flat
 * @param {Uint8Array | ReadableStream | undefined} content
 * @param {string} method
 */
function toResponse(status, flat, content, method) {
  const headers = new Headers();
  const fields = flat.split('\n');
  for (let index = 0; index + 1 < fields.length; index += 2) headers.append(fields[index], fields[index + 1]);
  let body = EMPTY_STATUSES.has(status) || method === 'HEAD' ? null : (content ?? null);
  if (body instanceof ReadableStream) {
    const length = headers.get('content-length');
    if (length !== null) body = withLength(body, Number(length));
  }
  // The app's own Content-Encoding says that the bytes are encoded already.
  return new Response(body, { status, headers, encodeBody: 'manual' });
}

/**
 * @param {ReadableStream} body
 * @param {number} length
 */
function withLength(body, length) {
  const { readable, writable } = new FixedLengthStream(length);
  // A broken pipe is either the client's leave or an error that streamBody has logged.
  body.pipeTo(writable).catch(() => {});
  return readable;
}

/**
 * Requests of the tool itself; `verb` follows the token in the control header.
 * @param {string} verb
 * @param {Request} request
 * @param {ExecutionContext} context
 */
async function control(verb, request, context) {
  if (verb === 'ping') return Response.json({});
  if (verb === 'info' && !python) return Response.json({ booted: false, answered });
  if (verb === 'table') return Response.json(await readTable(context));
  const running = await ensurePython(context);
  if (verb === 'fault') {
    const faults = running.api.pyimport('edgelift.worker.sqlite3.faults');
    return Response.json(faults.arm(await request.text()));
  }
  if (verb === 'scheduled') return new Response(await runScheduled(running, await request.text()));
  const module = running.api._module;
  return Response.json({
    booted: true,
    answered,
    ...running.boot,
    wasm_bytes: module.HEAP8.length,
    python: running.api._api.pyVersionTuple.join('.'),
  });
}

/**
 * @param {Python} running
 * @param {string} cron
 * @returns {Promise<string>} JSON
 */
async function runScheduled(running, cron) {
  const id = openRequest(null);
  try {
    return await running.scheduled.callPromising(cron, Date.now(), id);
  } finally {
    if (closeRequest(id)) running.endRequest.callPromising(id).catch(noteFailure);
  }
}

/** The databases live in this isolate: one of their own would cost 12 MB and a switch for every statement. */
export { D1Database, D1Service } from './d1.mjs';
export { SqlObject } from './sql_object.mjs';

export default {
  /**
   * @param {Request} request
   * @param {unknown} _env
   * @param {ExecutionContext} context
   */
  async fetch(request, _env, context) {
    const told = request.headers.get(CONTROL_HEADER);
    if (told !== null && env.EDGELIFT_TOKEN && told.startsWith(`${env.EDGELIFT_TOKEN}:`)) {
      try {
        return await control(told.slice(env.EDGELIFT_TOKEN.length + 1), request, context);
      } catch (error) {
        noteFailure(error);
        return serverError(error instanceof Error ? error.message : String(error));
      }
    }
    const { url } = request;
    const pathStart = url.indexOf('/', url.indexOf('://') + 3);
    const queryStart = url.indexOf('?', pathStart);
    const path = queryStart < 0 ? url.slice(pathStart) : url.slice(pathStart, queryStart);
    const asset = answerAsset(request, path, assets, env.ASSETS);
    if (asset) return asset;
    let running;
    try {
      running = await ensurePython(context);
    } catch (error) {
      noteFailure(error);
      return serverError('The app could not be started. The log has the traceback.\n');
    }
    answered += 1;
    try {
      return await callPython(request, path, pathStart, running);
    } catch (error) {
      noteFailure(error);
      return serverError('Internal Server Error\n');
    }
  },

  /**
   * @param {ScheduledController} controller
   * @param {unknown} _env
   * @param {ExecutionContext} context
   */
  async scheduled(controller, _env, context) {
    await runScheduled(await ensurePython(context), controller.cron);
  },
};
