// @ts-check
/** Calls Python functions of every request: on a stack of their own that may wait, without Pyodide's detours. */

/**
 * Return a function that calls `callable` like its `callPromising`, but at once: Pyodide lets a turn of the event loop
 * pass first, since it may have been called by Python itself, on the stack of which no other can start. So this is
 * only for calls that begin in JavaScript, a fetch handler's for example. It saves 40 us of a request.
 * @param {any} module Pyodide's Emscripten module
 * @param {any} callable a PyProxy that is never destroyed, of a function that returns None, a string or a JsProxy
 * @returns {(...parameters: unknown[]) => Promise<any>} rejects with the PythonError of what the function raised
 */
export function openCall(module, callable) {
  const pointer = module.PyProxy_getPtr(callable);
  const { validSuspender } = module;
  return async (...parameters) => {
    // Where Python leaves what it raised; of this call alone, as others may run while it waits.
    const raised = module._malloc(4);
    try {
      module.enterTask();
      module._check_gil();
      const outer = validSuspender.value;
      validSuspender.value = false;
      let result;
      try {
        [result] = await module.promisingApply(pointer, parameters, parameters.length, [], 0, raised);
      } catch (error) {
        // Python's own exceptions do not come this way: the interpreter is lost. Throws.
        module.API.fatal_error(error);
      }
      validSuspender.value = outer;
      if (result === module.error) {
        module._PyErr_SetRaisedException(module.HEAPU32[raised >>> 2]);
        module._pythonexc2js();
      }
      return result;
    } finally {
      module._free(raised);
    }
  };
}

/**
 * Return a function that puts a text where Python reads it, and returns how many letters that are; the text itself
 * when it is not ASCII or too long. What it put there is good until the next text.
 * @param {any} module Pyodide's Emscripten module
 * @param {number} address
 * @param {number} size bytes that may be written there
 * @returns {(text: string) => string | number}
 */
export function openInbox(module, address, size) {
  return (text) => {
    const { length } = text;
    if (length > size) return text;
    // Read anew each time: memory moves when it grows.
    const memory = module.HEAPU8;
    for (let index = 0; index < length; index++) {
      const letter = text.charCodeAt(index);
      if (letter > 127) return text;
      memory[address + index] = letter;
    }
    return length;
  };
}
