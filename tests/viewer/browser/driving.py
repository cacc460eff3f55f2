"""A page in a browser, used by real clicks and keys."""

import time

VIEWPORT = {"width": 1280, "height": 720}
#: a picture drawn in software, and the first outline, take their time
PATIENCE = 60

#: closes the case, and takes back all that a person can change and that outlasts one
_CLEAR = """async () => {
  const { view, work, cases } = window.interactivenet;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  work.close();
  work.tool = "points";
  Object.assign(work.brush, { radius: 4, strokes: 0 });
  work.downloaded.clear();
  if (!work.display.smooth) view.smooth = true;
  Object.assign(work.display, { fill: false, hidden: false, opacity: 0.9, smooth: true });
  if (view.main) view.enlarge(0);
  cases.find.value = "";
  document.body.classList.remove("drawer");
  document.activeElement.blur();
  await work.refresh();
  work.say("");
}"""

_PIXEL = """([mm, plane]) => {
  const { x, y } = window.interactivenet.view.pixelOf(mm, plane);
  const { left, top } = document.getElementById("layers").getBoundingClientRect();
  return [x + left, y + top];
}"""


class Driven:
    """One page; what goes wrong in it without a word is found by `check`."""

    def __init__(self, page, server):
        self.page, self.server = page, server
        self.requests, self.complaints = [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._told)

    def _told(self, message):
        # the browser's own word for an answer of 4xx or 5xx, which the page puts into a sentence
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def clear(self):
        """Have the page as it was when it was loaded, without the time that this takes."""
        self.page.unroute_all(behavior="ignoreErrors")
        if self.page.viewport_size != VIEWPORT:
            self.page.set_viewport_size(VIEWPORT)
        self.page.mouse.move(0, 0)
        self.page.evaluate(_CLEAR)
        self.requests.clear()

    def start(self):
        self.page.goto(self.server.address)
        self.until("window.interactivenet && document.querySelector('.case')")

    def check(self):
        """Nothing has failed in silence, and nothing was asked of another host."""
        assert not self.complaints
        host = "/".join(self.server.address.split("/")[:4])
        assert not [url for url in self.requests if not url.startswith((host, "blob:"))]

    def value(self, expression):
        parts = "const { work, view } = window.interactivenet ?? {};"
        return self.page.evaluate(f"() => {{ {parts} return {expression}; }}")

    def until(self, expression, seconds=PATIENCE):
        """Wait until something is true in the page, and return it."""
        ending = time.monotonic() + seconds
        while time.monotonic() < ending:
            if found := self.value(expression):
                return found
            time.sleep(0.05)
        raise TimeoutError(f"{expression}; the page says: {self.says}")

    @property
    def says(self):
        return self.page.inner_text("#messages")

    @property
    def guide(self):
        return self.page.inner_text("#guide")

    def open(self, case):
        self.page.click(f".case:has-text('{case}')")
        self.until(f"work.annotation && work.entry.name === '{case}'")

    def fresh(self, kind):
        """Open a case that no test has touched, and name it."""
        case = self.server.take(kind)
        self.open(case)
        return case

    def outlined(self, kind, quality="quick"):
        """Open a case that no test has touched, and outline its object; its name and points."""
        case = self.fresh(kind)
        points = self.server.points(case)
        self.place(points)
        self.settle(quality)
        return case, points

    def pixel(self, mm, plane=0):
        """Where a place is on the screen, once its slice is shown."""
        self.page.evaluate("(mm) => window.interactivenet.view.goTo(mm)", mm)
        return self.page.evaluate(_PIXEL, [mm, plane])

    def click(self, mm, plane=0, **how):
        self.page.mouse.click(*self.pixel(mm, plane), **how)

    def place(self, points):
        """Click six points, in changing planes, and wait for what they give."""
        for number, point in enumerate(points):
            self.click(point, plane=number % 3)
        self.settle()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def settle(self, quality="quick"):
        """Wait until the outline is that of the points."""
        wanted = "work.answer && !work.outlining.wanted"
        if quality == "full":
            wanted += " && work.answer.quality === 'full' && work.outlineBusy === ''"
        else:
            wanted += " && work.answer.revision === work.outlining.revision"
        self.page.wait_for_timeout(100)
        self.until(wanted)

    @property
    def objects(self):
        return self.value("work.annotation.objects")

    @property
    def points(self):
        return self.value("work.annotation.active.points")

    def voxels(self, number=1):
        """How many voxels the n-th object's outline holds."""
        return self.value(f"work.map ? work.map.maskOf({number}).reduce((a, b) => a + b, 0) : 0")
