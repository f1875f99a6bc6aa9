/* A server that costs next to nothing: N streams of events at an interval, evenly spread over it, each event stamped.
 *
 * stream_source STREAMS CHUNKS INTERVAL_MS     prints its port; after the last stream, one JSON line, then it ends.
 *
 * Every text is the CLOCK_MONOTONIC nanosecond at which it was sent, so that a client on this machine can tell how
 * long it was under way. How late the server itself was, against its schedule, is in the last line: where that is
 * much, what the client saw was the server's doing. One thread; a client that reads too slowly ends it with status 3.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_BYTES 4096
#define LATE_US 1000000

struct stream { int fd, used, sent; int64_t due; struct stream *next; char request[REQUEST_BYTES]; };

static const char HEAD[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
static const char EVENT[] =
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":"
    "[{\"index\":0,\"delta\":{%s},\"finish_reason\":%s}]}\n\n";
static uint32_t late_counts[LATE_US + 1];
static struct stream *first, *last;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what, int status) { perror(what); exit(status); }

static void send_all(int fd, const char *data, size_t size) {
    if (send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size) fail("a client reads too slowly", 3);
}

static size_t chunk(char *out, size_t room, const char *delta, const char *finish) {
    char event[512];
    int size = snprintf(event, sizeof event, EVENT, delta, finish);
    return snprintf(out, room, "%x\r\n%s\r\n", size, event);
}

static int whole(struct stream *s) { /* whether the request is all there */
    s->request[s->used] = 0;
    char *end = strstr(s->request, "\r\n\r\n"), *length = strcasestr(s->request, "\r\ncontent-length:");
    if (!end) return 0;
    long body = length && length < end ? atol(length + 17) : 0;
    return s->used >= end + 4 - s->request + body;
}

static void push(struct stream *s) {
    s->next = NULL;
    if (last) last->next = s; else first = s;
    last = s;
}

static int send_due(int chunks, int64_t interval) { /* returns how many streams ended */
    char out[640], delta[64];
    int ended = 0;
    for (int64_t now = now_ns(); first && first->due <= now; now = now_ns()) {
        struct stream *s = first;
        first = s->next;
        if (!first) last = NULL;
        int64_t late = (now - s->due) / 1000;
        late_counts[late > LATE_US ? LATE_US : late]++;
        snprintf(delta, sizeof delta, "\"content\":\"%lld\"", (long long)now);
        size_t size = chunk(out, sizeof out, delta, "null");
        send_all(s->fd, out, size);
        if (++s->sent < chunks) { s->due += interval; push(s); continue; }
        size = chunk(out, sizeof out, "", "\"stop\"");
        send_all(s->fd, out, size);
        send_all(s->fd, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n", 24);
        ended++;
    }
    return ended;
}

static double late_us(double share) {
    uint64_t total = 0, seen = 0;
    for (int i = 0; i <= LATE_US; i++) total += late_counts[i];
    for (int i = 0; i <= LATE_US; i++) if ((seen += late_counts[i]) >= share * total) return i;
    return LATE_US;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int streams = atoi(argv[1]), chunks = atoi(argv[2]), started = 0, ended = 0, one = 1;
    int64_t interval = atoi(argv[3]) * 1000000LL, begin = 0;
    int server = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(server, (void *)&address, length) || listen(server, 4096)) fail("listen", 2);
    getsockname(server, (void *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &server}, ready[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, server, &event);
    event.data.ptr = &timer;
    epoll_ctl(poll, EPOLL_CTL_ADD, timer, &event);
    while (ended < streams) {
        int count = epoll_wait(poll, ready, 256, 60000);
        if (count == 0) return 4; /* nothing for a minute: the client is gone */
        for (int i = 0; i < count; i++) {
            if (ready[i].data.ptr == &server) {
                struct stream *s = calloc(1, sizeof *s);
                if (!s || (s->fd = accept4(server, NULL, NULL, SOCK_NONBLOCK)) < 0) fail("accept", 2);
                setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event.data.ptr = s;
                epoll_ctl(poll, EPOLL_CTL_ADD, s->fd, &event);
            } else if (ready[i].data.ptr == &timer) {
                uint64_t times;
                if (read(timer, &times, sizeof times) < 0) fail("timer", 2);
            } else {
                struct stream *s = ready[i].data.ptr;
                ssize_t got = recv(s->fd, s->request + s->used, REQUEST_BYTES - 1 - s->used, 0);
                if (got <= 0 && s->sent < chunks) return 4; /* a client left early */
                if (got <= 0) { close(s->fd); continue; }
                s->used += got;
                if (whole(s)) { /* the streams begin when all are there, one after the other over an interval */
                    send_all(s->fd, HEAD, sizeof HEAD - 1);
                    s->used = 0;
                    push(s);
                    if (++started == streams) {
                        begin = now_ns() + 500000000LL;
                        int number = 0;
                        for (struct stream *each = first; each; each = each->next)
                            each->due = begin + interval * number++ / streams;
                    }
                }
            }
        }
        if (!begin) continue;
        ended += send_due(chunks, interval);
        if (first) {
            int64_t wait = first->due - now_ns();
            struct itimerspec next = {.it_value = {.tv_nsec = wait > 1000 ? wait : 1000}};
            timerfd_settime(timer, 0, &next, NULL);
        }
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("{\"late_p50_us\": %.0f, \"late_p99_us\": %.0f, \"cpu_seconds\": %.3f}\n", late_us(0.5), late_us(0.99),
           used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    return 0;
}
