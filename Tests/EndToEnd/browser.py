"""A headless Chromium, driven over its DevTools pipe: one page, real keys and clicks, pictures."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.05
# What DevTools says when a page gives way to another in the middle of a question.
GONE = ("Inspected target navigated or closed", "Execution context was destroyed.")

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-gpu",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


class GoneError(Exception):
    """The page that was asked is no longer there."""


class Browser:
    """One page of a browser of its own; use as a context manager."""

    def __init__(self, languages: str = "en-GB", width: int = 1180, height: int = 860, scale: float = 1) -> None:
        program = next((path for name in NAMES if (path := shutil.which(name))), None)
        assert program, "Chromium is not installed: scripts/setup --browser"
        self.profile = tempfile.mkdtemp(prefix="refrain-browser-")
        to_browser, self.to = os.pipe()
        self.back, from_browser = os.pipe()
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [program, *FLAGS, *sandbox, f"--user-data-dir={self.profile}", f"--lang={languages}", "about:blank"]
        # The pipe's ends are descriptors 3 and 4 of the browser, by its convention.
        script = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self.buffer = b""
        self.last = 0
        self.session: str | None = None
        self.doubles: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        self.open_page(languages, width, height, scale)

    def open_page(self, languages: str, width: int, height: int, scale: float) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        agent = self.call("Runtime.evaluate", expression="navigator.userAgent", returnByValue=True)["result"]["value"]
        self.call("Network.setUserAgentOverride", userAgent=agent, acceptLanguage=languages)
        self.call("Emulation.setLocaleOverride", locale=languages.split(",")[0])
        self.resize(width, height, scale)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)
        os.close(self.to)
        os.close(self.back)
        shutil.rmtree(self.profile, ignore_errors=True)

    # What a visitor does

    def visit(self, url: str) -> None:
        """Opens an address and waits for its page."""
        self.call("Page.navigate", url=url)
        self.until(lambda: self.run("document.readyState") == "complete", f"{url} is not loaded")

    def reload(self) -> None:
        # The old page is complete, too, and answers until the new one is there.
        self.run("(() => { window.isOld = true; })()")
        self.call("Page.reload")
        self.until(lambda: self.run("document.readyState === 'complete' && !window.isOld"), "the page is not loaded again")

    def type(self, text: str) -> None:
        """Types into what has the focus, key by key."""
        for character in text:
            self.call("Input.dispatchKeyEvent", type="keyDown", text=character, key=character)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=character)

    def press(self, key: str, code: int) -> None:
        """Presses a key that types nothing: `Tab` 9, `Enter` 13, `Space` 32."""
        text = {"Enter": "\r", "Space": " "}.get(key, "")
        same = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **same)
        self.call("Input.dispatchKeyEvent", type="keyUp", **same)

    def fill(self, selector: str, text: str) -> None:
        self.wait_for(selector)
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.type(text)

    def click(self, selector: str) -> None:
        self.wait_for(selector)
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 600
        )

    def prefer(self, **features: str) -> None:
        """Media features: `prefer(prefers_color_scheme="dark")`."""
        values = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=values)

    def before_pages(self, script: str) -> None:
        """Runs a script in every page before the page's own: what a browser of another kind would have."""
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def answer(self, url: str, script: str) -> None:
        """Answers for another site's script: the page asks for it, and nobody outside is asked."""
        self.doubles[url] = script
        self.call("Fetch.enable", patterns=[{"urlPattern": pattern} for pattern in self.doubles])

    # What a visitor sees

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, f"{expression}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def text(self, selector: str = "body") -> str:
        return str(self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def wait_for(self, selector: str) -> None:
        self.until(lambda: self.run(f"!!document.querySelector({json.dumps(selector)})"), f"there is no {selector}")

    def wait_for_text(self, text: str) -> None:
        self.until(lambda: text in self.text(), f"the page does not say “{text}”")

    def picture(self, path: Path, full: bool = True) -> None:
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)["data"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(data))

    def complaints(self) -> list[str]:
        """What the browser's console and log have said so far: broken scripts, refused loads, policy violations."""
        self.call("Runtime.evaluate", expression="0")
        found: list[str] = []
        for event in self.events:
            parameters = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"].get("exception", {}).get("description", parameters)))
            elif event["method"] == "Log.entryAdded" and parameters["entry"]["level"] == "error":
                found.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        return found

    def requests(self) -> list[dict[str, Any]]:
        """Every request the page made."""
        return [event["params"]["request"] for event in self.events if event["method"] == "Network.requestWillBeSent"]

    def until(self, good: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.sees(good):
            assert time.monotonic() < deadline, f"{what}; the page says: {self.text()[:600]}"
            time.sleep(POLL_SECONDS)

    @staticmethod
    def sees(good: Callable[[], bool]) -> bool:
        """Whether it is good now; a page that gives way to another while it is asked is not."""
        try:
            return good()
        except GoneError:
            return False

    # The DevTools protocol: JSON messages, each ended by a zero byte

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.last += 1
        message: dict[str, Any] = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == message["id"]:
                fault: dict[str, Any] = answer.get("error", {})
                if fault.get("message") in GONE:
                    raise GoneError(fault["message"])
                assert not fault, f"{method}: {fault}"
                result: dict[str, Any] = answer["result"]
                return result
            if answer.get("method") == "Fetch.requestPaused":
                self.stand_in(answer["params"])
            if "method" in answer:
                self.events.append(answer)

    def stand_in(self, paused: dict[str, Any]) -> None:
        script = self.doubles[paused["request"]["url"]]
        self.last += 1
        message = {
            "id": self.last, "method": "Fetch.fulfillRequest", "sessionId": self.session,
            "params": {
                "requestId": paused["requestId"], "responseCode": 200,
                "responseHeaders": [{"name": "Content-Type", "value": "text/javascript"}],
                "body": base64.b64encode(script.encode()).decode(),
            },
        }  # fmt: skip
        os.write(self.to, json.dumps(message).encode() + b"\0")

    def read(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            piece = os.read(self.back, 1 << 16)
            assert piece, "the browser is gone"
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        parsed: dict[str, Any] = json.loads(message)
        return parsed
