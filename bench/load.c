/* A load generator that is not the bottleneck: many readers of streams in one thread.
 *
 *   load PORT REQUEST_FILE TOTAL READERS OPEN_MS
 *
 * READERS connections are opened evenly within OPEN_MS; each sends the request, reads the stream to its end, and sends
 * it again until TOTAL answers have come. A delta is `"text":`, a quote and 19 digits, the time it was written; the first of an
 * answer gives the time to first token, each its age. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <errno.h>
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

enum { MOST = 8192, KEEP = 64, READ = 1 << 18 };
static const char MARK[] = "\"text\":";
enum { MARK_SIZE = sizeof MARK - 1, DIGITS = 19 };

typedef struct {
  int fd, first, failed, ok;
  size_t kept, to_send;
  int64_t sent;
  char tail[KEEP];
} Reader;

static Reader readers[MOST];
static char *request, buffer[READ + KEEP];
static size_t request_size;
static int poller, port, total, begun, done, failures;
static uint32_t *firsts, *ages;
static size_t first_count, age_count, age_room;
static int64_t started, first_end;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint32_t micros(int64_t ns) { return ns < 0 ? 0 : (uint32_t)(ns / 1000); }

static void ask(Reader *r) {
  if (begun >= total) {
    close(r->fd);
    r->fd = -1;
    return;
  }
  begun++;
  r->first = 1, r->kept = 0, r->failed = 0, r->ok = 0, r->to_send = 0;
  r->sent = now_ns();
  while (r->to_send < request_size) {
    ssize_t sent = send(r->fd, request + r->to_send, request_size - r->to_send, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN) return;
      r->failed = 1;
      return;
    }
    r->to_send += sent;
  }
}

static void open_reader(Reader *r) {
  r->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int one = 1;
  setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  connect(r->fd, (struct sockaddr *)&at, sizeof at);
  struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = r};
  epoll_ctl(poller, EPOLL_CTL_ADD, r->fd, &e);
}

static void finish(Reader *r) {
  done++;
  if (!first_end) first_end = now_ns();
  if (!r->ok || r->first) failures++;
  ask(r);
}

static void heard(Reader *r, int64_t stamp, int64_t now) {
  if (r->first) {
    r->first = 0;
    firsts[first_count++] = micros(now - r->sent);
  }
  if (age_count == age_room) ages = realloc(ages, (age_room = age_room ? age_room * 2 : 1 << 16) * sizeof *ages);
  ages[age_count++] = micros(now - stamp);
}

static void read_on(Reader *r) {
  for (;;) {
    memcpy(buffer, r->tail, r->kept);
    ssize_t got = recv(r->fd, buffer + r->kept, READ, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      if (r->fd >= 0) close(r->fd);
      done++, failures++;
      r->sent = 0, r->kept = 0, r->fd = -1;
      if (begun < total) open_reader(r);
      return;
    }
    int64_t now = now_ns();
    size_t size = r->kept + got;
    char *at = buffer, *end = buffer + size;
    if (memmem(buffer, size, "HTTP/1.1 200", 12)) r->ok = 1;
    for (char *found; (found = memmem(at, end - at, MARK, MARK_SIZE)) && found + MARK_SIZE + 2 + DIGITS <= end; at = found + MARK_SIZE + 2 + DIGITS)
      heard(r, strtoll(found + MARK_SIZE + (found[MARK_SIZE] == ' ') + 1, NULL, 10), now);
    int over = size >= 5 && !memcmp(end - 5, "0\r\n\r\n", 5);
    r->kept = end - at < KEEP ? end - at : KEEP;
    memcpy(r->tail, end - r->kept, r->kept);
    if (over) {
      finish(r);
      if (r->fd < 0) return;
    }
  }
}

static int by_size(const void *a, const void *b) { return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1; }

static uint32_t share(uint32_t *values, size_t count, double part) { return count ? values[(size_t)(part * (count - 1))] : 0; }

int main(int argc, char **argv) {
  if (argc < 6) return fprintf(stderr, "load PORT REQUEST_FILE TOTAL READERS OPEN_MS\n"), 2;
  struct rlimit files = {MOST, MOST};
  setrlimit(RLIMIT_NOFILE, &files);
  port = atoi(argv[1]), total = atoi(argv[3]);
  int count = atoi(argv[4]), opened = 0;
  int64_t open_ns = (int64_t)atoi(argv[5]) * 1000000;
  FILE *file = fopen(argv[2], "rb");
  if (!file || count > MOST - 16) return perror(argv[2]), 2;
  request = malloc(1 << 20);
  request_size = fread(request, 1, 1 << 20, file);
  firsts = calloc(total + 1, sizeof *firsts);
  poller = epoll_create1(0);
  started = now_ns();
  int64_t deadline = started + 120LL * 1000000000;
  while (done < total && now_ns() < deadline) {
    while (opened < count && (!open_ns || now_ns() - started >= open_ns * opened / count)) open_reader(&readers[opened++]);
    struct epoll_event ready[512];
    int n = epoll_wait(poller, ready, 512, opened < count ? 1 : 100);
    for (int i = 0; i < n; i++) {
      Reader *r = ready[i].data.ptr;
      if (r->fd >= 0 && !r->sent && ready[i].events & EPOLLOUT) ask(r);
      if (r->fd >= 0 && ready[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) read_on(r);
    }
  }
  double wall = (now_ns() - started) / 1e9;
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  qsort(firsts, first_count, sizeof *firsts, by_size);
  qsort(ages, age_count, sizeof *ages, by_size);
  printf("{\"answers\":%d,\"failures\":%d,\"unfinished\":%d,\"deltas\":%zu,\"wall_s\":%.6f,\"cpu_s\":%.6f,"
         "\"first_p50_us\":%u,\"first_p99_us\":%u,\"age_p50_us\":%u,\"age_p99_us\":%u}\n",
         done, failures, total - done, age_count, wall, cpu, share(firsts, first_count, .5), share(firsts, first_count, .99),
         share(ages, age_count, .5), share(ages, age_count, .99));
  return 0;
}
