// Mouse, pen and fingers over the three planes.

const STILL = 4; // pixels that a click may move
const SLIDE = 60; // pixels that fingers slide on a touch pad for one slice
const NOTCH = 100; // pixels that browsers take for a wheel's notch, about

/** What a click does now: `work` is the Workplace. */
export function listen(svg, view, work) {
  let drag = null;
  let turned = 0;
  const fingers = new Map();

  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  const mark = (event) => {
    const found = event.target.closest?.("[data-kind]");
    if (!found) return null;
    const { object: id, kind, index } = found.dataset;
    return { id, kind, index: Number(index) };
  };

  svg.addEventListener("contextmenu", (event) => event.preventDefault());

  svg.addEventListener("pointerdown", (event) => {
    if (!work.isOpen) return;
    svg.focus({ preventScroll: true });
    const [x, y] = place(event);
    fingers.set(event.pointerId, [x, y]);
    const plane = view.planeAt(x, y);
    if (plane === null) return;
    event.preventDefault();
    svg.setPointerCapture(event.pointerId);
    if (fingers.size === 2) {
      letGo(drag);
      drag = { kind: "pinch", apart: spread(fingers), plane };
      work.brush.stroke(null);
      return;
    }
    drag = { kind: "click", x, y, plane, button: event.button, mark: mark(event), from: [x, y] };
    drag.opposite = event.button === 2 || event.altKey;
    drag.only = event.shiftKey;
    const painting = work.brush.isOn && event.button === 0 && !drag.only;
    if (painting) {
      const mm = view.mmAt(x, y);
      drag.kind = "stroke";
      drag.places = mm ? [mm] : [];
      drag.slice = view.slice(plane).index;
      work.brush.stroke({ plane, places: drag.places, erase: work.brush.erases(event.altKey) });
    }
  });

  svg.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    if (!work.isOpen) return;
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, [x, y]);
    const erase = work.brush.erases(event.altKey);
    if (work.brush.isOn) work.brush.hover({ plane: view.planeAt(x, y), x, y, erase });
    if (!drag) return;
    if (drag.kind === "click") begin(drag, x, y);
    const [dx, dy] = [x - drag.x, y - drag.y];
    if (drag.kind === "click") return;
    [drag.x, drag.y] = [x, y];
    const mm = view.planeAt(x, y) === drag.plane ? view.mmAt(x, y) : null;
    if (drag.kind === "stroke" && mm) {
      drag.places.push(mm);
      work.brush.stroke({ plane: drag.plane, places: drag.places, erase });
    } else if (drag.kind === "mark" && mm) work.selection.drag(drag.mark, mm);
    else if (drag.kind === "cross" && mm) view.goTo(mm);
    else if (drag.kind === "pan") view.pan(drag.plane, dx, dy);
    else if (drag.kind === "window") work.display.shift(dx, dy);
    else if (drag.kind === "pinch" && fingers.size === 2) {
      const apart = spread(fingers);
      view.zoom(apart / drag.apart);
      drag.apart = apart;
    }
  });

  // from a click to a drag, once it has moved
  function begin(click, x, y) {
    if (Math.hypot(x - click.from[0], y - click.from[1]) <= STILL) return;
    if (click.button === 1) click.kind = "pan";
    else if (click.button === 2) click.kind = "window";
    else if (click.mark && !click.only) click.kind = "mark";
    else if (work.tool === "look" || click.only) click.kind = "cross";
    else click.kind = "pan";
  }

  // a point stays where a drag that ends otherwise has brought it
  const letGo = (broken) => broken?.kind === "mark" && work.selection.drop();

  const end = (event) => {
    fingers.delete(event.pointerId);
    const done = drag;
    drag = null;
    if (!done || event.type === "pointercancel") {
      work.brush.stroke(null);
      letGo(done);
      return;
    }
    if (done.kind === "stroke") {
      work.brush.paint(done, work.brush.erases(event.altKey));
    }
    else if (done.kind === "mark") work.selection.drop();
    else if (done.kind === "click" && done.button !== 1) click(done);
  };
  svg.addEventListener("pointerup", end);
  svg.addEventListener("pointercancel", end);
  svg.addEventListener("pointerleave", () => work.brush.hover(null));

  function click(done) {
    const mm = view.mmAt(...done.from);
    const correcting = work.tool === "add" || work.tool === "remove";
    // a point of another object is no reason not to place one of this
    const inTheWay = done.mark && work.isPlacing && done.mark.id !== work.annotation.active.id;
    const isMark = done.mark && !inTheWay && !correcting && !done.opposite && !done.only;
    if (isMark) work.selection.select(done.mark);
    else if (!mm) work.say("There is no scan at this place.");
    else if (done.only || work.tool === "look") {
      work.selection.select(null);
      view.goTo(mm);
    } else work.click(mm, { opposite: done.opposite });
  }

  svg.addEventListener("wheel", (event) => {
    if (!work.isOpen) return;
    event.preventDefault();
    const plane = view.planeAt(...place(event));
    if (plane === null) return;
    if (event.ctrlKey) {
      view.zoom(Math.exp(-event.deltaY / 400));
      return;
    }
    const slices = notches(event) || slid(event.deltaY);
    if (slices) work.scroll(plane, -slices);
  }, { passive: false });

  // a touch pad slides by little steps, which add up
  function slid(pixels) {
    turned += pixels;
    const slices = Math.trunc(turned / SLIDE);
    turned -= slices * SLIDE;
    return slices;
  }
}

/** How many notches a wheel was turned, each a slice; 0 for a touch pad. */
function notches({ deltaY, deltaMode }) {
  if (!deltaY) return 0;
  if (deltaMode) return Math.sign(deltaY); // lines or pages: browsers differ in how many
  if (Math.abs(deltaY) < NOTCH / 2) return 0;
  return Math.sign(deltaY) * Math.max(1, Math.round(Math.abs(deltaY) / NOTCH));
}

function spread(fingers) {
  const [[x1, y1], [x2, y2]] = [...fingers.values()];
  return Math.max(1, Math.hypot(x1 - x2, y1 - y2));
}
