// The scan that is shown once more: with another model, or where the server has closed it.

import * as server from "./server.js";

const CHANGED = "The scan is no longer the one that is shown: its files have changed. "
  + "Nothing can be outlined or saved here any more: open another case, and then this one again.";

/** Go on in a new session of the scan that is shown, and with its annotation. */
export async function goOn(work, model) {
  const { outlining } = work;
  const again = await openAgain(work.entry, model, work.opened);
  if (work.outlining !== outlining) {
    again.session.close(); // another case is open now
    return;
  }
  Object.assign(work, again, { model });
  outlining.goOnIn(work.session);
}

/** shown: what was opened before, which must be the same scan. Gives {opened, session, entry}. */
async function openAgain(entry, model, shown) {
  const [opened, found] = await opening(entry, model);
  const session = new server.Session(opened.session);
  if (opened.scan !== shown.scan) {
    session.close();
    throw new Error(CHANGED);
  }
  return { opened, session, entry: found };
}

async function opening(entry, model) {
  try {
    return [await server.open(entry.id, model), entry];
  } catch (error) {
    if (error.status !== 400) throw error;
    // a server that was started anew has other ids
    const named = (await server.cases()).filter(({ name }) => name === entry.name);
    if (named.length !== 1 || named[0].id === entry.id) throw error;
    return [await server.open(named[0].id, model), named[0]];
  }
}
