"""The official client talks to the recipes, in the process and over loopback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import httpx2
import openai
import pytest

from comind.offline.transport import OFFLINE_BASE_URL, OFFLINE_LABEL, OFFLINE_MODEL, answer, offline_transport

MESSAGES = [
    {"role": "system", "content": "# Role: monitor"},
    {
        "role": "user",
        "content": "# Task: watch\n\n## Time\nelapsed: 1 s\nlimit: 9 s\n\n## Output so far\n<<<\nok\n>>>",
    },
]


@pytest.fixture
def served() -> Iterator[str]:
    command = [sys.executable, "-m", "comind.offline", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.terminate()


async def test_the_client_gets_a_completion_with_estimated_usage() -> None:
    async with httpx2.AsyncClient(transport=offline_transport()) as http:
        client = openai.AsyncOpenAI(base_url=OFFLINE_BASE_URL, api_key="unused", http_client=http)
        reply = await client.chat.completions.create(model=OFFLINE_MODEL, messages=MESSAGES)  # type: ignore[arg-type]
        models = await client.models.list()
    assert "<action>CONTINUE</action>" in (reply.choices[0].message.content or "")
    assert reply.usage and reply.usage.prompt_tokens > 20 and reply.usage.completion_tokens > 5
    assert [(model.id, model.owned_by) for model in models.data] == [(OFFLINE_MODEL, OFFLINE_LABEL)]


async def test_equal_messages_give_equal_bytes() -> None:
    async with httpx2.AsyncClient(transport=offline_transport()) as http:
        url = f"{OFFLINE_BASE_URL}/chat/completions"
        first, second = [(await http.post(url, json={"messages": MESSAGES})).content for _ in range(2)]
    assert first == second


def test_the_served_port_answers_the_same_client(served: str) -> None:
    with openai.OpenAI(base_url=served, api_key="unused") as client:
        reply = client.chat.completions.create(model="recipes", messages=MESSAGES)  # type: ignore[arg-type]
    assert "<action>CONTINUE</action>" in (reply.choices[0].message.content or "")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/chat/completions", b"not json", 400),
        ("POST", "/v1/chat/completions", b'{"messages": 3}', 400),
        ("POST", "/v1/chat/completions", b'{"messages": [], "stream": true}', 400),
        ("GET", "/v1/files", b"", 404),
    ],
)
def test_what_is_not_served_is_refused_as_the_api_does(
    method: str, path: str, body: bytes, status: int
) -> None:
    code, document = answer(method, path, body)
    assert code == status
    assert document["error"]["message"]


def test_content_in_parts_is_read() -> None:
    body = (
        b'{"messages": [{"role": "system", "content": [{"type": "text", "text": "# Role: monitor"}]},'
        b' {"role": "user", "content": "# Task: watch"}]}'
    )
    status, document = answer("POST", "/v1/chat/completions", body)
    assert status == 200
    assert "CONTINUE" in document["choices"][0]["message"]["content"]
