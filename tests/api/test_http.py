"""HTTP as it must not be written, on raw sockets; limits and times."""

import socket
import threading
import time

from harness import ApiTest, eventually, parse_response, read_response

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(length, body=b"", more=b""):
    return (b"POST /v1/jails HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + more +
            b"Content-Length: " + str(length).encode() + b"\r\n\r\n" + body)


class Framing(ApiTest):
    def sent(self, data, status, code):
        self.refused(self.daemon.exchange(data), status, code)

    def test_hosts(self):
        self.sent(b"GET /healthz HTTP/1.1\r\n\r\n", 400, "bad_host")
        self.sent(b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "bad_host")
        self.sent(b"GET /healthz HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", 400, "bad_host")
        for host in (b"a/b", b"a b", b"[::1", b"[zz]", b"a:http", b"a:999999", b"user@host"):
            self.sent(b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", 400, "bad_host")

    def test_two_lengths(self):
        self.sent(post(2, b"{}", b"Transfer-Encoding: chunked\r\n"), 400, "bad_framing")
        self.sent(post(2, b"{}", b"Content-Length: 3\r\n"), 400, "bad_framing")
        for length in (b"-1", b"+2", b"0x2", b"2, 3", b"99999999999999999999999", b"two"):
            self.sent(b"POST /v1/jails HTTP/1.1\r\nHost: a\r\nContent-Length: " + length + b"\r\n\r\n{}", 400,
                      "bad_framing")

    def test_transfer_codings(self):
        head = b"POST /v1/jails HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: "
        for coding in (b"gzip, chunked", b"gzip", b"identity"):
            self.sent(head + coding + b"\r\n\r\n0\r\n\r\n", 501, "unsupported_transfer_coding")
        for chunks in (b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}xx0\r\n\r\n", b"-1\r\n\r\n",
                       b"fffffffffffffffff1\r\n{}\r\n0\r\n\r\n"):
            answer = self.daemon.exchange(head + b"chunked\r\n\r\n" + chunks)
            self.assertEqual((answer.status, answer.json()["code"]), (400, "bad_framing"), chunks)
        many = b"".join(b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(17))
        self.sent(head + b"chunked\r\n\r\n" + many, 413, "body_too_large")
        body = b'{"name":"chunky","running":false}'
        pieces = b"".join(b"1\r\n" + body[i:i + 1] + b"\r\n" for i in range(len(body)))
        answer = self.daemon.exchange(head + b"chunked\r\n\r\n" + pieces + b"0\r\nX-Trailer: ignored\r\n\r\n")
        self.assertEqual(answer.status, 202)

    def test_what_is_no_http(self):
        for data in (b"\x00\x01\x02\x03\r\n\r\n", b"GET\r\n\r\n", b"GET /healthz\r\n\r\n",
                     b"GET /healthz HTTP/1.1\r\nHost a\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n",
                     b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", b"GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n"):
            answer = self.daemon.exchange(data)
            self.assertEqual(answer.status, 400, (data, answer.body))
        self.sent(b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n", 505, "unsupported_version")
        self.sent(b"\x16\x03\x01\x02\x00\x01\x00", 400, "tls_on_plain_port")

    def test_half_a_request(self):
        for data in (b"G", GET[:20], post(100, b'{"name"'), post(100)):
            with self.daemon.raw() as connection:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                self.refused(read_response(connection), 400, "bad_request")
            with self.daemon.raw() as connection:
                connection.sendall(data)  # and gone

    def test_nothing_at_all(self):
        with self.daemon.raw() as connection:
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(connection.recv(100), b"")

    def test_one_byte_at_a_time(self):
        with self.daemon.raw() as connection:
            for byte in b"\r\n" + GET:
                connection.sendall(bytes([byte]))
            self.assertEqual(read_response(connection).status, 200)

    def test_every_place_to_pause(self):
        for size in range(1, len(GET)):
            with self.daemon.raw() as connection:
                connection.sendall(GET[:size])
                # The server has read the first piece when it has answered somebody who came later.
                self.assertEqual(self.daemon.exchange(GET).status, 200)
                connection.sendall(GET[size:])
                self.assertEqual(read_response(connection).status, 200, GET[:size])

    def test_pipelined(self):
        count = 50
        with self.daemon.raw() as connection:
            connection.sendall(GET * count)
            connection.shutdown(socket.SHUT_WR)
            data = b""
            while piece := connection.recv(65536):
                data += piece
        self.assertEqual(data.count(b"HTTP/1.1 200 OK"), count)

    def test_a_refused_body_is_not_read_as_a_request(self):
        smuggled = post(len(GET), GET).replace(b"/v1/jails", b"/v1/nothing")
        with self.daemon.raw() as connection:
            connection.sendall(smuggled)
            data = b""
            while piece := connection.recv(65536):
                data += piece
        self.assertEqual(data.count(b"HTTP/1.1 "), 1)
        self.refused(parse_response(data), 404, "route_not_found")

    def test_absolute_form(self):
        answer = self.daemon.exchange(b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual(answer.status, 200)

    def test_http_1_0(self):
        with self.daemon.raw() as connection:
            connection.sendall(b"GET /healthz HTTP/1.0\r\nHost: a\r\n\r\n")
            data = b""
            while piece := connection.recv(65536):
                data += piece
        self.assertIn(b"Connection: close", data)
        self.assertTrue(data.endswith(b'{"status":"ok"}'))

    def test_connection_close(self):
        with self.daemon.raw() as connection:
            connection.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            self.assertEqual(read_response(connection).status, 200)
            self.assertEqual(connection.recv(1), b"")


class Expectations(ApiTest):
    def test_continue(self):
        body = b'{"name":"expected","running":false}'
        with self.daemon.raw() as connection:
            connection.sendall(post(len(body), more=b"Expect: 100-continue\r\n"))
            self.assertEqual(connection.recv(1000), b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(body)
            self.assertEqual(read_response(connection).status, 202)

    def test_no_continue_for_what_is_refused(self):
        with self.daemon.raw() as connection:
            connection.sendall(post(1024 * 1024 + 1, more=b"Expect: 100-continue\r\n"))
            self.refused(read_response(connection), 413, "body_too_large")

    def test_others(self):
        self.refused(self.daemon.exchange(post(2, b"{}", b"Expect: tea\r\n")), 417, "expectation_failed")


class Bounds(ApiTest):
    def test_target(self):
        fits = b"/" + b"x" * 8191
        self.refused(self.daemon.exchange(b"GET " + fits + b" HTTP/1.1\r\nHost: a\r\n\r\n"), 404, "route_not_found")
        for size in (8193, 100_000):
            target = b"/" + b"x" * (size - 1)
            answer = self.daemon.exchange(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            self.refused(answer, 414, "target_too_long")

    def test_header(self):
        line = b"X-Long: " + b"x" * 1000 + b"\r\n"
        fits = b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + line * 15 + b"\r\n"
        self.assertEqual(self.daemon.exchange(fits).status, 200)
        for more in (20, 1000):
            data = b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + line * more + b"\r\n"
            self.refused(self.daemon.exchange(data), 431, "header_too_large")

    def test_body(self):
        self.refused(self.daemon.exchange(post(1024 * 1024 + 1)), 413, "body_too_large")
        self.refused(self.daemon.exchange(post(10 ** 15)), 413, "body_too_large")

    def test_connections(self):
        held = []
        try:
            # The bound, and a few beyond it.
            for _ in range(512):
                held.append(self.daemon.raw())
            with self.daemon.raw() as one_more:
                one_more.sendall(GET)
                answer = read_response(one_more)
            self.refused(answer, 503, "too_many_connections")
            self.assertTrue(answer.headers["Retry-After"])
            held[0].sendall(GET)
            self.assertEqual(read_response(held[0]).status, 200)
        finally:
            for connection in held:
                connection.close()
        eventually(lambda: self.daemon.request("GET", "/healthz", check=False).status == 200, "served again")


class Times(ApiTest):
    """Slow: the real bounds. All at once."""

    def late(self, data, results, key):
        begin = time.monotonic()
        with self.daemon.raw(timeout=60) as connection:
            connection.sendall(data)
            results[key] = (read_response(connection), time.monotonic() - begin)

    def test_who_is_too_slow(self):
        results = {}
        threads = [threading.Thread(target=self.late, args=(data, results, key)) for key, data in
                   (("head", GET[:-2]), ("body", post(100, b"{")))]
        for thread in threads:
            thread.start()
        # Nobody else waits for them.
        self.assertEqual(self.daemon.request("GET", "/healthz").status, 200)
        for thread in threads:
            thread.join()
        for key, low, high in (("head", 14, 25), ("body", 29, 45)):
            answer, took = results[key]
            self.refused(answer, 408, "request_timeout")
            self.assertTrue(low < took < high, took)
