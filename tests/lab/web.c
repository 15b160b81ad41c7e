/* web: the lab's web service, one small static program that names itself and misbehaves on request.
 *
 * Any path answers "host=... pid=... port=... peer=... path=..." with the header X-Who; special paths:
 *   /slow?MS        answers after MS milliseconds           /status?CODE   answers that status
 *   /stream?N       N chunks, one each 100 ms               /big?BYTES     a body of that many bytes
 *   /ws             a websocket that echoes                 /drop          closes without an answer
 *   /health         200, or 503 after /fail?on (/fail?off)  /env /headers  the environment; the request as received
 *   /seen           the ids of all POSTs, one a line (id: header X-Id, else the body): proves double delivery
 *   /count          how many requests were answered
 * Environment:
 *   PORT=8000[,..]  where it listens, IPv4 and IPv6         ECHO=PORT      TCP: answers "host=... " + what was sent
 *   START_DELAY=MS  before it listens                       KEEPALIVE=MS   closes connections idle for so long
 *   SAY="I'm"       answers "I'm HOSTNAME" and no more      (for people who count with their eyes)
 *   NAME=...        instead of the host name                LOG=1          prints "POST <id>" for each POST
 *   On SIGTERM it closes its listeners, finishes what is in flight or has come in, exits (CLOSE=now, the default), or
 *   CLOSE=hard      exits at once                           DRAIN=S        serves S seconds more, new connections too
 *   IGNORE=1        does nothing
 * "web healthy" exits with 0 while /health of the web beside it answers 200: for HEALTHCHECK.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { LISTENERS = 16, BUFFER = 16384, SEEN = 4 << 20 };

static struct listener { int fd, port, echo; } listeners[LISTENERS];
static int listening, keepalive_ms, log_posts;
static volatile int stopping, failing;
static volatile long in_flight, silent, answered; /* silent: connections that have not asked anything yet */
static char who[256], seen[SEEN];
static size_t seen_length;
static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;
extern char **environ;

void websocket_accept(const char *key, char accept[29]); /* websocket.c */
void websocket_echo(int fd);
int healthy(int port); /* healthy.c */

struct request {
    int fd, port, head, close, minor, asked;
    char peer[INET6_ADDRSTRLEN], method[16], path[1024], *headers, *body;
    size_t body_length;
};

static int setting(const char *name) { const char *value = getenv(name); return value ? atoi(value) : 0; }

static int send_all(int fd, const char *data, size_t length) {
    while (length) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent <= 0) return -1;
        data += sent, length -= (size_t)sent;
    }
    return 0;
}

/* The value of a header, copied to `value`; "" when the request has none. */
static void header(const struct request *r, const char *name, char *value, size_t size) {
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\r\n%s:", name);
    const char *at = strcasestr(r->headers, wanted);
    size_t n = 0;
    if (at) {
        at += strlen(wanted);
        while (*at == ' ') at++;
        while (at[n] && at[n] != '\r' && n < size - 1) n++;
        memcpy(value, at, n);
    }
    value[n] = 0;
}

static int answer(struct request *r, int status, const char *body, size_t length) {
    char head[512];
    int n = snprintf(head, sizeof head,
        "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nX-Who: %s\r\nContent-Length: %zu\r\n%s\r\n",
        status, status < 400 ? "OK" : "Error", who, length, r->close ? "Connection: close\r\n" : "");
    if (length > 8192)
        return send_all(r->fd, head, (size_t)n) || (!r->head && send_all(r->fd, body, length)) ? -1 : 0;
    char whole[sizeof head + 8192]; /* one packet for head and body */
    memcpy(whole, head, (size_t)n);
    memcpy(whole + n, body, length);
    return send_all(r->fd, whole, (size_t)n + (r->head ? 0 : length));
}

static int stream(struct request *r, int chunks) {
    char text[512];
    int n = snprintf(text, sizeof text,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Who: %s\r\nTransfer-Encoding: chunked\r\n%s\r\n",
        who, r->close ? "Connection: close\r\n" : "");
    if (send_all(r->fd, text, (size_t)n)) return -1;
    for (int i = 1; i <= chunks; i++) {
        char line[400];
        int length = snprintf(line, sizeof line, "host=%s chunk=%d of=%d\n", who, i, chunks);
        n = snprintf(text, sizeof text, "%x\r\n%s\r\n", length, line);
        if (send_all(r->fd, text, (size_t)n)) return -1;
        usleep(100000);
    }
    return send_all(r->fd, "0\r\n\r\n", 5);
}

static int upgrade_to_websocket(struct request *r) {
    char key[64], accept[29], text[512];
    header(r, "Sec-WebSocket-Key", key, sizeof key);
    websocket_accept(key, accept);
    int n = snprintf(text, sizeof text, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nX-Who: %s\r\nSec-WebSocket-Accept: %s\r\n\r\n", who, accept);
    return send_all(r->fd, text, (size_t)n);
}

static void remember_post(const struct request *r) {
    char id[128], line[160];
    header(r, "X-Id", id, sizeof id);
    if (!*id) snprintf(id, sizeof id, "%.*s", (int)(r->body_length < 100 ? r->body_length : 100), r->body);
    size_t n = (size_t)snprintf(line, sizeof line, "POST %s\n", id);
    pthread_mutex_lock(&seen_lock);
    if (seen_length + n < SEEN) memcpy(seen + seen_length, line + 5, n - 5), seen_length += n - 5;
    pthread_mutex_unlock(&seen_lock);
    if (log_posts && write(1, line, n) < 0) perror("log");
}

static int respond(struct request *r) {
    const char *question = strchr(r->path, '?');
    int number = question ? atoi(question + 1) : 0, status = 200;
    size_t name = question ? (size_t)(question - r->path) : strlen(r->path);
#define IS(text) (name == sizeof text - 1 && !memcmp(r->path, text, name))
    if (!strcmp(r->method, "POST")) remember_post(r);
    if (IS("/drop")) return -1;
    if (IS("/slow")) usleep((useconds_t)number * 1000);
    if (IS("/stream")) return stream(r, number);
    if (IS("/headers")) return answer(r, 200, r->headers, strlen(r->headers));
    if (IS("/seen")) return answer(r, 200, seen, seen_length);
    if (IS("/fail")) failing = question && !strcmp(question, "?on");
    if (IS("/health")) status = failing ? 503 : 200;
    if (IS("/status")) status = number;
    if (IS("/big") || IS("/env")) {
        size_t size = IS("/big") ? (size_t)number : 65536, n = 0;
        char *text = malloc(size + 1);
        if (!text) return -1;
        if (IS("/big")) memset(text, 'x', n = size);
        else for (char **e = environ; *e && n + strlen(*e) < size; e++) n += (size_t)sprintf(text + n, "%s\n", *e);
        int sent = answer(r, 200, text, n);
        free(text);
        return sent;
    }
    char body[2048];
    const char *say = getenv("SAY");
    int n = IS("/count") ? snprintf(body, sizeof body, "%ld\n", answered)
        : say            ? snprintf(body, sizeof body, "%.99s %s\n", say, who)
        : snprintf(body, sizeof body, "host=%s pid=%d port=%d peer=%s path=%s\n", who, getpid(), r->port, r->peer, r->path);
    return answer(r, status, body, (size_t)n);
}

static void serve(struct request *r) {
    char buffer[BUFFER + 1], value[64], *end;
    size_t have = 0;
    for (;;) {
        while (buffer[have] = 0, !(end = memmem(buffer, have, "\r\n\r\n", 4))) {
            ssize_t got = have < BUFFER ? read(r->fd, buffer + have, BUFFER - have) : 0;
            if (got <= 0) return;
            have += (size_t)got;
        }
        __sync_fetch_and_add(&in_flight, 1);
        if (!r->asked++) __sync_fetch_and_sub(&silent, 1);
        size_t head = (size_t)(end + 4 - buffer);
        end[2] = 0;
        r->minor = 1, r->headers = buffer;
        int fine = sscanf(buffer, "%15s %1023s HTTP/1.%d", r->method, r->path, &r->minor) >= 2;
        header(r, "Content-Length", value, sizeof value);
        r->body_length = strtoul(value, 0, 10), r->body = end + 4;
        fine = fine && head + r->body_length <= BUFFER;
        while (fine && have < head + r->body_length) {
            ssize_t got = read(r->fd, buffer + have, BUFFER - have);
            fine = got > 0;
            have += fine ? (size_t)got : 0;
        }
        header(r, "Connection", value, sizeof value);
        r->close = stopping || !strcasecmp(value, "close") || (!r->minor && strcasecmp(value, "keep-alive"));
        r->head = !strcmp(r->method, "HEAD");
        int upgrade = fine && !strcmp(r->path, "/ws");
        fine = fine && !(upgrade ? upgrade_to_websocket(r) : respond(r));
        __sync_fetch_and_add(&answered, fine);
        __sync_fetch_and_sub(&in_flight, 1);
        if (fine && upgrade) {
            struct timeval forever = {0, 0};
            setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof forever);
            websocket_echo(r->fd);
        }
        if (!fine || upgrade || r->close) return;
        head += r->body_length;
        memmove(buffer, buffer + head, have - head);
        have -= head;
    }
}

static void echo(int fd) {
    char text[BUFFER];
    int n = snprintf(text, sizeof text, "host=%s ", who);
    for (ssize_t got; (got = read(fd, text + n, sizeof text - (size_t)n)) > 0;)
        if (send_all(fd, text, (size_t)(n + got))) return;
}

struct accepted { int fd, port, echo; };

static void *connection(void *argument) {
    struct accepted a = *(struct accepted *)argument;
    free(argument);
    struct request r = {.fd = a.fd, .port = a.port, .asked = a.echo};
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    if (!getpeername(a.fd, (void *)&peer, &size)) {
        char numeric[INET6_ADDRSTRLEN] = "";
        if (peer.ss_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)&peer)->sin_addr, numeric, sizeof numeric);
        else inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&peer)->sin6_addr, numeric, sizeof numeric);
        strcpy(r.peer, strncmp(numeric, "::ffff:", 7) ? numeric : numeric + 7);
    }
    if (a.echo) echo(a.fd);
    else serve(&r);
    if (!r.asked) __sync_fetch_and_sub(&silent, 1);
    close(a.fd);
    return 0;
}

static void *acceptor(void *argument) {
    struct listener *l = argument;
    int one = 1;
    struct timeval idle = {keepalive_ms / 1000, keepalive_ms % 1000 * 1000};
    pthread_attr_t small;
    pthread_attr_init(&small), pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&small, 192 * 1024);
    for (;;) {
        struct accepted *a = malloc(sizeof *a);
        if (!a) return 0;
        *a = (struct accepted){accept(l->fd, 0, 0), l->port, l->echo};
        if (a->fd < 0) { free(a); if (stopping) return 0; else continue; }
        setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (keepalive_ms) setsockopt(a->fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle);
        pthread_t thread;
        __sync_fetch_and_add(&silent, !a->echo);
        if (pthread_create(&thread, &small, connection, a)) close(a->fd), free(a);
    }
}

static void listen_on(int port, int is_echo) {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_any};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, zero = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    }
    if (fd < 0 || bind(fd, (void *)&six, sizeof six)) { /* a machine without IPv6 */
        if (fd >= 0) close(fd);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (bind(fd, (void *)&four, sizeof four)) { perror("bind"); exit(1); }
    }
    if (listening == LISTENERS || listen(fd, 1024)) { perror("listen"); exit(1); }
    listeners[listening++] = (struct listener){fd, port, is_echo};
}

static void on_signal(int number) { (void)number; }

int main(int count, char **arguments) {
    if (count > 1 && !strcmp(arguments[1], "healthy")) return healthy(getenv("PORT") ? atoi(getenv("PORT")) : 8000);
    sigset_t signals;
    sigemptyset(&signals), sigaddset(&signals, SIGTERM), sigaddset(&signals, SIGINT), sigaddset(&signals, SIGQUIT);
    signal(SIGTERM, on_signal), signal(SIGINT, on_signal), signal(SIGQUIT, on_signal), signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &signals, 0); /* inherited by every thread; only main waits for them */
    if (getenv("NAME")) snprintf(who, sizeof who, "%s", getenv("NAME"));
    else gethostname(who, sizeof who - 1);
    keepalive_ms = setting("KEEPALIVE"), log_posts = setting("LOG");
    usleep((useconds_t)setting("START_DELAY") * 1000);
    char ports[256];
    snprintf(ports, sizeof ports, "%s", getenv("PORT") ? getenv("PORT") : "8000");
    for (char *port = strtok(ports, ","); port; port = strtok(0, ",")) listen_on(atoi(port), 0);
    if (setting("ECHO")) listen_on(setting("ECHO"), 1);
    pthread_t thread;
    for (int i = 0; i < listening; i++) pthread_create(&thread, 0, acceptor, &listeners[i]);
    int number;
    do sigwait(&signals, &number); while (setting("IGNORE"));
    if (getenv("CLOSE") && !strcmp(getenv("CLOSE"), "hard")) _exit(0);
    sleep((unsigned)setting("DRAIN"));
    stopping = 1;
    for (int i = 0; i < listening; i++) { /* closing would reset who is connected and not accepted yet */
        for (struct pollfd more = {listeners[i].fd, POLLIN, 0}; poll(&more, 1, 0) > 0;) usleep(100);
        shutdown(listeners[i].fd, SHUT_RDWR), close(listeners[i].fd);
    }
    usleep(20000); /* who was just accepted is counted now */
    for (int i = 0; in_flight > 0 || (silent > 0 && i < 100); i++) usleep(10000);
    _exit(0);
}
