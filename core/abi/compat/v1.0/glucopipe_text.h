/* glucopipe_text.h: errors, growing texts and JSON for plugins in C. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A helper, not the contract: that is glucopipe.h alone. Everything here is static, so each plugin has its
 * own copy and may change it. C99 to C17, C++11 and later. Names begin with gph_, so none of them meets one
 * that glucopipe.h may get. */
#ifndef GLUCOPIPE_TEXT_H
#define GLUCOPIPE_TEXT_H
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "glucopipe.h"

#if defined(__GNUC__)
#define GPH_PRINTF(text, first) __attribute__((unused, format(printf, text, first)))
#define GPH_API __attribute__((unused)) static
#else
#define GPH_PRINTF(text, first)
#define GPH_API static
#endif

/* ---- growing texts -------------------------------------------------------------------------------- */
/* Bytes that grow; starts as {0}. When memory runs out, failed is set and stays, and everything that is
 * added from then on is dropped: it is enough to look at failed once, at the end. */
typedef struct gph_text {
  char* data; /* NUL-terminated, or NULL while nothing was added */
  size_t len; /* without the NUL */
  size_t room;
  int failed;
} gph_text;

GPH_API void gph_free(gph_text* text) {
  free(text->data);
  memset(text, 0, sizeof *text);
}

/* Adds bytes as they are. */
GPH_API void gph_add(gph_text* text, const void* bytes, size_t len) {
  if (text->failed) return;
  if (!text->data || len >= text->room - text->len) {
    size_t room = text->room < 64 ? 64 : text->room;
    char* data;
    while (room <= text->len || room - text->len <= len) {
      if (room > (size_t)-1 / 2) {
        text->failed = 1;
        return;
      }
      room *= 2;
    }
    data = (char*)realloc(text->data, room);
    if (!data) {
      text->failed = 1;
      return;
    }
    text->data = data;
    text->room = room;
  }
  if (len) memcpy(text->data + text->len, bytes, len);
  text->len += len;
  text->data[text->len] = 0;
}

GPH_API void gph_puts(gph_text* text, const char* added) { gph_add(text, added, strlen(added)); }

/* Adds what printf would print, up to 511 bytes. */
GPH_PRINTF(2, 3) static void gph_print(gph_text* text, const char* format, ...) {
  char line[512];
  int len;
  va_list arguments;
  va_start(arguments, format);
  len = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (len > 0) gph_add(text, line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
}

/* Adds a number with as few digits as give it back exactly. */
GPH_API void gph_number(gph_text* text, double number) {
  char digits[40];
  int precision;
  for (precision = 15; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, number);
    if (strtod(digits, NULL) == number) break;
  }
  gph_puts(text, digits);
}

/* Bytes of the UTF-8 character at the start of bytes, or 0 if there is none. */
GPH_API size_t gph_utf8(const char* bytes, size_t len) {
  const unsigned char* at = (const unsigned char*)bytes;
  unsigned long code;
  size_t need, i;
  if (!len) return 0;
  if (at[0] < 0x80) return 1;
  need = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
  if (at[0] < 0xc2 || at[0] > 0xf4 || need > len) return 0;
  code = at[0] & (0xffu >> (need + 1));
  for (i = 1; i < need; i++) {
    if ((at[i] & 0xc0) != 0x80) return 0;
    code = code << 6 | (at[i] & 0x3f);
  }
  if (need == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) return 0;
  if (need == 4 && (code < 0x10000 || code > 0x10ffff)) return 0;
  return need;
}

/* Adds bytes of a device as UTF-8: what is none becomes U+FFFD. */
GPH_API void gph_add_utf8(gph_text* text, const char* bytes, size_t len) {
  size_t at = 0;
  while (at < len) {
    size_t whole = gph_utf8(bytes + at, len - at);
    gph_add(text, whole ? bytes + at : "\xef\xbf\xbd", whole ? whole : 3);
    at += whole ? whole : 1;
  }
}

/* Adds a JSON string with its quotes; what is no UTF-8 becomes U+FFFD. */
GPH_API void gph_quote(gph_text* text, const char* bytes, size_t len) {
  size_t at = 0;
  gph_puts(text, "\"");
  while (at < len) {
    unsigned char byte = (unsigned char)bytes[at];
    if (byte < 0x20) {
      gph_print(text, "\\u%04x", byte);
      at++;
    } else if (byte == '"' || byte == '\\') {
      gph_print(text, "\\%c", byte);
      at++;
    } else {
      size_t whole = gph_utf8(bytes + at, len - at);
      gph_add_utf8(text, bytes + at, whole ? whole : 1);
      at += whole ? whole : 1;
    }
  }
  gph_puts(text, "\"");
}

/* Adds bytes as hexadecimal digits. */
GPH_API void gph_hex(gph_text* text, const void* bytes, size_t len) {
  size_t at;
  for (at = 0; at < len; at++) gph_print(text, "%02x", ((const unsigned char*)bytes)[at]);
}

/* ---- errors and texts across the boundary --------------------------------------------------------- */
GPH_API void GP_CALL gph_release_error(gp_error* error) {
  free((void*)error->message);
  free((void*)error->details);
  error->message = NULL;
  error->details = NULL;
  error->release = NULL;
}

/* Fills an error, which may be NULL, and returns its code: return gph_fail(error, GP_E_IO, "..."). */
GPH_PRINTF(3, 4) static gp_status gph_fail(gp_error* error, gp_status code, const char* format, ...) {
  char line[512];
  gph_text message;
  va_list arguments;
  if (!error) return code;
  va_start(arguments, format);
  if (vsnprintf(line, sizeof line, format, arguments) < 0) line[0] = 0;
  va_end(arguments);
  memset(&message, 0, sizeof message);
  gph_add_utf8(&message, line, strlen(line));
  error->code = code;
  error->message = message.data;
  error->release = gph_release_error;
  return code;
}

/* As gph_fail, for a key of the configuration that cannot be used. The key is plain letters. */
GPH_API gp_status gph_fail_key(gp_error* error, const char* key, const char* message) {
  gph_text details;
  if (!error) return GP_E_INVALID_ARGUMENT;
  gph_fail(error, GP_E_INVALID_ARGUMENT, "%s", message);
  memset(&details, 0, sizeof details);
  gph_print(&details, "{\"key\": \"%s\"}", key);
  error->details = details.data;
  return GP_E_INVALID_ARGUMENT;
}

GPH_API gp_status gph_no_memory(gp_error* error) { return gph_fail(error, GP_E_INTERNAL, "out of memory"); }

GPH_API void GP_CALL gph_release_string(gp_string* string) {
  free((void*)string->data);
  string->data = NULL;
  string->len = 0;
  string->release = NULL;
}

/* Hands a text to the host, and empties it. */
GPH_API gp_status gph_give(gph_text* text, gp_string* out, gp_error* error) {
  if (text->failed || !text->data) {
    gph_free(text);
    return gph_no_memory(error);
  }
  out->data = text->data;
  out->len = text->len;
  out->release = gph_release_string;
  memset(text, 0, sizeof *text);
  return GP_OK;
}

/* ---- configuration -------------------------------------------------------------------------------- */
GPH_API const char* gph_json_blank(const char* at) {
  while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r') at++;
  return at;
}

/* The four hexadecimal digits of an escape. */
GPH_API int gph_json_unit(const char* at, unsigned long* unit) {
  int digit;
  *unit = 0;
  for (digit = 0; digit < 4; digit++) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char* found = at[digit] ? strchr(digits, at[digit]) : NULL;
    if (!found) return 0;
    *unit = *unit << 4 | (unsigned long)((found - digits) & 15);
  }
  return 1;
}

/* Behind the string, or NULL when it is none. */
GPH_API const char* gph_json_string(const char* at) {
  unsigned long unit;
  if (*at++ != '"') return NULL;
  while (*at != '"') {
    if (*at == '\\') {
      at++;
      if (!*at || !strchr("\"\\/bfnrtu", *at) || (*at == 'u' && !gph_json_unit(at + 1, &unit))) return NULL;
      at += *at == 'u' ? 5 : 1;
    } else {
      size_t whole = (unsigned char)*at < 0x20 ? 0 : gph_utf8(at, 4); /* a NUL ends every sequence */
      if (!whole) return NULL;
      at += whole;
    }
  }
  return at + 1;
}

GPH_API const char* gph_json_digits(const char* at) {
  if (*at < '0' || *at > '9') return NULL;
  while (*at >= '0' && *at <= '9') at++;
  return at;
}

GPH_API const char* gph_json_number(const char* at) {
  if (*at == '-') at++;
  at = *at == '0' ? at + 1 : gph_json_digits(at);
  if (at && *at == '.') at = gph_json_digits(at + 1);
  if (at && (*at == 'e' || *at == 'E')) at = gph_json_digits(at + 1 + (at[1] == '+' || at[1] == '-'));
  return at;
}

/* How deep objects and arrays may lie in each other. */
#define GPH_JSON_DEPTH 64

/* Behind the value that starts here, or NULL when it is none. */
GPH_API const char* gph_json_value(const char* at, int depth) {
  char end = *at == '{' ? '}' : *at == '[' ? ']' : 0;
  if (*at == '"') return gph_json_string(at);
  if (!end) {
    if (!strncmp(at, "true", 4) || !strncmp(at, "null", 4)) return at + 4;
    return strncmp(at, "false", 5) ? gph_json_number(at) : at + 5;
  }
  if (!depth) return NULL;
  at = gph_json_blank(at + 1);
  if (*at == end) return at + 1;
  for (;;) {
    if (end == '}') {
      at = gph_json_string(at);
      if (!at || *(at = gph_json_blank(at)) != ':') return NULL;
      at = gph_json_blank(at + 1);
    }
    at = gph_json_value(at, depth - 1);
    if (!at) return NULL;
    at = gph_json_blank(at);
    if (*at != ',') return *at == end ? at + 1 : NULL;
    at = gph_json_blank(at + 1);
  }
}

/* Whether the configuration is one at all: a JSON object. The functions below take that for granted. */
GPH_API gp_status gph_config_check(const char* config, gp_error* error) {
  const char* at = config ? gph_json_blank(config) : NULL;
  at = at && *at == '{' ? gph_json_value(at, GPH_JSON_DEPTH) : NULL;
  if (at && !*gph_json_blank(at)) return GP_OK;
  return gph_fail(error, GP_E_INVALID_ARGUMENT, "the configuration is no JSON object");
}

/* The value of a key of the object, or NULL. Keys of keys are not looked at. */
GPH_API const char* gph_json_find(const char* json, const char* key) {
  size_t len = strlen(key);
  const char* at = gph_json_blank(gph_json_blank(json) + 1);
  while (at && *at == '"') {
    const char* end = gph_json_string(at);
    int same = end && (size_t)(end - at) == len + 2 && !memcmp(at + 1, key, len);
    if (!end || *(end = gph_json_blank(end)) != ':') return NULL;
    at = gph_json_blank(end + 1);
    if (same) return at;
    at = gph_json_value(at, GPH_JSON_DEPTH);
    if (at) at = gph_json_blank(at);
    if (at) at = *at == ',' ? gph_json_blank(at + 1) : NULL;
  }
  return NULL;
}

GPH_API void gph_add_code(gph_text* out, unsigned long code) {
  char bytes[4];
  if (code < 0x80) {
    bytes[0] = (char)code;
    gph_add(out, bytes, 1);
  } else if (code < 0x800) {
    bytes[0] = (char)(0xc0 | code >> 6);
    bytes[1] = (char)(0x80 | (code & 0x3f));
    gph_add(out, bytes, 2);
  } else if (code < 0x10000) {
    bytes[0] = (char)(0xe0 | code >> 12);
    bytes[1] = (char)(0x80 | (code >> 6 & 0x3f));
    bytes[2] = (char)(0x80 | (code & 0x3f));
    gph_add(out, bytes, 3);
  } else {
    bytes[0] = (char)(0xf0 | code >> 18);
    bytes[1] = (char)(0x80 | (code >> 12 & 0x3f));
    bytes[2] = (char)(0x80 | (code >> 6 & 0x3f));
    bytes[3] = (char)(0x80 | (code & 0x3f));
    gph_add(out, bytes, 4);
  }
}

/* Appends the text of a key. 1 when it is there, 0 when it is missing or null, -1 when it is no text, or one
 * with a NUL in it, which C would end there. */
GPH_API int gph_config_text(const char* config, const char* key, gph_text* out) {
  static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  const char* at = gph_json_find(config, key);
  if (!at || *at == 'n') return 0;
  if (*at != '"') return -1;
  for (at++; *at && *at != '"'; at++) {
    const char* escape;
    unsigned long unit, low;
    if (*at != '\\') {
      gph_add(out, at, 1);
    } else if (*++at == 'u' && gph_json_unit(at + 1, &unit)) {
      at += 4;
      if (unit >= 0xd800 && unit < 0xdc00 && at[1] == '\\' && at[2] == 'u' && gph_json_unit(at + 3, &low) &&
          low >= 0xdc00 && low < 0xe000) {
        at += 6;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
      }
      if (!unit) return -1;
      gph_add_code(out, unit);
    } else if (*at && (escape = strchr(names, *at)) != NULL) {
      gph_add(out, &meant[escape - names], 1);
    } else {
      return -1;
    }
  }
  return *at ? 1 : -1;
}

/* The number of a key: 1 when it is there, 0 when it is missing or null, -1 when it is no number. */
GPH_API int gph_config_number(const char* config, const char* key, double* out) {
  const char* at = gph_json_find(config, key);
  char* end;
  if (!at || *at == 'n') return 0;
  *out = strtod(at, &end);
  return end != at && *at != '"' ? 1 : -1;
}

/* The truth of a key: 1, 0, or otherwise when it is missing or null. */
GPH_API int gph_config_bool(const char* config, const char* key, int otherwise) {
  const char* at = gph_json_find(config, key);
  return !at || *at == 'n' ? otherwise : *at == 't';
}
#endif /* GLUCOPIPE_TEXT_H */
