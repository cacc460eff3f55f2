// Saving what is outlined, and going on to the next case.

import { complete } from "./annotation.js";
import { element, sentence } from "./dom.js";
import * as messages from "./messages.js";

/** Save to the case's task, the folder, or as a download; true if it worked. */
export async function save(work) {
  if (!work.isOpen) return false;
  if (work.opened.saves_to === "download") return download(work);
  const partial = unfinished(work);
  if (!partial) return false;
  const { annotation, entry } = work;
  messages.wait("Saving …");
  try {
    const { files, notes } = await work.outlining.settled(async (session, revision) => {
      const { state } = annotation;
      const saved = await session.save({ revision, over: work.over, formats: formatsFor(work, "save") });
      if (work.annotation === annotation) work.over = saved.over;
      annotation.saved = state;
      return saved;
    });
    entry.status = "outlined";
    const told = [...partial, ...notes.map(sentence)];
    const sentences = [`Saved to ${folderOf(files)}.`, ...told];
    messages.say(sentences.join(" "), told.length ? "warning" : "note", null, files.join("\n"));
    return true;
  } catch (error) {
    const again = { name: "Try again", run: () => save(work) };
    messages.complain(error, work.annotation === annotation ? again : null);
    return false;
  } finally {
    messages.wait("");
    work.changed();
  }
}

/** The folder that all files are in. */
function folderOf(files) {
  const [first, ...others] = files.map((path) => path.split(/[\\/]/).slice(0, -1));
  const ends = first.findIndex((part, at) => others.some((other) => other[at] !== part));
  const folder = first.slice(0, ends < 0 ? first.length : ends);
  return folder.join("/") || (files[0].startsWith("/") ? "/" : "the folder of the server");
}

export async function download(work) {
  const partial = work.isOpen ? unfinished(work) : null;
  if (!partial) return false;
  const { annotation, entry } = work;
  messages.wait("Packing …");
  try {
    const { blob, name, notes } = await work.outlining.settled(async (session, revision) => {
      const { state } = annotation;
      const packed = await session.download(revision, formatsFor(work, "download"));
      annotation.saved = state;
      return packed;
    });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    work.downloaded.add(entry.id);
    const told = [...partial, ...notes.map(sentence)];
    messages.say([`Downloaded: ${name}.`, ...told].join(" "), told.length ? "warning" : "note");
    return true;
  } catch (error) {
    messages.complain(error);
    return false;
  } finally {
    messages.wait("");
    work.changed();
  }
}

/** What other formats a case is written in: chosen once, for all cases that can be. */
export class Formats {
  constructor(place) {
    this.place = place;
    this.boxes = new Map();
  }

  /** The formats that are chosen, of those that the open case can be written in. */
  get chosen() {
    return [...this.boxes].filter(([, box]) => box.checked && !box.disabled).map(([name]) => name);
  }

  show(work) {
    const offered = work.opened?.exports ?? [];
    this.place.hidden = !offered.length;
    for (const { format, name } of offered) {
      if (this.boxes.has(format)) continue;
      const box = element("input", { type: "checkbox", name: format });
      this.boxes.set(format, box);
      this.place.append(element("label", {}, box, name));
    }
    const known = new Set(offered.map(({ format }) => format));
    for (const [format, box] of this.boxes) box.disabled = !known.has(format);
    const verb = work.opened?.saves_to === "task" ? "Download" : "Save";
    this.place.querySelector("legend").textContent = `${verb} also as`;
  }
}

/** The formats that are chosen; a raw task takes none of them. */
function formatsFor({ formats, opened }, way) {
  return way === "save" && opened.saves_to === "task" ? [] : formats?.chosen ?? [];
}

/** What is to be said of objects that will not be saved, in sentences; null where none will be. */
function unfinished({ annotation: { objects } }) {
  if (!objects.some(complete)) {
    messages.say("There is nothing to save yet: no object has its six points.", "warning");
    return null;
  }
  const partial = objects.some((each) => each.points.length && !complete(each));
  return partial ? ["An object without six points has no outline, and is not in it."] : [];
}
