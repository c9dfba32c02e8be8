"""Answer requests inside the isolate: what the JavaScript loop (targets/workerd/js/worker.mjs) calls in Python.

PROTOCOL (the contract of worker.mjs and this module; strings, numbers and bytes only, no object per request)

JavaScript calls, all with `callPromising`, so that each may suspend in `run_sync`:
  configure(settings_json)     once, before the memory snapshot: patches, shims, import of the app. In the build
                               boot `_edgelift_host.d1` rejects ("database is not reachable ..."); an app that
                               queries at import raises here, and the bundle is then made without a snapshot and
                               configure runs again at each boot, with the real bindings.
  resume(env_json)             after a restore or a boot: reseed random, refresh os.environ (JSON object of strings).
  handle(method, path, query, headers, body, origin, request_id) -> (status, headers, body, stream_id)
      method      "GET", ...
      path        the raw, still percent-encoded path of the URL ("/a%20b")
      query       raw, without "?"
      headers     "name\nvalue\nname\nvalue"; lower-case names; "" when there are none
      body        None: no body. JsBuffer (call `.to_bytes()`): the whole body, up to 1 MB.
                  int: a larger or chunked body, read by `_edgelift_host.read_body(request_id)`; the int is its
                  content-length, or -1 when the client did not tell it
      origin      scheme and authority: "http://127.0.0.1:8787"
      request_id  a positive int, unique in this isolate; jobs and streams use ids of the same counter
    Returns `to_js((status, headers, body, stream_id))`: int, the same flat form with repeated names allowed
    (Set-Cookie), bytes or None, and 0 or the id under which the rest of the body is kept for next_chunk (`body`
    then is the first part or None). An exception that leaves `handle` is logged and answered by a plain 500.
  next_chunk(stream_id) -> bytes (to_js) | None     the next part of a streamed body, None at its end (which
                               closes it). An exception breaks the connection, as a server would.
  close_stream(stream_id)      the client went away: close the iterator. Unknown ids are ignored.
  run_callback(token)          a callback posted by `_edgelift_host.post`, in the I/O context of its request.
  scheduled(cron, time_ms, request_id) -> str       JSON {"jobs": [{"name", "ok", "error", "ms"}]} of the jobs run.
  end_request(request_id)      the response is complete (or broken): forget what belongs to the request.
                               Called only when handle returned a stream or `post` was used with this id.

Python calls (module `_edgelift_host`, registered by JavaScript; import it inside functions):
  d1(binding, request_json) -> Promise[str]
      request   {"statements": [[sql, [param, ...]], ...]}; one statement, or several as one atomic batch.
                param: null, true, false, number, string, or {"blob": base64}
      result    {"results": [{"rows": [[cell, ...], ...], "columns": [...], "meta": {...}}, ...]}, blob cells as
                {"blob": base64}, or {"error": "message of D1"}; never rejects
  sleep(ms) -> Promise[None]                        a timer of the request that calls it
  post(request_id, delay_ms, token) -> None         run `run_callback(token)` in that request's I/O context, after
                               `delay_ms`; callable from any request. While callbacks are expected the request is
                               kept alive. False is returned when the request is over.
  read_body(request_id) -> Promise[JsBuffer | None] the next part of the request's body, None at its end
  wait_until(promise) -> None                       keep the running request's isolate alive for a promise
  pbkdf2(digest, password, salt, iterations, size) -> JsBuffer      node:crypto; bytes are passed with to_js
  scrypt(password, salt, n, r, p, maxmem, size) -> JsBuffer         node:crypto
"""
