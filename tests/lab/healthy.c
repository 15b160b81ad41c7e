/* `web healthy`: asks the web service beside it for /health; 0 when it says 200, 1 otherwise. */
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int healthy(int port) {
    static const char ask[] = "GET /health HTTP/1.0\r\n\r\n";
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    char answer[16] = "";
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (void *)&here, sizeof here) || write(fd, ask, sizeof ask - 1) < 0) return 1;
    return read(fd, answer, sizeof answer - 1) < 12 || strncmp(answer + 9, "200", 3) != 0;
}
