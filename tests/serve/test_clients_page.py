"""What docs/serving/clients.md shows is run as it stands there, against a service that fails first."""

import json
import re
import shlex
import socket
import struct
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "serving" / "clients.md").read_text()
SNIPPETS = dict(re.findall(r"^## Python: (\w+)\n.*?^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
(CURL,) = re.findall(r"^## curl\n.*?^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


class Service:
    """Answers requests by a plan of status codes, 0 for a connection that is cut; then with 200."""

    def __init__(self, plan):
        self.plan = list(plan)
        self.request_ids = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.request_ids.append(self.headers["X-Request-Id"])
                status = outer.plan.pop(0) if outer.plan else 200
                if status == 0:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(status)
                body = json.dumps({"predictions": ["yes"], "detail": str(status)}).encode()
                self.send_header("Content-Length", str(len(body)))
                if status in (429, 503):
                    self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

            def finish(self):
                if not self.connection._closed:
                    super().finish()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/shop"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def by_curl(url, rows, request_id):
    """The page's command, for another address, rows and id."""
    command = shlex.split(CURL.replace("\\\n", " "))
    command[command.index("x-request-id: order-4711")] = f"x-request-id: {request_id}"
    command[command.index("-d") + 1] = json.dumps({"rows": rows})
    command[-1] = f"{url}/predict"
    with tempfile.TemporaryDirectory() as folder:
        command += ["-sS", "-w", "%{http_code}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.stdout != "200":
            raise RuntimeError(done.stdout + done.stderr)
        return json.loads((Path(folder) / "answer.json").read_text())


def client(name):
    if name == "curl":
        return by_curl
    namespace = {}
    exec(SNIPPETS[name], namespace)
    return namespace["predict"]


CLIENTS = ["requests", "urllib3", "httpx", "curl"]


def test_every_client_of_the_page_is_tried():
    assert ["curl", *SNIPPETS] == ["curl", "requests", "urllib3", "httpx"]


@pytest.mark.parametrize("name", CLIENTS)
def test_what_failed_is_sent_again_under_the_same_id(name):
    with Service([503, 0, 429]) as service:
        answer = client(name)(service.url, [{"size": 1}], "mine-1")
    assert answer["predictions"] == ["yes"]
    assert service.request_ids == ["mine-1"] * 4


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("status", [422, 413])
def test_what_is_wrong_is_not_sent_again(name, status):
    with Service([status]) as service, pytest.raises(Exception, match=str(status)):
        client(name)(service.url, [{"size": 1}], "mine-2")
    assert len(service.request_ids) == 1


@pytest.mark.parametrize("name", ["requests", "urllib3", "httpx"])
def test_a_version_that_fails_is_not_asked_again(name):
    with Service([500]) as service, pytest.raises(Exception, match="500"):
        client(name)(service.url, [{"size": 1}], "mine-3")
    assert len(service.request_ids) == 1
