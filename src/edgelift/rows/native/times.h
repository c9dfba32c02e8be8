/* Ops of dates and times: edgelift/rows/conversions/times.py in C. */
#ifndef EDGELIFT_TIMES_H
#define EDGELIFT_TIMES_H

#include "numbers.h"

/* ---- dates and times -------------------------------------------------------------------- */

#define DAY_US 86400000000LL
enum { Y2K = 10957, YEAR_1 = -719162, YEAR_10000 = 2932897 }; /* days since 1970 */
enum { MOMENT_ROOM = 64 };

static int64_t to_days(int64_t year, int month, int day) {
    year -= month <= 2;
    int64_t shifted = (month + 9) % 12, in_era = floor_mod(year, 400);
    int64_t of_year = (153 * shifted + 2) / 5 + day - 1;
    return floor_div(year, 400) * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + of_year - 719468;
}

/* Writes the date of days since 1970 (of any number below 10^12), without its era. */
static uint8_t *put_date(uint8_t *p, int64_t days) {
    days += 719468;
    int64_t era = floor_div(days, 146097), of_era = floor_mod(days, 146097);
    int64_t in_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * in_era + in_era / 4 - in_era / 100);
    int64_t shifted = (5 * of_year + 2) / 153, month = (shifted + 2) % 12 + 1;
    int64_t year = era * 400 + in_era + (month <= 2);
    p = put_number(p, (uint64_t)(year > 0 ? year : 1 - year), 4);
    *p++ = '-';
    p = put_pair(p, (unsigned)month);
    *p++ = '-';
    return put_pair(p, (unsigned)(of_year - (153 * shifted + 2) / 5 + 1));
}

/* Writes HH:MM:SS.ffffff of non-negative microseconds; django leaves out a zero fraction. */
static uint8_t *put_time(uint8_t *p, uint64_t micros, bool django) {
    uint64_t seconds = micros / 1000000, fraction = micros % 1000000;
    p = put_number(p, seconds / 3600, 2);
    *p++ = ':';
    p = put_pair(p, (unsigned)(seconds / 60 % 60));
    *p++ = ':';
    p = put_pair(p, (unsigned)(seconds % 60));
    if (django && !fraction) return p;
    *p++ = '.';
    return put_number(p, fraction, 6);
}

static bool read_pair(const uint8_t *p, int *out) {
    if (!is_digit(p[0]) || !is_digit(p[1])) return false;
    *out = (p[0] - '0') * 10 + (p[1] - '0');
    return true;
}

/* Reads YYYY-MM-DD of ten bytes; `zero` for MySQL's zero dates and days of no calendar. */
static bool read_date(const uint8_t *p, int64_t *days, bool *zero) {
    static const uint8_t lengths[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int century, rest, month, day;
    if (!read_pair(p, &century) || !read_pair(p + 2, &rest) || p[4] != '-' ||
        !read_pair(p + 5, &month) || p[7] != '-' || !read_pair(p + 8, &day)) {
        return false;
    }
    int year = century * 100 + rest;
    if (month > 12 || day > 31) return false;
    *zero = month == 0 || day == 0;
    if (*zero) return true;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    *zero = day > lengths[month - 1] || (month == 2 && day == 29 && !leap);
    if (*zero) return true;
    *days = to_days(year, month, day);
    return true;
}

/* Reads [-]HH:MM:SS[.ffffff], hours of two to six digits. */
static bool read_time(const uint8_t *p, size_t n, int64_t *micros) {
    bool negative = n > 0 && p[0] == '-';
    if (negative) p++, n--;
    size_t hours = 0;
    int64_t hour = 0;
    while (hours < n && hours < 6 && is_digit(p[hours])) hour = hour * 10 + (p[hours++] - '0');
    int minute, second;
    p += hours, n -= hours;
    if (hours < 2 || n < 6 || p[0] != ':' || !read_pair(p + 1, &minute) || p[3] != ':' ||
        !read_pair(p + 4, &second) || minute > 59 || second > 59) {
        return false;
    }
    int64_t fraction = 0;
    if (n > 6) {
        if (p[6] != '.' || n < 8 || n > 13) return false;
        for (size_t i = 7; i < 13; i++) {
            if (i < n && !is_digit(p[i])) return false;
            fraction = fraction * 10 + (i < n ? p[i] - '0' : 0);
        }
    }
    *micros = (hour * 3600 + minute * 60 + second) * 1000000 + fraction;
    if (negative) *micros = -*micros;
    return true;
}

/* Sets *out to days * per_day + rest, which may pass 64 bits on the way; false when it ends there. */
static bool add_exactly(int64_t days, int64_t per_day, int64_t rest, int64_t *out) {
    __int128 total = (__int128)days * per_day + rest;
    if (total > INT64_MAX || total < INT64_MIN) return false;
    *out = (int64_t)total;
    return true;
}

/* Gives a moment as INTEGER of the style's unit. */
static enum outcome give_count(const field *f, int64_t days, int64_t micros, value *out) {
    int64_t unit = f->style == MOMENT_UNIX ? 1000000 : f->style == MOMENT_UNIX_MS ? 1000 : 1;
    int64_t number;
    if (micros % unit && !f->flag) return REFUSED;
    if (!add_exactly(days, DAY_US / unit, micros / unit, &number)) return REFUSED;
    return give_int(out, number);
}

/* Whether a text that was read as a moment stands in the field's style already. */
static bool is_in_style(const field *f, slice kept, bool date_only) {
    if (kept.p == NULL || date_only) return kept.p != NULL;
    return kept.p[10] == ' ' && kept.n == (f->style == MOMENT_DJANGO ? 19 : 26);
}

/* Gives a moment in the field's style; `kept` is the text that an origin sent, if it sent one. */
static enum outcome give_moment(const field *f, int64_t days, int64_t micros, bool date_only,
                                slice kept, arena *a, value *out) {
    if (f->style >= MOMENT_UNIX) return give_count(f, days, micros, out);
    bool outside = days < YEAR_1 || days >= YEAR_10000;
    if (outside && f->outside != POLICY_TEXT) {
        return f->outside == POLICY_NULL ? give_null(out) : REFUSED;
    }
    if (outside ? kept.p != NULL : is_in_style(f, kept, date_only)) {
        return give_wire(out, TAG_TEXT, kept.p, kept.n);
    }
    uint8_t *p = arena_reserve(a, MOMENT_ROOM);
    if (p == NULL) return OUT_OF_MEMORY;
    p = put_date(p, days);
    if (!date_only) {
        *p++ = ' ';
        p = put_time(p, (uint64_t)micros, f->style == MOMENT_DJANGO);
    }
    if (days < YEAR_1) p = put_text(p, " BC");
    return give_arena(out, TAG_TEXT, a, p);
}

static enum outcome give_zero(const field *f, slice s, value *out) {
    if (f->zero == POLICY_TEXT) return give_wire(out, TAG_TEXT, s.p, s.n);
    return f->zero == POLICY_NULL ? give_null(out) : REFUSED;
}

static enum outcome op_date(const field *f, slice s, arena *a, value *out) {
    static const slice none = {NULL, 0, TAG_NULL};
    if (f->wire == WIRE_PGCOPY) {
        if (s.n != 4) return REFUSED;
        int32_t number = (int32_t)el_be32(s.p);
        if (number == INT32_MAX) return give_word(out, f->infinity, "infinity");
        if (number == INT32_MIN) return give_word(out, f->infinity, "-infinity");
        return give_moment(f, (int64_t)number + Y2K, 0, true, none, a, out);
    }
    int64_t days;
    bool zero;
    if ((f->wire == WIRE_SQLITE && s.tag != TAG_TEXT) || s.n != 10) return REFUSED;
    if (!read_date(s.p, &days, &zero)) return REFUSED;
    return zero ? give_zero(f, s, out) : give_moment(f, days, 0, true, s, a, out);
}

static enum outcome op_timestamp(const field *f, slice s, arena *a, value *out) {
    static const slice none = {NULL, 0, TAG_NULL};
    int64_t days, micros;
    if (f->wire == WIRE_PGCOPY) {
        if (s.n != 8) return REFUSED;
        int64_t number = (int64_t)el_be64(s.p);
        if (number == INT64_MAX) return give_word(out, f->infinity, "infinity");
        if (number == INT64_MIN) return give_word(out, f->infinity, "-infinity");
        days = floor_div(number, DAY_US) + Y2K, micros = floor_mod(number, DAY_US);
        return give_moment(f, days, micros, false, none, a, out);
    }
    bool zero;
    if ((f->wire == WIRE_SQLITE && s.tag != TAG_TEXT) || s.n < 19) return REFUSED;
    if ((s.p[10] != ' ' && s.p[10] != 'T') || s.p[13] != ':') return REFUSED;
    if (!read_date(s.p, &days, &zero) || !read_time(s.p + 11, s.n - 11, &micros)) return REFUSED;
    if (micros >= DAY_US || s.p[11] == '-') return REFUSED;
    return zero ? give_zero(f, s, out) : give_moment(f, days, micros, false, s, a, out);
}

/* Writes a time of day, and what lies outside a day as the policy wants it; `done` stays false
 * while a text is being written. */
static enum outcome write_day_time(const field *f, int64_t micros, uint8_t **p, bool *null) {
    bool outside = micros < 0 || micros >= DAY_US;
    *null = outside && f->outside == POLICY_NULL;
    if (outside && f->outside == POLICY_REFUSE) return REFUSED;
    if (micros < 0) *(*p)++ = '-';
    *p = put_time(*p, (uint64_t)(micros < 0 ? -micros : micros), f->style == MOMENT_DJANGO);
    return DONE;
}

static enum outcome op_time(const field *f, slice s, arena *a, value *out) {
    int64_t micros;
    if (f->wire == WIRE_PGCOPY) {
        if (s.n != 8) return REFUSED;
        micros = (int64_t)el_be64(s.p);
        if (micros < 0 || micros > DAY_US) return REFUSED;
    } else {
        if (f->wire == WIRE_SQLITE && s.tag != TAG_TEXT) return REFUSED;
        if (!read_time(s.p, s.n, &micros)) return REFUSED;
    }
    bool null;
    uint8_t *p = arena_reserve(a, MOMENT_ROOM);
    if (p == NULL) return OUT_OF_MEMORY;
    enum outcome done = write_day_time(f, micros, &p, &null);
    if (done != DONE) return done;
    return null ? give_null(out) : give_arena(out, TAG_TEXT, a, p);
}

static enum outcome op_timetz(const field *f, slice s, arena *a, value *out) {
    if (s.n != 12) return REFUSED;
    int64_t micros = (int64_t)el_be64(s.p), east = -(int64_t)(int32_t)el_be32(s.p + 8);
    unsigned size = (unsigned)(east < 0 ? -east : east);
    bool null;
    if (micros < 0 || micros > DAY_US || size >= 86400) return REFUSED;
    uint8_t *p = arena_reserve(a, MOMENT_ROOM);
    if (p == NULL) return OUT_OF_MEMORY;
    enum outcome done = write_day_time(f, micros, &p, &null);
    if (done != DONE) return done;
    if (null) return give_null(out);
    *p++ = east < 0 ? '-' : '+';
    p = put_pair(p, size / 3600);
    *p++ = ':';
    p = put_pair(p, size / 60 % 60);
    if (size % 60) {
        *p++ = ':';
        p = put_pair(p, size % 60);
    }
    return give_arena(out, TAG_TEXT, a, p);
}

static uint8_t *put_part(uint8_t *p, bool negative, uint64_t size, uint8_t unit) {
    if (size == 0) return p;
    if (negative) *p++ = '-';
    p = put_number(p, size, 1);
    *p++ = unit;
    return p;
}

static enum outcome give_iso_interval(int64_t months, int64_t days, int64_t micros, arena *a,
                                      value *out) {
    uint8_t *p = arena_reserve(a, 160);
    if (p == NULL) return OUT_OF_MEMORY;
    uint64_t month = whole_of(months).size, size = whole_of(micros).size;
    uint64_t seconds = size / 1000000, fraction = size % 1000000;
    bool negative = micros < 0;
    if (!months && !days && !micros) return give_arena(out, TAG_TEXT, a, put_text(p, "PT0S"));
    *p++ = 'P';
    p = put_part(p, months < 0, month / 12, 'Y');
    p = put_part(p, months < 0, month % 12, 'M');
    p = put_part(p, days < 0, whole_of(days).size, 'D');
    if (micros) *p++ = 'T';
    p = put_part(p, negative, seconds / 3600, 'H');
    p = put_part(p, negative, seconds / 60 % 60, 'M');
    if (seconds % 60 || fraction) {
        if (negative) *p++ = '-';
        p = put_number(p, seconds % 60, 1);
        if (fraction) {
            *p++ = '.';
            p = put_number(p, fraction, 6);
            while (p[-1] == '0') p--;
        }
        *p++ = 'S';
    }
    return give_arena(out, TAG_TEXT, a, p);
}

static enum outcome op_interval(const field *f, slice s, arena *a, value *out) {
    int64_t months = 0, days = 0, micros, total;
    if (f->wire == WIRE_PGCOPY) {
        if (s.n != 16) return REFUSED;
        micros = (int64_t)el_be64(s.p);
        days = (int32_t)el_be32(s.p + 8), months = (int32_t)el_be32(s.p + 12);
    } else if (!read_time(s.p, s.n, &micros)) {
        return REFUSED;
    }
    if (f->style == INTERVAL_ISO) return give_iso_interval(months, days, micros, a, out);
    if (months || !add_exactly(days, DAY_US, micros, &total)) return REFUSED;
    if (f->style == INTERVAL_MICROS) return give_int(out, total);
    int64_t of_epoch = floor_div(total, DAY_US);
    if (of_epoch < YEAR_1 || of_epoch >= YEAR_10000) return REFUSED;
    uint8_t *p = arena_reserve(a, MOMENT_ROOM);
    if (p == NULL) return OUT_OF_MEMORY;
    p = put_date(p, of_epoch);
    *p++ = ' ';
    p = put_time(p, (uint64_t)floor_mod(total, DAY_US), false);
    return give_arena(out, TAG_TEXT, a, p);
}

#endif
