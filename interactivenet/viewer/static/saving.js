// Saving what is outlined, and going on to the next case.

import { complete } from "./annotation.js";
import * as messages from "./messages.js";

/** Save to the task or the folder, or as a download; true if it worked. */
export async function save(work, to) {
  if (!work.isOpen) return false;
  if (to === "download") return download(work);
  if (!outlined(work)) return false;
  const state = work.annotation.state;
  messages.wait("Saving …");
  try {
    await work.outlining.settled();
    const { files, notes } = await work.session.save(to);
    if (work.annotation) work.annotation.saved = state;
    if (work.entry) work.entry.status = "outlined";
    messages.say([`Saved: ${files.join(", ")}.`, ...notes].join(" "), notes.length ? "warning" : "note");
    return true;
  } catch (error) {
    messages.complain(error, { name: "Try again", run: () => save(work, to) });
    return false;
  } finally {
    messages.wait("");
    work.changed();
  }
}

export async function download(work) {
  if (!work.isOpen || !outlined(work)) return false;
  const state = work.annotation.state;
  messages.wait("Packing …");
  try {
    await work.outlining.settled();
    const { blob, name } = await work.session.download();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    if (work.annotation) work.annotation.saved = state;
    messages.say(`Downloaded: ${name}.`);
    return true;
  } catch (error) {
    messages.complain(error);
    return false;
  } finally {
    messages.wait("");
    work.changed();
  }
}

function outlined(work) {
  const { objects } = work.annotation;
  if (!objects.some(complete)) {
    messages.say("There is nothing to save yet: no object has its six points.", "warning");
    return false;
  }
  const partial = objects.filter((each) => each.points.length && !complete(each));
  if (partial.length) {
    messages.say("An object without six points has no outline, and will not be in it.", "warning");
  }
  return true;
}
