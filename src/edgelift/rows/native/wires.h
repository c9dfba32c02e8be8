/* Cuts wire bytes into rows and runs the ops on them, as edgelift/rows/wires.py does in Python.
 *
 * Bytes come in by rows_feed in pieces of any size; rows_next gives one row after the other and
 * says when it needs more. Memory is bounded by the limit of one row. */
#ifndef EDGELIFT_WIRES_H
#define EDGELIFT_WIRES_H

#include "ops.h"

enum { LONG_BYTES = 4096, PG_HEAD = 19, MY_PACKET = 0xFFFFFF, MOST_FIELDS = 32767 };
enum step { STEP_ROW, STEP_MORE, STEP_END, STEP_PROBLEM, STEP_NO_MEMORY };
enum framing { FRAMING_UNKNOWN, FRAMING_NONE, FRAMING_MESSAGES };

typedef struct rows {
    enum wire wire;
    size_t count, limit;
    field *fields;
    slice *slices;
    value *values;
    arena buffer, text, canonical, message;
    size_t start, wanted; /* the next row's first byte; how many bytes it needs to be tried again */
    size_t row_at, row_n; /* the row at hand, in the buffer */
    bool head_read, ended, broken;
    bool late; /* the problem lies behind the rows that are in the buffer */
    enum framing framing;
    uint8_t frame[5]; /* head of a backend message: kind, length */
    size_t frame_n, frame_left;
    uint64_t rows, hash;
    int failed; /* the field that refused, else -1 */
    char problem[120];
} rows;

static void rows_free(rows *r) {
    free(r->fields);
    free(r->slices);
    free(r->values);
    free(r->buffer.p);
    free(r->text.p);
    free(r->canonical.p);
    free(r->message.p);
    memset(r, 0, sizeof *r);
}

/* Fills r from the packed plan of native_engine.py; the memory it took is rows_free's. */
static enum step rows_open(rows *r, const uint8_t *plan, size_t n) {
    memset(r, 0, sizeof *r);
    r->failed = -1;
    if (n < 8 || plan[0] > WIRE_SQLITE) return STEP_PROBLEM;
    r->wire = plan[0], r->count = el_le16(plan + 2), r->limit = el_le32(plan + 4);
    if (r->count == 0 || r->count > MOST_FIELDS || n != 8 + r->count * FIELD_BYTES) return STEP_PROBLEM;
    r->fields = EL_REALLOC(NULL, r->count * sizeof *r->fields);
    r->slices = EL_REALLOC(NULL, r->count * sizeof *r->slices);
    r->values = EL_REALLOC(NULL, r->count * sizeof *r->values);
    if (!r->fields || !r->slices || !r->values) return STEP_NO_MEMORY;
    el_sha1_block sha1 = el_choose_sha1();
    for (size_t i = 0; i < r->count; i++) {
        if (!read_field(plan + 8 + i * FIELD_BYTES, r->wire, sha1, r->fields + i)) return STEP_PROBLEM;
    }
    return STEP_ROW;
}

static enum step problem(rows *r, const char *text) {
    if (!r->broken) snprintf(r->problem, sizeof r->problem, "%s", text);
    r->broken = true;
    return STEP_PROBLEM;
}

static enum step problem_count(rows *r, long long found) {
    char text[80];
    snprintf(text, sizeof text, "a row has %lld fields, not %zu", found, r->count);
    return problem(r, text);
}

static enum step problem_limit(rows *r) {
    char text[80];
    snprintf(text, sizeof text, "a row has more than %zu bytes", r->limit);
    return problem(r, text);
}

/* Says that the row needs so many bytes from its start on. */
static enum step more(rows *r, size_t wanted) {
    r->wanted = wanted;
    return STEP_MORE;
}

static bool append(arena *a, const uint8_t *p, size_t n) {
    uint8_t *to = arena_reserve(a, n);
    if (to == NULL) return false;
    if (n) memcpy(to, p, n);
    a->n += n;
    return true;
}

/* Keeps a problem of the messages until the rows before it are read, as Python meets them. */
static enum step problem_later(rows *r, enum step step) {
    if (step == STEP_PROBLEM) r->broken = false, r->late = true;
    return step == STEP_PROBLEM ? STEP_MORE : step;
}

/* ---- feeding ---------------------------------------------------------------------------- */

/* Takes the payload out of backend messages that may be cut anywhere. */
static enum step feed_messages(rows *r, const uint8_t *p, size_t n) {
    while (n) {
        if (r->frame_n < 5) {
            r->frame[r->frame_n++] = *p++, n--;
            if (r->frame_n < 5) continue;
            int64_t length = (int32_t)el_be32(r->frame + 1);
            if (length < 4) return problem(r, "a message of the server is malformed");
            r->frame_left = (size_t)length - 4;
            if (strchr("dHNScCZEA", r->frame[0]) == NULL || r->frame[0] == 0) {
                char text[80];
                snprintf(text, sizeof text, "the server sent an unexpected message of kind %d",
                         r->frame[0]);
                return problem(r, text);
            }
            if (r->frame[0] != 'd' && r->frame_left > r->limit) return problem_limit(r);
        }
        size_t take = r->frame_left < n ? r->frame_left : n;
        arena *to = r->frame[0] == 'd' ? &r->buffer : &r->message;
        if (r->frame[0] == 'd' || r->frame[0] == 'E') {
            if (!append(to, p, take)) return STEP_NO_MEMORY;
        }
        p += take, n -= take, r->frame_left -= take;
        if (r->frame_left == 0) {
            if (r->frame[0] == 'E') return problem(r, "server");
            r->frame_n = 0;
        }
    }
    return STEP_MORE;
}

/* Adds bytes of the stream; what earlier rows took is dropped. */
static enum step rows_feed(rows *r, const uint8_t *p, size_t n) {
    if (r->broken || r->late) return STEP_PROBLEM;
    if (r->start) {
        memmove(r->buffer.p, r->buffer.p + r->start, r->buffer.n - r->start);
        r->buffer.n -= r->start;
        r->start = 0, r->row_n = 0;
    }
    if (n == 0) return STEP_MORE;
    if (r->framing == FRAMING_UNKNOWN) {
        bool bare = r->wire != WIRE_PGCOPY || p[0] == 'P';
        r->framing = bare ? FRAMING_NONE : FRAMING_MESSAGES;
    }
    if (r->framing == FRAMING_MESSAGES) return problem_later(r, feed_messages(r, p, n));
    return append(&r->buffer, p, n) ? STEP_MORE : STEP_NO_MEMORY;
}

/* ---- cutting ---------------------------------------------------------------------------- */

static enum step read_pg_head(rows *r, const uint8_t *p, size_t have) {
    static const uint8_t signature[11] = "PGCOPY\n\377\r\n";
    if (have < PG_HEAD) return more(r, PG_HEAD);
    if (memcmp(p, signature, sizeof signature) != 0) return problem(r, "the stream is no COPY BINARY");
    if (el_be32(p + 11) & 0xFFFF0000u) {
        return problem(r, "the stream has a format of COPY BINARY that is unknown");
    }
    size_t size = PG_HEAD + (size_t)el_be32(p + 15);
    if (size > r->limit) return problem_limit(r);
    if (have < size) return more(r, size);
    r->start += size;
    r->head_read = true;
    return STEP_ROW;
}

static enum step cut_pg(rows *r) {
    if (!r->head_read) {
        enum step step = read_pg_head(r, r->buffer.p + r->start, r->buffer.n - r->start);
        if (step != STEP_ROW) return step;
    }
    const uint8_t *p = r->buffer.p + r->start;
    size_t have = r->buffer.n - r->start, at = 2;
    if (have < 2) return more(r, 2);
    int count = (int16_t)el_be16(p);
    if (count == -1) {
        r->start += 2;
        return STEP_END;
    }
    if (count < 0 || (size_t)count != r->count) return problem_count(r, count);
    for (size_t i = 0; i < r->count; i++) {
        if (at + 4 > r->limit) return problem_limit(r);
        if (have < at + 4) return more(r, at + 4);
        int64_t length = (int32_t)el_be32(p + at);
        at += 4;
        slice *s = r->slices + i;
        s->tag = length == -1 ? TAG_NULL : TAG_RAW, s->p = p + at, s->n = 0;
        if (length == -1) continue;
        if (length < 0) return problem(r, "a field has a negative length");
        if (at + (size_t)length > r->limit) return problem_limit(r);
        if (have < at + (size_t)length) return more(r, at + (size_t)length);
        s->n = (size_t)length;
        at += s->n;
    }
    r->row_at = r->start, r->row_n = at;
    r->start += at;
    return STEP_ROW;
}

static enum step cut_mysql_fields(rows *r, const uint8_t *p, size_t n) {
    size_t at = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (at >= n) return problem_count(r, (long long)i);
        uint64_t length = p[at++];
        slice *s = r->slices + i;
        s->tag = length == 0xFB ? TAG_NULL : TAG_RAW, s->p = p + at, s->n = 0;
        if (length == 0xFB) continue;
        if (length > 0xFB) {
            size_t size = length == 0xFC ? 2 : length == 0xFD ? 3 : length == 0xFE ? 8 : 0;
            if (size == 0 || n - at < size) return problem(r, "a field has a malformed length");
            length = 0;
            for (size_t k = size; k-- > 0;) length = length << 8 | p[at + k];
            at += size;
        }
        if (n - at < length) return problem(r, "a field is longer than its row");
        s->p = p + at, s->n = (size_t)length;
        at += s->n;
    }
    if (at == n) return STEP_ROW;
    char text[80];
    snprintf(text, sizeof text, "a row has more than %zu fields", r->count);
    return problem(r, text);
}

/* Finds a whole packet, also one of several parts, whose heads it takes out from between them. */
static enum step cut_mysql(rows *r) {
    uint8_t *p = r->buffer.p + r->start;
    size_t have = r->buffer.n - r->start, at = 0, total = 0, length, first = 0;
    do {
        if (have < at + 4) return more(r, at + 4);
        length = (size_t)p[at] | (size_t)p[at + 1] << 8 | (size_t)p[at + 2] << 16;
        if (at == 0) first = length;
        total += length;
        if (total > r->limit) return problem_limit(r);
        if (have < at + 4 + length) return more(r, at + 4 + length);
        at += 4 + length;
    } while (length == MY_PACKET);
    for (size_t from = 4 + first, to = from; first == MY_PACKET && from < at;) {
        length = (size_t)p[from] | (size_t)p[from + 1] << 8 | (size_t)p[from + 2] << 16;
        memmove(p + to, p + from + 4, length);
        from += 4 + length, to += length;
    }
    r->row_at = r->start + 4, r->row_n = total;
    r->start += at;
    p += 4;
    if (total && p[0] == 0xFF) {
        if (!append(&r->message, p, total)) return STEP_NO_MEMORY;
        return problem(r, "server");
    }
    if (total && p[0] == 0xFE && first < MY_PACKET) return STEP_END;
    return cut_mysql_fields(r, p, total);
}

static enum step cut_sqlite_fields(rows *r, const uint8_t *p, size_t n) {
    size_t at = 0, i = 0;
    for (; at < n; i++) {
        slice s = {p + at + 1, 0, (enum tag)p[at]};
        at++;
        if (s.tag == TAG_INTEGER || s.tag == TAG_REAL) {
            s.n = 8;
        } else if (s.tag == TAG_TEXT || s.tag == TAG_BLOB) {
            if (n - at < 4) return problem(r, "a field is malformed");
            s.n = el_le32(p + at);
            at += 4;
            s.p += 4;
            if (n - at < s.n) return problem(r, "a field is longer than its row");
        } else if (s.tag != TAG_NULL) {
            char text[80];
            snprintf(text, sizeof text, "a field has the unknown tag %d", (int)s.tag);
            return problem(r, text);
        }
        if (n - at < s.n) return problem(r, "a field is malformed");
        if (s.tag == TAG_TEXT && !is_utf8(s.p, s.n)) return problem(r, "a field is malformed");
        at += s.n;
        if (i < r->count) r->slices[i] = s;
    }
    return i == r->count ? STEP_ROW : problem_count(r, (long long)i);
}

static enum step cut_sqlite(rows *r) {
    const uint8_t *p = r->buffer.p + r->start;
    size_t have = r->buffer.n - r->start;
    if (have < 4) return more(r, 4);
    size_t length = el_le32(p);
    if (length == 0xFFFFFFFFu) {
        r->start += 4;
        return STEP_END;
    }
    if (length > r->limit - 4) return problem_limit(r);
    if (have < 4 + length) return more(r, 4 + length);
    r->row_at = r->start + 4, r->row_n = length;
    r->start += 4 + length;
    return cut_sqlite_fields(r, p + 4, length);
}

/* ---- rows ------------------------------------------------------------------------------- */

static const uint8_t *value_bytes(const arena *text, const value *v) {
    return v->in_arena ? text->p + v->at : v->p;
}

/* Adds a value's canonical bytes (edgelift/rows/hashing.py); p and n are those of texts and blobs. */
static bool add_canonical(arena *a, enum tag tag, uint64_t bits, const uint8_t *p, size_t n) {
    uint8_t *to = arena_reserve(a, 16 + (n <= LONG_BYTES ? n : 0));
    if (to == NULL) return false;
    to[0] = (uint8_t)tag;
    if (tag == TAG_NULL) {
        a->n += 1;
    } else if (tag == TAG_INTEGER || tag == TAG_REAL) {
        el_put_le64(to + 1, bits);
        a->n += 9;
    } else if (n <= LONG_BYTES) {
        el_put_le32(to + 1, (uint32_t)n);
        if (n) memcpy(to + 5, p, n);
        a->n += 5 + n;
    } else {
        to[0] = tag == TAG_TEXT ? TAG_LONG_TEXT : TAG_LONG_BLOB;
        el_put_le32(to + 1, (uint32_t)n);
        el_put_le64(to + 5, el_hash(p, n));
        a->n += 13;
    }
    return true;
}

static enum step convert_row(rows *r) {
    r->text.n = 0, r->canonical.n = 0;
    for (size_t i = 0; i < r->count; i++) {
        const field *f = r->fields + i;
        slice s = r->slices[i];
        value *v = r->values + i;
        enum outcome done = DONE;
        if (s.tag == TAG_NULL) {
            v->tag = TAG_NULL;
        } else if (s.tag == TAG_BLOB && f->run != op_keep && f->run != op_blob && f->run != op_uuid) {
            done = REFUSED;
        } else {
            done = f->run(f, s, &r->text, v);
        }
        if (done == OUT_OF_MEMORY) return STEP_NO_MEMORY;
        if (done == REFUSED) {
            r->failed = (int)i;
            return problem(r, "refused");
        }
        uint64_t bits = (uint64_t)v->i;
        bool bytes = v->tag == TAG_TEXT || v->tag == TAG_BLOB;
        if (v->tag == TAG_REAL) memcpy(&bits, &v->r, sizeof bits);
        if (!add_canonical(&r->canonical, v->tag, bits, bytes ? value_bytes(&r->text, v) : NULL,
                           bytes ? v->n : 0)) {
            return STEP_NO_MEMORY;
        }
    }
    r->hash += el_hash(r->canonical.p, r->canonical.n);
    r->rows++;
    return STEP_ROW;
}

static enum step cut_and_convert(rows *r) {
    if (r->ended) {
        return r->start < r->buffer.n ? problem(r, "bytes follow the end of the stream") : STEP_END;
    }
    if (r->buffer.n - r->start < r->wanted || r->buffer.n == r->start) return STEP_MORE;
    r->wanted = 0;
    enum step step = r->wire == WIRE_PGCOPY  ? cut_pg(r)
                     : r->wire == WIRE_MYSQL ? cut_mysql(r)
                                             : cut_sqlite(r);
    if (step == STEP_END) {
        r->ended = true;
        return cut_and_convert(r);
    }
    return step == STEP_ROW ? convert_row(r) : step;
}

/* Gives the next row in r->values, or says why there is none. */
static enum step rows_next(rows *r) {
    if (r->broken) return STEP_PROBLEM;
    enum step step = cut_and_convert(r);
    if ((step == STEP_MORE || step == STEP_END) && r->late) {
        r->broken = true;
        return STEP_PROBLEM;
    }
    return step;
}

/* Whether the stream may end here: its end was seen and no message is cut in two. */
static bool rows_complete(const rows *r) {
    return r->ended && r->frame_n == 0 && !r->broken && !r->late;
}

#endif
