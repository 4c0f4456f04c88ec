/* A Bedrock that costs next to nothing: made frames, flat out or paced, to requests that say what they want.
 *
 *   upstream PORT
 *
 * The model id says it: "...-n200-i20" is 200 deltas, one every 20 ms; i0 is as fast as the socket takes them. Both
 * ConverseStream and InvokeModelWithResponseStream (Claude's messages). Each delta's text is the time it was written,
 * in nanoseconds of CLOCK_MONOTONIC, so that whoever reads it knows its age.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 8192, REQUEST = 65536, FRAME = 1024 };

typedef struct {
  int fd, converse, left, heap_at;
  int64_t interval, due;
  size_t got;
  char request[REQUEST];
  char *out;
  size_t out_size, out_at, out_room;
} Conn;

static Conn *conns[MOST];
static Conn *heap[MOST];
static int heaped, poller;
static uint32_t table[256];

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint32_t crc32_of(uint32_t crc, const uint8_t *at, size_t size) {
  crc = ~crc;
  while (size--) crc = table[(crc ^ *at++) & 255] ^ (crc >> 8);
  return ~crc;
}

static uint8_t *put32(uint8_t *at, uint32_t value) {
  at[0] = value >> 24, at[1] = value >> 16, at[2] = value >> 8, at[3] = value;
  return at + 4;
}

static uint8_t *put_header(uint8_t *at, const char *name, const char *value) {
  size_t n = strlen(name), v = strlen(value);
  *at++ = n;
  memcpy(at, name, n);
  at += n;
  *at++ = 7;
  *at++ = v >> 8;
  *at++ = v;
  memcpy(at, value, v);
  return at + v;
}

static size_t frame(uint8_t *at, const char *event, const char *payload, size_t size) {
  uint8_t *headers = at + 12, *end = headers;
  end = put_header(end, ":event-type", event);
  end = put_header(end, ":content-type", "application/json");
  end = put_header(end, ":message-type", "event");
  memcpy(end, payload, size);
  uint32_t total = (uint32_t)(end - at + size + 4);
  put32(at, total);
  put32(at + 4, (uint32_t)(end - headers));
  put32(at + 8, crc32_of(0, at, 8));
  put32(at + total - 4, crc32_of(0, at, total - 4));
  return total;
}

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t base64(char *to, const char *from, size_t size) {
  char *start = to;
  for (size_t i = 0; i < size; i += 3) {
    uint32_t v = (uint8_t)from[i] << 16 | (i + 1 < size ? (uint8_t)from[i + 1] << 8 : 0) | (i + 2 < size ? (uint8_t)from[i + 2] : 0);
    *to++ = DIGITS[v >> 18];
    *to++ = DIGITS[v >> 12 & 63];
    *to++ = i + 1 < size ? DIGITS[v >> 6 & 63] : '=';
    *to++ = i + 2 < size ? DIGITS[v & 63] : '=';
  }
  return to - start;
}

static void room(Conn *c, size_t more) {
  if (c->out_at && c->out_at == c->out_size) c->out_at = c->out_size = 0;
  if (c->out_size + more > c->out_room) {
    c->out_room = (c->out_size + more) * 2;
    c->out = realloc(c->out, c->out_room);
  }
}

static void say_raw(Conn *c, const void *bytes, size_t size) {
  room(c, size);
  memcpy(c->out + c->out_size, bytes, size);
  c->out_size += size;
}

/* One event of either API: Converse's by its name, Claude's as a chunk. */
static size_t event(Conn *c, uint8_t *at, const char *name, const char *converse, const char *chunk) {
  if (c->converse) return frame(at, name, converse, strlen(converse));
  char payload[FRAME] = "{\"bytes\":\"";
  size_t size = strlen(payload);
  size += base64(payload + size, chunk, strlen(chunk));
  memcpy(payload + size, "\",\"p\":\"abcdefgh\"}", 17);
  return frame(at, "chunk", payload, size + 17);
}

static void say_chunk(Conn *c, const uint8_t *bytes, size_t size) {
  char head[16];
  say_raw(c, head, snprintf(head, sizeof head, "%zx\r\n", size));
  say_raw(c, bytes, size);
  say_raw(c, "\r\n", 2);
}

static size_t delta(Conn *c, uint8_t *at) {
  char converse[256], chunk[256];
  long long stamp = now_ns();
  snprintf(converse, sizeof converse, "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"%019lld\"},\"p\":\"abcdefghijkl\"}", stamp);
  snprintf(chunk, sizeof chunk, "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"%019lld\"}}", stamp);
  return event(c, at, "contentBlockDelta", converse, chunk);
}

static void begin(Conn *c) {
  static const char HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n"
                             "X-Amzn-Bedrock-Content-Type: application/json\r\nx-amzn-RequestId: bench\r\nTransfer-Encoding: chunked\r\n\r\n";
  uint8_t bytes[FRAME];
  say_raw(c, HEAD, sizeof HEAD - 1);
  say_chunk(c, bytes, event(c, bytes, "messageStart", "{\"role\":\"assistant\",\"p\":\"abc\"}",
      "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}"));
}

static void end(Conn *c) {
  uint8_t bytes[4 * FRAME];
  size_t size = event(c, bytes, "contentBlockStop", "{\"contentBlockIndex\":0,\"p\":\"a\"}", "{\"type\":\"content_block_stop\",\"index\":0}");
  size += event(c, bytes + size, "messageStop", "{\"p\":\"ab\",\"stopReason\":\"end_turn\"}",
      "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":200}}");
  size += event(c, bytes + size, "metadata", "{\"metrics\":{\"latencyMs\":1},\"usage\":{\"inputTokens\":9,\"outputTokens\":200,\"totalTokens\":209}}",
      "{\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":9,\"outputTokenCount\":200,\"invocationLatency\":1,\"firstByteLatency\":1}}");
  say_chunk(c, bytes, size);
  say_raw(c, "0\r\n\r\n", 5);
}

static void sift(int at) {
  for (;;) {
    int up = (at - 1) / 2, least = at, child = 2 * at + 1;
    if (at && heap[at]->due < heap[up]->due) least = up;
    else
      for (int k = child; k < child + 2 && k < heaped; k++)
        if (heap[k]->due < heap[least]->due) least = k;
    if (least == at) return;
    Conn *swap = heap[at];
    heap[at] = heap[least], heap[least] = swap;
    heap[at]->heap_at = at, heap[least]->heap_at = least;
    at = least;
  }
}

static void plan(Conn *c) {
  heap[heaped] = c;
  c->heap_at = heaped++;
  sift(c->heap_at);
}

static void unplan(Conn *c) {
  int at = c->heap_at;
  if (at < 0) return;
  heap[at] = heap[--heaped];
  heap[at]->heap_at = at;
  c->heap_at = -1;
  if (at < heaped) sift(at);
}

static void close_conn(Conn *c) {
  unplan(c);
  conns[c->fd] = NULL;
  close(c->fd);
  free(c->out);
  free(c);
}

static int flush(Conn *c) {
  while (c->out_at < c->out_size) {
    ssize_t sent = send(c->fd, c->out + c->out_at, c->out_size - c->out_at, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? 0 : -1;
    c->out_at += sent;
  }
  return 0;
}

static int number_after(const char *text, const char *end, const char *key) {
  const char *found = memmem(text, end - text, key, strlen(key));
  return found ? atoi(found + strlen(key)) : 0;
}

static void answer(Conn *c, const char *head, const char *line_end) {
  c->converse = memmem(head, line_end - head, "converse-stream", 15) != NULL;
  c->left = number_after(head, line_end, "-n");
  c->interval = (int64_t)number_after(head, line_end, "-i") * 1000000;
  begin(c);
  if (c->interval) {
    c->due = now_ns();
    plan(c);
    return;
  }
  uint8_t bytes[16 * FRAME];
  size_t size = 0;
  for (; c->left; c->left--) {
    size += delta(c, bytes + size);
    if (size > sizeof bytes - FRAME || c->left == 1) say_chunk(c, bytes, size), size = 0;
  }
  end(c);
}

/* Take what has come; answer each whole request. -1: the client has left. */
static int take(Conn *c) {
  for (;;) {
    ssize_t got = recv(c->fd, c->request + c->got, sizeof c->request - 1 - c->got, 0);
    if (got == 0) return -1;
    if (got < 0) return errno == EAGAIN ? 0 : -1;
    c->got += got;
    c->request[c->got] = 0;
    char *body = strstr(c->request, "\r\n\r\n");
    if (!body) continue;
    char *length = strcasestr(c->request, "content-length:");
    size_t whole = body + 4 - c->request + (length && length < body ? (size_t)atol(length + 15) : 0);
    if (c->got < whole) continue;
    answer(c, c->request, strstr(c->request, "\r\n"));
    memmove(c->request, c->request + whole, c->got - whole);
    c->got -= whole;
    if (flush(c) < 0) return -1;
  }
}

static void tick(int64_t now) {
  uint8_t bytes[FRAME];
  while (heaped && heap[0]->due <= now) {
    Conn *c = heap[0];
    say_chunk(c, bytes, delta(c, bytes));
    c->due += c->interval;
    if (--c->left) sift(0);
    else {
      unplan(c);
      end(c);
    }
    if (flush(c) < 0) close_conn(c);
  }
}

static void welcome(int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
    if (fd >= MOST) {
      close(fd);
      continue;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    conns[fd] = calloc(1, sizeof(Conn));
    conns[fd]->fd = fd;
    conns[fd]->heap_at = -1;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
  }
}

int main(int argc, char **argv) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t v = i;
    for (int k = 0; k < 8; k++) v = v & 1 ? 0xEDB88320u ^ (v >> 1) : v >> 1;
    table[i] = v;
  }
  struct rlimit files = {MOST, MOST};
  setrlimit(RLIMIT_NOFILE, &files);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) return perror("listen"), 1;
  poller = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
  for (;;) {
    struct epoll_event ready[256];
    int64_t wait = heaped ? (heap[0]->due - now_ns() + 999999) / 1000000 : 1000;
    int count = epoll_wait(poller, ready, 256, wait < 0 ? 0 : (int)wait);
    for (int i = 0; i < count; i++) {
      if (ready[i].data.fd == listener) welcome(listener);
      else {
        Conn *c = conns[ready[i].data.fd];
        if (c && ((ready[i].events & EPOLLIN && take(c) < 0) || flush(c) < 0 || ready[i].events & (EPOLLERR | EPOLLHUP))) close_conn(c);
      }
    }
    tick(now_ns());
  }
}
