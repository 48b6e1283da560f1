"""A headless Chromium that tests drive over two pipes; it needs no library and no port."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')
_SWITCHES = (
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-extensions',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--hide-scrollbars',
    '--force-device-scale-factor=1',
    '--remote-debugging-pipe',
)
_TIMEOUT = 120  # seconds for one answer


def find_chromium():
    """Path of an installed Chromium; ``None`` without one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One tab of a fresh Chromium, which is closed on leaving the ``with`` block.

    Attributes:
        requests: addresses that were asked for.
        problems: errors and warnings of the console, and exceptions nobody caught.
    """

    def __init__(self, binary):
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        self._process = subprocess.Popen(
            [
                'bash',
                '-c',
                f'exec "$@" 3<&{to_browser} 4>&{from_browser}',
                'bash',
                binary,
                *_SWITCHES,
                f'--user-data-dir={self._folder.name}',
                'about:blank',
            ],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._count, self._session = b'', 0, None
        self.requests, self.problems = [], []

    def __enter__(self):
        [target] = [
            each
            for each in self.call('Target.getTargets')['targetInfos']
            if each['type'] == 'page'
        ]
        self._session = self.call(
            'Target.attachToTarget', targetId=target['targetId'], flatten=True
        )['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(f'{domain}.enable')
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)
        self._folder.cleanup()

    def call(self, method, **parameters):
        """Send a command; returns its result."""
        self._count += 1
        message = dict(id=self._count, method=method, params=parameters)
        if self._session:
            message['sessionId'] = self._session
        os.write(self._write, json.dumps(message).encode() + b'\0')
        while True:
            answer = self._receive()
            if answer.get('id') == self._count:
                assert 'error' not in answer, f'{method}: {answer["error"]}'
                return answer['result']

    def evaluate(self, expression):
        """Value of an expression in the page; a promise is waited for."""
        answer = self.call(
            'Runtime.evaluate', expression=expression, awaitPromise=True, returnByValue=True
        )
        assert 'exceptionDetails' not in answer, answer['exceptionDetails']
        return answer['result'].get('value')

    def open(self, path, width=1440, height=900, dark=False):
        """Show a file at a size and in a colour scheme."""
        self.requests.clear()
        self.problems.clear()
        self.call(
            'Emulation.setDeviceMetricsOverride',
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call(
            'Emulation.setEmulatedMedia',
            features=[
                dict(name='prefers-color-scheme', value='dark' if dark else 'light'),
                dict(name='prefers-reduced-motion', value='reduce'),
            ],
        )
        self.call('Page.navigate', url=Path(path).as_uri())
        self.wait('document.readyState === "complete" && location.protocol === "file:"')

    def wait(self, condition, seconds=60):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.evaluate(f'Boolean({condition})'):
            assert time.monotonic() < end, f'still not true: {condition}'
            time.sleep(0.05)

    def screenshot(self, path, full=False):
        """Write a picture of what is shown, or of the whole page."""
        data = self.call('Page.captureScreenshot', format='png', captureBeyondViewport=full)
        with open(path, 'wb') as file:
            file.write(base64.b64decode(data['data']))

    def _receive(self):
        end = time.monotonic() + _TIMEOUT
        while b'\0' not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, end - time.monotonic()))
            assert ready, 'Chromium does not answer'
            chunk = os.read(self._read, 1 << 20)
            assert chunk, 'Chromium has ended'
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b'\0')
        message = json.loads(text)
        self._note(message.get('method'), message.get('params', {}))
        return message

    def _note(self, event, facts):
        if event == 'Network.requestWillBeSent':
            self.requests.append(facts['request']['url'])
        elif event == 'Runtime.exceptionThrown':
            self.problems.append(str(facts['exceptionDetails']))
        elif event == 'Log.entryAdded' and facts['entry']['level'] in ('error', 'warning'):
            self.problems.append(facts['entry']['text'])
        elif event == 'Runtime.consoleAPICalled' and facts['type'] in ('error', 'warning'):
            self.problems.append(str(facts['args']))
