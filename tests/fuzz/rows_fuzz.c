/* Fuzzes the native row engine: any plan, any stream, cut anywhere, with memory running out.
 *
 * Input: size of the pieces, the allocation that fails (0: none), a packed plan, the stream. The
 * plan is bent into a valid one, so that mutations reach the ops. Beside what the sanitizers see:
 * the pieces a stream comes in never change what is made of it.
 *
 * With libFuzzer this is all; -DREPLAY adds a main() that replays files and mutates them. */
#include <stdint.h>
#include <stdlib.h>

static long allocations_left = -1;

static void *failing_realloc(void *p, size_t n) {
    if (allocations_left == 0) return NULL;
    if (allocations_left > 0) allocations_left--;
    return realloc(p, n);
}
#define EL_REALLOC failing_realloc
#define EL_ROOM(wanted) ((wanted) ? (wanted) : 1)
#include "../../src/edgelift/rows/native/wires.h"

typedef struct summary {
    enum step last;
    uint64_t rows, hash, bytes;
    bool complete;
    char problem[120];
} summary;

/* Makes the fields of a plan valid for its wire. */
static void bend_plan(uint8_t *plan, size_t count) {
    plan[0] %= 3;
    el_put_le16(plan + 2, (uint16_t)count);
    el_put_le32(plan + 4, 1 << 16);
    for (size_t i = 0; i < count; i++) {
        uint8_t *p = plan + 8 + i * FIELD_BYTES;
        p[0] %= OP_COUNT;
        if (!(op_table[p[0]].wires >> plan[0] & 1)) p[0] = 10; /* text */
        p[1] %= AFFINITY_REAL + 1, p[2] %= op_table[p[0]].styles, p[7] %= 2, p[8] %= 65;
        for (int k = 3; k <= 6; k++) p[k] %= POLICY_REAL + 1;
    }
}

static void run_stream(const uint8_t *plan, size_t plan_n, const uint8_t *p, size_t n, size_t piece,
                       summary *out) {
    rows r;
    memset(out, 0, sizeof *out);
    out->last = rows_open(&r, plan, plan_n);
    for (size_t at = 0; out->last <= STEP_MORE && at < n; at += piece) {
        size_t take = n - at < piece ? n - at : piece;
        out->last = rows_feed(&r, p + at, take);
        while (out->last <= STEP_MORE && (out->last = rows_next(&r)) == STEP_ROW) {
            for (size_t i = 0; i < r.count; i++) {
                const value *v = r.values + i;
                if (v->tag != TAG_TEXT && v->tag != TAG_BLOB) continue;
                const uint8_t *bytes = value_bytes(&r.text, v);
                for (size_t k = 0; k < v->n; k++) out->bytes += bytes[k];
                if (v->tag == TAG_TEXT && !is_utf8(bytes, v->n)) abort();
            }
            if (r.row_at + r.row_n > r.buffer.n) abort();
        }
        if (out->last == STEP_END) out->last = STEP_MORE;
    }
    out->rows = r.rows, out->hash = r.hash, out->complete = rows_complete(&r);
    memcpy(out->problem, r.problem, sizeof out->problem);
    rows_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    uint8_t plan[8 + 16 * FIELD_BYTES];
    if (n < 2 + 8) return 0;
    size_t piece = data[0] + 1u, count = (el_le16(data + 4) + 15u) % 16 + 1, plan_n = 8 + count * FIELD_BYTES;
    long failing = data[1];
    rows any;
    if (rows_open(&any, data + 2, n - 2) == STEP_ROW) rows_feed(&any, data, n);
    rows_free(&any);
    if (n < 2 + plan_n) return 0;
    memcpy(plan, data + 2, plan_n);
    bend_plan(plan, count);
    const uint8_t *stream = data + 2 + plan_n;
    size_t stream_n = n - 2 - plan_n;
    summary whole, cut;
    run_stream(plan, plan_n, stream, stream_n, stream_n + 1, &whole);
    run_stream(plan, plan_n, stream, stream_n, piece, &cut);
    if (whole.rows != cut.rows || whole.hash != cut.hash || whole.complete != cut.complete ||
        whole.bytes != cut.bytes || whole.last != cut.last || strcmp(whole.problem, cut.problem)) {
        abort();
    }
    if (failing) {
        allocations_left = failing - 1;
        run_stream(plan, plan_n, stream, stream_n, piece, &cut);
        allocations_left = -1;
    }
    return 0;
}

#ifdef REPLAY
static uint64_t state = 88172645463325252u;

static uint64_t draw(uint64_t below) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state % below;
}

static size_t mutate(uint8_t *p, size_t n, size_t room) {
    for (uint64_t i = draw(4) + 1; i > 0 && n > 1; i--) {
        size_t at = draw(n);
        switch (draw(5)) {
        case 0: p[at] = (uint8_t)draw(256); break;
        case 1: p[at] ^= (uint8_t)(1u << draw(8)); break;
        case 2: n = at + 1; break;
        case 3:
            if (n + 1 >= room) break;
            memmove(p + at + 1, p + at, n - at);
            n++;
            break;
        default: p[at] = (uint8_t[]){0, 1, 0x7F, 0x80, 0xFF, 0xFB, 0xFE, '-'}[draw(8)]; break;
        }
    }
    return n;
}

/* Arguments: how many mutations of each file, then the files. */
int main(int argc, char **argv) {
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    for (int i = 2; i < argc; i++) {
        static uint8_t kept[1 << 16], tried[1 << 16];
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) return 2;
        size_t n = fread(kept, 1, sizeof kept, file);
        fclose(file);
        LLVMFuzzerTestOneInput(kept, n);
        for (long k = 0; k < rounds; k++) {
            memcpy(tried, kept, n);
            size_t m = mutate(tried, n, sizeof tried);
            uint8_t *exact = malloc(m ? m : 1); /* so that one byte too far is seen */
            if (exact == NULL) return 2;
            memcpy(exact, tried, m);
            LLVMFuzzerTestOneInput(exact, m);
            free(exact);
        }
    }
    printf("replayed %d files, %ld mutations of each\n", argc - 2, rounds);
    return 0;
}
#endif
