"""The text patches that make npm `pyodide` run in workerd, applied by the build.

Each patch says what breaks without it. A patch that does not match exactly as often as it says
stops the build: a new version of Pyodide is looked at by a person, never patched halfway.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgelift.errors import TargetError

MAIN_FILE = "pyodide.mjs"
MODULE_FILE = "pyodide.asm.mjs"


@dataclass(frozen=True)
class Patch:
    """Replace `old` by `new` in `file`, exactly `count` times; `breaks` is what happens without."""

    file: str
    breaks: str
    old: str
    new: str
    count: int = 1


# What the files see instead of globals (js/wasm_lookup.mjs): imports shadow globals in one file.
_IMPORTS = {
    MAIN_FILE: "WebAssembly, process, location, addEventListener, fetch",
    MODULE_FILE: "WebAssembly, process, location, addEventListener",
}

PATCHES = (
    Patch(
        file=MODULE_FILE,
        breaks="under nodejs_compat Emscripten takes workerd for Node and asks for node:fs files",
        old='globalThis.process?.versions?.node&&globalThis.process?.type!="renderer";',
        new="false;",
    ),
    Patch(
        file=MODULE_FILE,
        breaks="a restored snapshot has native side modules elsewhere: its pointers lead astray",
        old="var memoryBase=metadata.memorySize?"
        "alignMemory(getMemory(metadata.memorySize+memAlign),memAlign):0;"
        "var tableBase=metadata.tableSize?wasmTable.length:0;",
        new="var forced=Module.edgelift.forced.get(libName);"
        "var memoryBase=forced?forced.memoryBase:metadata.memorySize?"
        "alignMemory(getMemory(metadata.memorySize+memAlign),memAlign):0;"
        "var tableBase=metadata.tableSize?wasmTable.length:0;"
        "if(forced&&metadata.tableSize&&tableBase!==forced.tableBase)"
        'throw new Error("the function table differs from the snapshot\'s at "+libName);'
        "if(!forced)Module.edgelift.loads.push({libName,memoryBase,tableBase});",
    ),
    Patch(
        file=MODULE_FILE,
        breaks="js/snapshot.mjs cannot reach the memory, the function table and the dynamic linker",
        old='Module["LDSO"]=LDSO;',
        new='Module["LDSO"]=LDSO;Module.edgelift={forced:new Map,loads:[],'
        "memory:()=>wasmMemory,table:()=>wasmTable,updateMemoryViews:()=>updateMemoryViews(),"
        "functionsInTable:()=>functionsInTableMap,loadModule:loadWebAssemblyModule,"
        "mergeSymbols:mergeLibSymbols,setTableEntry:(slot,entry)=>setWasmTableEntry(slot,entry)};",
    ),
    Patch(
        file=MODULE_FILE,
        breaks="TLS checks the certificate against the host of connect(), not server_hostname, "
        "and a refused certificate shows at the first write instead of in the handshake",
        old="let y=c.wcgSocket.startTls();",
        new="let y=c.wcgSocket.startTls(o);c.wcgSocket=y;await y.opened;",
    ),
    Patch(
        file=MODULE_FILE,
        breaks="the options of startTls do not reach the socket",
        old="async startTls(c){",
        new="async startTls(c,o){",
        count=2,
    ),
    Patch(
        file=MODULE_FILE,
        breaks="the options of startTls do not reach the socket",
        old="return y?await N.startTls(y):-8",
        new="return y?await N.startTls(y,o):-8",
    ),
    Patch(
        file=MODULE_FILE,
        breaks="after startTls the plain socket's end marks the TLS socket closed: poll() reports "
        "a hang-up, so every TLS socket with a timeout fails",
        old="x.closed.then(()=>{c.closed=!0},()=>{c.closed=!0})",
        new="x.closed.then(()=>{if(c.wcgSocket===x)c.closed=!0},"
        "()=>{if(c.wcgSocket===x)c.closed=!0})",
    ),
)

_HANDSHAKE = """\
        result = run_sync(_nodeSock.startTls(self.fileno()))
"""
_HANDSHAKE_NAMED = """\
        from js import Object

        options = Object.new()
        if self._server_hostname:
            options.expectedServerHostname = self._server_hostname
        try:
            result = run_sync(_nodeSock.startTls(self.fileno(), options))
        except Exception as error:
            reason = f"TLS handshake failed, the worker's log says why: {error}"
            raise SSLError(1, reason) from None
"""
_NO_ASYNC_TLS = """\
        if ssl is not None:
            raise NotImplementedError(
                "SSL/TLS via create_connection is not yet supported"
            )
"""
_PLAIN_TRANSPORT = """\
        sock.setblocking(False)

        protocol = protocol_factory()
"""
_TLS_TRANSPORT = """\
        sock.setblocking(False)

        if ssl:
            from js import Object
            from pyodide_js._api import _nodeSock

            options = Object.new()
            if server_hostname or host:
                options.expectedServerHostname = server_hostname or host
            try:
                await _nodeSock.startTls(sock.fileno(), options)
            except Exception as error:
                sock.close()
                reason = f"TLS handshake failed, the worker's log says why: {error}"
                raise OSError(reason) from None

        protocol = protocol_factory()
"""

_NO_START_TLS = """\
        raise NotImplementedError(
            "start_tls() is not available in browser environments due to lack \
of low-level TLS controls."
        )
"""
_START_TLS = """\
        from js import Object
        from pyodide_js._api import _nodeSock

        options = Object.new()
        if kwargs.get("server_hostname"):
            options.expectedServerHostname = kwargs["server_hostname"]
        transport._stop_reading()
        try:
            await _nodeSock.startTls(transport._sock_fd, options)
        except Exception as error:
            transport._force_close(None)
            reason = f"TLS handshake failed, the worker's log says why: {error}"
            raise OSError(reason) from None
        transport.set_protocol(protocol)
        transport.resume_reading()
        return transport
"""
_EAGER_READ = """\
                    self._protocol.data_received(bytes(data))  # type: ignore[attr-defined]
"""
_PATIENT_READ = f"""\
{_EAGER_READ}\
                    for _ in range(5):
                        await asyncio.sleep(0)
"""

# Of the standard library inside the package, as shipped in python_stdlib.zip.
LIBRARY_PATCHES = (
    Patch(
        file="ssl.py",
        breaks="server_hostname is not checked, and a refused certificate is a bare OSError 29",
        old=_HANDSHAKE,
        new=_HANDSHAKE_NAMED,
    ),
    Patch(
        file="ssl.py",
        breaks="a TLS socket forgets the timeout of the socket it wraps",
        old="        sock.detach()\n\n        ssl_sock._sslobj = None\n",
        new="        timeout = sock.gettimeout()\n        sock.detach()\n"
        "        ssl_sock.settimeout(timeout)\n\n        ssl_sock._sslobj = None\n",
    ),
    Patch(
        file="pyodide/webloop.py",
        breaks="asyncio.open_connection(ssl=...) raises NotImplementedError",
        old=_NO_ASYNC_TLS,
        new="",
    ),
    Patch(
        file="pyodide/webloop.py",
        breaks="asyncio.open_connection(ssl=...) talks in the clear",
        old=_PLAIN_TRANSPORT,
        new=_TLS_TRANSPORT,
    ),
    Patch(
        file="pyodide/webloop.py",
        breaks="StreamWriter.start_tls() raises NotImplementedError",
        old=_NO_START_TLS,
        new=_START_TLS,
    ),
    Patch(
        file="pyodide/_nodesock_transport.py",
        breaks="a read that is under way when data came keeps start_tls() waiting for ever: the "
        "server sends nothing more before the handshake",
        old=_EAGER_READ,
        new=_PATIENT_READ,
    ),
)
LIBRARY_FILES = frozenset(patch.file for patch in LIBRARY_PATCHES)


def apply_patches(file: str, text: str, patches: tuple[Patch, ...] = PATCHES) -> str:
    """Return the patched text of `file`; raises TargetError naming a patch that does not match."""
    for patch in patches:
        if patch.file != file:
            continue
        found = text.count(patch.old)
        if found != patch.count:
            raise TargetError(
                f"Pyodide's {file} cannot be patched",
                why=f"expected {patch.count} place(s) of {patch.old[:60]!r}, found {found}; "
                f"without the patch {patch.breaks}",
                tip="remove the toolchain cache and run again: the pinned one is installed",
            )
        text = text.replace(patch.old, patch.new)
    return text


def read_patched(pyodide: Path) -> dict[str, str]:
    """Return both files of the npm package `pyodide`, patched, by name; raises TargetError."""
    patched: dict[str, str] = {}
    for file in (MAIN_FILE, MODULE_FILE):
        try:
            text = (pyodide / file).read_text("utf-8")
        except OSError as error:
            raise TargetError(
                f"Pyodide's {file} cannot be read",
                why=str(error),
                tip="remove the toolchain cache and run again: it is downloaded anew",
            ) from error
        names = _IMPORTS[file]
        patched[file] = f"import {{{names}}} from './wasm_lookup.mjs';\n{apply_patches(file, text)}"
    return patched
