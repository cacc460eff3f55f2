// Puts the page together.

import { DisplayPanel, makePlanes, makeTools, options } from "./panels.js";
import { byId, element, hasWebGL2 } from "./dom.js";
import { showGuide } from "./guide.js";
import * as keyboard from "./keyboard.js";
import { Layers } from "./layers.js";
import * as messages from "./messages.js";
import { showNotes, showObjects } from "./objects_panel.js";
import * as pointer from "./pointer.js";
import { download, Formats, save } from "./saving.js";
import { PLANES, ScanView } from "./scan_view.js";
import * as server from "./server.js";
import { Workplace } from "./workplace.js";
import { CaseList } from "./worklist.js";

const SAVES = { task: "Save to the task", folder: "Save", download: "Save as a download" };

async function start() {
  if (!hasWebGL2()) {
    messages.welcome(
      "This browser cannot draw scans",
      "The page needs WebGL 2, which is switched off here or is not supported. "
      + "Switch on hardware acceleration in the browser's settings, "
      + "or open this address in a current Chrome, Edge, Firefox or Safari.",
      "3D Slicer can be used instead: the server printed an address for it.",
    );
    return;
  }
  messages.wait("Starting …");
  let layers = null;
  let work = null;
  const drawLayers = () => work && layers.draw({
    annotation: work.annotation, map: work.map, display: work.display, selected: work.selection.mark,
    stroke: work.brush.stroking, brush: work.brush.hovering,
  });
  let showPlanes = () => {};
  const view = new ScanView(byId("canvas"), () => {
    if (!work?.annotation) return;
    drawLayers();
    showPlanes();
  });
  await view.start();
  layers = new Layers(byId("layers"), view);

  const cases = new CaseList((entry) => openCase(entry));
  const parts = [];
  let waiting = false;
  work = new Workplace(view, (what) => {
    if (what === "layers") {
      drawLayers();
      return;
    }
    if (waiting) return;
    waiting = true; // many changes, one picture
    requestAnimationFrame(() => {
      waiting = false;
      parts.forEach((show) => show());
    });
  });
  const panel = new DisplayPanel(byId("display"), work);
  work.formats = new Formats(byId("formats"));
  const showTools = makeTools(work);
  showPlanes = makePlanes(work, PLANES);
  const model = byId("model");
  const state = await server.state();
  options(model, state.models.map(({ name }) => [name, name]), state.models[0]?.name);
  model.title = state.models.map(({ name, title }) => (title ? `${name}: ${title}` : name)).join("\n");

  parts.push(
    () => (work.annotation && view.isOpen ? drawLayers() : byId("layers").replaceChildren()),
    showTools, showPlanes, () => panel.show(), () => work.formats.show(work),
    () => showGuide(byId("guide"), work),
    () => showObjects(byId("objects"), work), () => showNotes(byId("notes"), work),
    showHeader,
  );

  function showHeader() {
    const { annotation } = work;
    document.querySelector("#case-name .name").textContent = work.entry?.name ?? "";
    document.querySelector("#case-name .unsaved").hidden = !annotation?.unsaved;
    document.querySelector("#case-name .saved").hidden = !annotation?.isSaved;
    const savesTo = (annotation ? work.opened : state).saves_to; // a task's case: into that
    byId("save").textContent = SAVES[savesTo] ?? "Save";
    byId("download").hidden = savesTo === "download"; // "Save" is the same
    byId("undo").disabled = !annotation?.before.length;
    byId("redo").disabled = !annotation?.after.length;
    for (const id of ["save", "download", "new-object"]) byId(id).disabled = !annotation;
    byId("next").disabled = !cases.after(work.entry?.id);
    document.body.classList.toggle("without-case", !work.isOpen);
    document.title = work.entry ? `${work.entry.name} – InteractiveNet` : "InteractiveNet";
    const names = work.opened?.labels ?? [];
    byId("label-names").replaceChildren(...names.map(({ name }) => element("option", { value: name })));
  }

  async function refresh() {
    cases.fill(await server.cases(), work.entry?.id, work.downloaded);
    showHeader();
  }

  async function openCase(entry) {
    closeDrawer();
    if (entry.problem) {
      messages.say(`${entry.name}: ${entry.problem}`, "error");
      return;
    }
    if (work.entry?.id === entry.id) return;
    if (await work.open(entry, model.value)) {
      showHeader(); // what is not shown cannot have the focus
      byId("layers").focus({ preventScroll: true });
    }
    await refresh().catch(messages.complain);
  }

  Object.assign(work, {
    refresh,
    openCase,
    async save() {
      const done = await save(work);
      await refresh().catch(messages.complain);
      return done;
    },
    async download() {
      const done = await download(work);
      if (done) await refresh().catch(messages.complain);
      return done;
    },
    next() {
      const entry = cases.after(work.entry?.id);
      if (entry) return openCase(entry);
      return messages.say("All cases are outlined.");
    },
    toCases() {
      openDrawer();
      cases.focus();
    },
    help() {
      const dialog = byId("help");
      keyboard.fillHelp(dialog);
      dialog.showModal();
    },
  });

  model.addEventListener("change", async () => {
    if (!work.entry) return;
    if (!(await work.reopen(model.value))) model.value = work.model;
  });
  byId("undo").addEventListener("click", () => work.undo());
  byId("redo").addEventListener("click", () => work.redo());
  byId("save").addEventListener("click", () => work.save());
  byId("download").addEventListener("click", () => work.download());
  byId("next").addEventListener("click", () => work.next());
  byId("new-object").addEventListener("click", () => work.addObject());
  byId("help-button").addEventListener("click", () => work.help());
  byId("cases-button").addEventListener("click", () =>
    (document.body.classList.contains("drawer") ? closeDrawer() : openDrawer()));
  byId("upload").hidden = !state.uploads;
  byId("files").addEventListener("change", (event) => addScans(event.target));

  async function addScans(input) {
    if (!input.files.length) return;
    messages.wait("Sending …");
    try {
      const { cases: added } = await server.upload(input.files);
      await refresh();
      const usable = added.filter(({ problem }) => !problem);
      messages.wait("");
      if (usable.length) await openCase(usable[0]);
      if (added.length > 1 && (work.isOpen || !usable.length)) {
        messages.say(`Added: ${added.map(({ name }) => name).join(", ")}.`);
      }
    } catch (error) {
      messages.complain(error);
    }
    messages.wait("");
    input.value = "";
  }

  pointer.listen(byId("layers"), view, work);
  keyboard.listen(work);
  window.addEventListener("beforeunload", (event) => {
    if (work.annotation?.unsaved) event.preventDefault();
  });
  window.addEventListener("pagehide", () => work.session?.close());
  window.addEventListener("pageshow", (event) => event.persisted && location.reload());
  // for tests, and for whoever looks: where things are
  window.interactivenet = { view, work, cases };
  await refresh();
  messages.wait("");
  messages.welcome("Choose a case",
    cases.entries.length ? "The list on the left has all of them." : "There are none yet.",
    "Then click six points just inside the edge of an object: the outline comes by itself. "
    + "Press ? for all keys.");
  messages.say("");
  work.changed();
}

function openDrawer() {
  document.body.classList.add("drawer");
  byId("cases-button").setAttribute("aria-expanded", "true");
}

function closeDrawer() {
  document.body.classList.remove("drawer");
  byId("cases-button").setAttribute("aria-expanded", "false");
}

start().catch((error) => {
  console.error(error);
  messages.wait("");
  messages.welcome("The page could not start", error.message);
  messages.complain(error, { name: "Try again", run: () => location.reload() });
});
