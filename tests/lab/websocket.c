/* The websocket part of the lab's web service: RFC 6455, unfragmented frames under 64 KiB, which are echoed. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1(const char *text, unsigned char digest[20]) { /* FIPS 180-4; texts under 119 bytes */
    unsigned char data[128] = {0};
    size_t length = strlen(text), blocks = length < 56 ? 1 : 2;
    memcpy(data, text, length);
    data[length] = 0x80;
    data[blocks * 64 - 2] = (unsigned char)(length * 8 >> 8);
    data[blocks * 64 - 1] = (unsigned char)(length * 8);
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    for (size_t block = 0; block < blocks; block++) {
        uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 16; i++) {
            const unsigned char *p = data + block * 64 + i * 4;
            w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        }
        for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        for (int i = 0; i < 80; i++) {
            uint32_t f = i < 20 ? ((b & c) | (~b & d)) + 0x5A827999 : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                       : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC : (b ^ c ^ d) + 0xCA62C1D6;
            uint32_t t = rotate(a, 5) + f + e + w[i];
            e = d, d = c, c = rotate(b, 30), b = a, a = t;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(h[i / 4] >> (24 - i % 4 * 8));
}

static int read_all(int fd, unsigned char *into, size_t length) {
    while (length) {
        ssize_t got = read(fd, into, length);
        if (got <= 0) return -1;
        into += got, length -= (size_t)got;
    }
    return 0;
}

/* Writes the Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key of at most 40 characters. */
void websocket_accept(const char *key, char accept[29]) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[80];
    unsigned char digest[21] = {0};
    snprintf(text, sizeof text, "%.40s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1(text, digest);
    for (int i = 0, o = 0; i < 21; i += 3, o += 4) {
        uint32_t three = (uint32_t)digest[i] << 16 | (uint32_t)digest[i + 1] << 8 | digest[i + 2];
        for (int k = 0; k < 4; k++) accept[o + k] = letters[three >> (18 - 6 * k) & 63];
    }
    accept[27] = '=', accept[28] = 0;
}

/* Echoes every message until the peer closes. */
void websocket_echo(int fd) {
    unsigned char data[65536 + 4];
    for (;;) {
        unsigned char head[2], longer[2], mask[4], *frame = data;
        if (read_all(fd, head, 2)) return;
        size_t length = head[1] & 127;
        if (length == 127 || (length == 126 && read_all(fd, longer, 2))) return;
        int extended = length == 126;
        if (extended) length = (size_t)longer[0] << 8 | longer[1];
        if (!(head[1] & 128) || read_all(fd, mask, 4) || read_all(fd, data + 4, length)) return;
        for (size_t i = 0; i < length; i++) data[4 + i] ^= mask[i % 4];
        if ((head[0] & 15) == 9) head[0] = (unsigned char)((head[0] & 0xF0) | 10); /* a ping is answered by a pong */
        frame += extended ? 0 : 2;
        frame[0] = head[0];
        frame[1] = extended ? 126 : (unsigned char)length;
        if (extended) frame[2] = longer[0], frame[3] = longer[1];
        if (send(fd, frame, length + (extended ? 4 : 2), MSG_NOSIGNAL) < 0 || (head[0] & 15) == 8) return;
    }
}
