// Saving what is outlined, and going on to the next case.

import { complete } from "./annotation.js";
import { sentence } from "./dom.js";
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
      const saved = await session.save({ revision, over: work.over });
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
    const { blob, name } = await work.outlining.settled(async (session, revision) => {
      const { state } = annotation;
      const packed = await session.download(revision);
      annotation.saved = state;
      return packed;
    });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    work.downloaded.add(entry.id);
    messages.say([`Downloaded: ${name}.`, ...partial].join(" "), partial.length ? "warning" : "note");
    return true;
  } catch (error) {
    messages.complain(error);
    return false;
  } finally {
    messages.wait("");
    work.changed();
  }
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
