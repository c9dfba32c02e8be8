"""An ASGI app that is deployed in this test."""

import asyncio

starts = []


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        starts.append(1)
        scope["state"]["word"] = "kept"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return
    await asyncio.sleep(0.01)
    message = await receive()
    body = f"{scope['state']['word']} {len(starts)} {len(message['body'])} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
