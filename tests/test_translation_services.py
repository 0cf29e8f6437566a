"""The clients of DeepL and Google against a server that stands in for them."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from projection.errors import InputError
from projection.translators import LanguagePair, TranslationError, TranslationMemory
from projection.translators.deepl import deepl_service
from projection.translators.google import google_service
from projection.translators.memory import translate_once
from projection.translators.services import Patience

SECRET = "secret-0123-key:fx"
PAIR = LanguagePair("en", "es")
SERVICES = {"deepl": deepl_service, "google": google_service}
SHORT = Patience(attempts=4, first_wait=0.01, longest_wait=0.02)


def deepl_texts(body):
    if body.startswith("{"):
        return json.loads(body)["text"]
    return parse_qs(body)["text"]


def deepl_answer(texts):
    shared = {"detected_source_language": "EN", "billed_characters": 3}
    return {"translations": [shared | {"text": text} for text in texts]}


def google_texts(body):
    asked = json.loads(body)["q"]
    return [asked] if isinstance(asked, str) else asked


def google_answer(texts):
    return {"data": {"translations": [{"translatedText": text} for text in texts]}}


WIRE = {"deepl": (deepl_texts, deepl_answer), "google": (google_texts, google_answer)}


class StandIn(ThreadingHTTPServer):
    """Answers with upper case; first with what ``script`` says: a status, or a body."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = []
        self.asked = []
        self.wire = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        texts_of, answer = self.server.wire
        texts = texts_of(body)
        self.server.asked.append(texts)
        step = self.server.script.pop(0) if self.server.script else 200
        if step == 200:
            step = json.dumps(answer([text.upper() for text in texts]))
        status, content = (step, "{}") if isinstance(step, int) else (200, step)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def server():
    with StandIn() as standing_in:
        thread = threading.Thread(target=standing_in.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield standing_in
        standing_in.shutdown()
        thread.join()


@pytest.fixture(params=SERVICES)
def service(request, server, monkeypatch):
    monkeypatch.setenv("DEEPL_AUTH_KEY", SECRET)
    monkeypatch.setenv("GOOGLE_API_KEY", SECRET)
    server.wire = WIRE[request.param]
    return SERVICES[request.param](server.url, SHORT)


def test_texts_are_sent_as_one_request_and_come_back_in_order(service, server):
    assert service.translate(["one", "two"], PAIR) == ["ONE", "TWO"]
    assert service.translate(["three"], PAIR) == ["THREE"]
    assert server.asked == [["one", "two"], ["three"]]


def test_a_busy_service_is_asked_again_until_it_answers(service, server):
    server.script = [429, 503]
    assert service.translate(["one"], PAIR) == ["ONE"]
    assert server.asked == [["one"]] * 3


def test_a_service_that_stays_in_trouble_is_named_and_what_came_before_is_kept(
    service, server, tmp_path
):
    memory = TranslationMemory(tmp_path / "memory.sqlite")
    texts = [f"text {k}" for k in range(service.limits.texts + 1)]
    server.script = [200, *[500] * SHORT.attempts]
    with pytest.raises(TranslationError, match=f"{service.name} failed 4 times, at last"):
        translate_once(texts, service, PAIR, memory)
    assert len(server.asked) == 1 + SHORT.attempts
    server.asked.clear()
    assert translate_once(texts, service, PAIR, memory)[-1] == texts[-1].upper()
    assert server.asked == [[texts[-1]]]


@pytest.mark.parametrize("garbage", ["<html>", "[]", '{"translations": [], "data": {}}'])
def test_an_answer_that_makes_no_sense_is_refused_without_asking_again(garbage, service, server):
    server.script = [garbage]
    with pytest.raises(TranslationError, match=service.name):
        service.translate(["one"], PAIR)
    assert len(server.asked) == 1


def test_a_refused_key_is_named_and_never_shown(service, server):
    server.script = [403]
    with pytest.raises(InputError, match=f"{service.name} refuses the key") as refused:
        service.translate(["one"], PAIR)
    assert SECRET not in str(refused.value)
    assert SECRET not in repr(service)
    assert refused.value.__cause__ is None
    assert len(server.asked) == 1


def test_a_used_up_quota_of_deepl_says_that_nothing_is_lost(server, monkeypatch):
    monkeypatch.setenv("DEEPL_AUTH_KEY", SECRET)
    server.wire = WIRE["deepl"]
    server.script = [456]
    with pytest.raises(InputError, match=r"deepl: the quota is used up .*goes on later"):
        deepl_service(server.url, SHORT).translate(["one"], PAIR)


def test_a_server_that_is_not_there_is_named(server, service):
    server.shutdown()
    server.server_close()
    with pytest.raises(TranslationError, match=f"{service.name} failed 4 times"):
        service.translate(["one"], PAIR)
