"""The revocation feed over HTTP: pages in process, streams from a real server."""

from __future__ import annotations

import json
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from sojourn import Sojourn
from tests.http.conftest import check_answer, check_error, new_session
from tests.support import Server, serving

PATH = "/sojourn/v1/revocations"


async def test_a_page_of_revocations(
    http: httpx.AsyncClient, anonymous: httpx.AsyncClient, verifier: dict[str, str], sojourn: Sojourn
) -> None:
    """A verifier key or a secret key reads what was revoked, and goes on from there; nobody else."""
    session = await new_session(sojourn)
    await sojourn.sessions.revoke(session.id)
    for response in (await http.get(PATH), await anonymous.get(PATH, headers=verifier)):
        page = check_answer(response)
        assert [one["session_id"] for one in page["batches"][0]["entries"]] == [session.id]
    after = f"{page['hello']['epoch']}.{page['heartbeat']['position']}"
    for answer in (
        await http.get(PATH, params={"after": after}),
        await http.get(PATH, headers={"Last-Event-ID": after}),
    ):
        assert (check_answer(answer)["batches"], answer.json()["hello"]["resumed"]) == ([], True)
    check_error(await anonymous.get(PATH), 401, "clerk_key_invalid")
    assert (await http.head(PATH)).status_code == 200


@pytest.mark.parametrize(
    ("name", "value"), [("wait", "31"), ("wait", "-1"), ("wait", "1.5"), ("lease_ms", "60001"), ("after", "")]
)
async def test_parameters_out_of_bounds(http: httpx.AsyncClient, name: str, value: str) -> None:
    """Each is refused by its name, for the stream as for the page."""
    for accept in ("application/json", "text/event-stream"):
        answer = await http.get(PATH, params={name: value}, headers={"Accept": accept})
        assert (answer.status_code, answer.json()["errors"][0]["meta"]["param_name"]) == (422, name)


async def test_revoking_with_proof(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """The answer says how many verifiers were waited for; without `reach=wait` nobody was."""
    one, other = await new_session(sojourn), await new_session(sojourn)
    nobody = {"verifiers": 0, "acknowledged": 0, "lapsed": 0}
    plain = check_answer(await http.post(f"/sojourn/v1/sessions/{one.id}/revoke", json={"reason": "lost"}))
    assert (plain["status"], plain["ending"]["note"], plain["reach"]) == ("revoked", "lost", None)
    waited = check_answer(await http.post(f"/sojourn/v1/sessions/{one.id}/revoke?reach=wait"))
    assert nobody.items() <= waited["reach"].items()
    path = f"/sojourn/v1/users/{other.user_id}/sessions/end"
    assert check_answer(await http.post(path))["reach"] is None
    assert nobody.items() <= check_answer(await http.post(f"{path}?reach=wait"))["reach"].items()
    check_error(await http.post(f"{path}?reach=soon"), 422, "form_param_value_invalid", "reach")


async def test_acknowledgements(
    anonymous: httpx.AsyncClient, http: httpx.AsyncClient, verifier: dict[str, str]
) -> None:
    """A verifier key may acknowledge; what is malformed is refused by its name."""
    path = f"{PATH}/acknowledge"
    body: dict[str, object] = {"subscription": "nobody", "position": 1}
    for _ in range(2):
        check_answer(await anonymous.post(path, json=body, headers=verifier))
    check_error(await anonymous.post(path, json=body), 401, "clerk_key_invalid")
    for name, value in (("position", -1), ("subscription", ""), ("subscription", "x" * 65)):
        answer = await http.post(path, json=body | {name: value})
        assert (answer.status_code, answer.json()["errors"][0]["meta"]["param_name"]) == (422, name)


class Listener:
    """Reads a stream in a thread of its own."""

    def __init__(self, server: Server, **headers: str) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.lines: list[str] = []
        self.changed = threading.Condition()
        self.ended = False
        self.status = 0
        self._server = server
        self._headers = {
            "Authorization": f"Bearer {server.secret_key}",
            "Accept": "text/event-stream",
        } | headers
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def until(self, kind: str) -> dict[str, Any]:
        """The data of the first event of a kind."""
        with self.changed:
            assert self.changed.wait_for(lambda: any(k == kind for k, _ in self.events), 20), self.lines
        return next(data for k, data in self.events if k == kind)

    def until_end(self) -> None:
        """The server has ended the stream properly."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.ended, 20), self.lines

    def _listen(self) -> None:
        with httpx.stream("GET", self._server.url + PATH, headers=self._headers, timeout=20) as response:
            self.status = response.status_code
            kind = ""
            for line in response.iter_lines():
                with self.changed:
                    self.lines.append(line)
                    if line.startswith("event: "):
                        kind = line[7:]
                    elif line.startswith("data: "):
                        self.events.append((kind, json.loads(line[6:])))
                    self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()


def made(server: Server) -> tuple[httpx.Client, str]:
    """A caller, and a session."""
    http = httpx.Client(
        base_url=server.url, headers={"Authorization": f"Bearer {server.secret_key}"}, timeout=20
    )
    user = http.post("/v1/users", json={}).json()["id"]
    return http, http.post("/v1/sessions", json={"user_id": user}).json()["id"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stream_until_the_server_stops(tmp_path: Path, workers: int) -> None:
    """Revocations reach every listener, whichever worker took them; a graceful stop ends the streams at once,
    with a `retry`, though requests may take 30 s."""
    with serving(tmp_path, "--workers", str(workers)) as server:
        http, session = made(server)
        listeners = [Listener(server) for _ in range(6)]
        for one in listeners:
            one.until("heartbeat")
        assert http.post(f"/v1/sessions/{session}/revoke").status_code == 200
        for one in listeners:
            assert one.until("revocations")["entries"][0]["session_id"] == session
        http.close()
        server.process.send_signal(signal.SIGTERM)
        for one in listeners:
            one.until_end()
            assert [line for line in one.lines if line][-1] == "retry: 100"
        assert server.process.wait(15) == 0
        log = server.log.read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log


def test_a_listener_who_leaves_is_forgotten_and_one_who_does_not_read_is_cut_off(tmp_path: Path) -> None:
    """Neither keeps anything in the server, nor writes anything into its log; others go on."""
    with serving(tmp_path) as server:
        http, session = made(server)
        lines = (
            f"GET {PATH} HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {server.secret_key}",
            "Accept: text/event-stream",
        )
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as plain:
                plain.sendall("\r\n".join((*lines, "", "")).encode())
                assert plain.recv(15) == b"HTTP/1.1 200 OK"
        listener = Listener(server)
        listener.until("heartbeat")
        http.post(f"/v1/sessions/{session}/revoke")
        assert listener.until("revocations")["entries"][0]["session_id"] == session
        http.close()
    log = server.log.read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log
