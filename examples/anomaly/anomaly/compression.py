"""Compress JSON, HTML and text answers for clients that accept gzip."""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

MIN_SIZE_BYTES = 500
TYPES = {"application/json", "text/html", "text/css", "text/plain", "text/javascript"}


def _should_compress(response: Response) -> bool:
    return (
        response.mimetype in TYPES
        and not response.direct_passthrough
        and not response.is_streamed
        and "Content-Encoding" not in response.headers
        and (response.content_length or 0) >= MIN_SIZE_BYTES
    )


def register_compression(app: Flask) -> None:
    @app.after_request
    def compress(response: Response) -> Response:
        if not _should_compress(response):
            return response
        response.vary.add("Accept-Encoding")
        if request.accept_encodings.quality("gzip") > 0:
            # No time stamp in the header: the same answer is the same bytes.
            response.set_data(gzip.compress(response.get_data(), compresslevel=6, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
        return response
