// Keeps the server's outline up to date with the annotation: one question at a time, the newest.

import { complete } from "./annotation.js";
import { LabelMap, maskOfRuns } from "./label_map.js";
import * as server from "./server.js";

/** so long nothing may change before all networks are asked, ms */
const QUIET = 700;
/** so often something is tried that a later state has overtaken */
const TRIES = 4;

const marks = (object) => JSON.stringify([object.label, object.points, object.corrections]);

export class Outlining {
  /**
   * state: gives the objects as they are now. grid: gives {strides, shape} of the scan.
   * told: called with {busy}, {answer, map} or {error}.
   */
  constructor(session, { state, grid, told }) {
    Object.assign(this, { session, state, grid, told });
    this.revision = 0;
    this.brushed = new Map(); // what the server has of our brush: id -> {key, marks}
    this.map = null;
    this.had = null; // the objects that the server has: what it would save
  }

  /** Another session of the same scan: it knows nothing yet. */
  goOnIn(session) {
    this.session = session;
    this.had = null;
    this.brushed.clear();
    this.request();
  }

  close() {
    this.closed = true;
    clearTimeout(this.waiting);
  }

  /** Something has changed. */
  request() {
    clearTimeout(this.waiting);
    this.wanted = "quick";
    return this.#start();
  }

  /**
   * Do something with what the server has, once that is what is shown; again if it changes.
   * action: is given the session and the revision. Where the server cannot be given what is shown,
   * its reason is thrown: what it has of before must not pass for it.
   */
  async settled(action) {
    for (let left = TRIES; ; left--) {
      clearTimeout(this.waiting); // what is refined meanwhile would be a later state
      while (this.running) await this.running;
      if (this.had !== this.state()) await this.request();
      if (this.had === this.state()) await this.#refined();
      if (this.closed) throw new Error("The case was left before that.");
      if (this.had !== this.state() && (this.failure || !left)) {
        throw this.failure ?? new Error("The outline has changed meanwhile.");
      }
      if (this.had !== this.state()) continue;
      try {
        return await action(this.session, this.revision);
      } catch (error) {
        if (!left || (error.status !== 409 && error.status !== 404)) throw error;
        this.had = null; // that is sent again
        if (error.status === 404) await this.told({ error });
      } finally {
        if (this.map && this.quality === "quick") this.#later();
      }
    }
  }

  // what is shown is then what a file will hold, and no later state comes meanwhile
  async #refined() {
    clearTimeout(this.waiting);
    if (!this.map || this.quality !== "quick" || this.closed) return;
    this.wanted = "full";
    this.#start();
    while (this.running) await this.running;
    clearTimeout(this.waiting);
  }

  /** Ask for what is wanted, one question at a time, until nothing is. */
  #start() {
    this.running ??= this.#run().finally(() => {
      this.running = null;
      if (this.wanted && !this.closed) this.#start();
    });
    return this.running;
  }

  async #run() {
    await null; // `running` is known before anybody is told
    while (this.wanted && !this.closed) {
      const quality = this.wanted;
      this.wanted = null;
      const objects = this.state();
      this.failure = null;
      this.told({ busy: objects.some(complete) ? quality : "points" });
      try {
        const answer = await this.#asked(objects, quality);
        if (this.closed) return;
        this.had = objects;
        if (this.wanted) continue; // already something newer
        this.map = answer.outline ? await this.#read(answer.outline) : null;
        if (this.closed) return;
        this.quality = answer.quality;
        this.told({ answer, map: this.map });
        if (quality === "quick" && answer.outline && !this.wanted) this.#later();
      } catch (error) {
        if (this.closed) return;
        this.had = null;
        if (error.status === 409) this.wanted ??= "quick"; // another page of this session
        else {
          this.failure = error;
          await this.told({ error }); // which may open the scan again
        }
        if (error.status === 503) this.#later((error.retryAfter || 5) * 1000, "quick");
      }
    }
    if (!this.closed) this.told({ busy: "" });
  }

  #later(ms = QUIET, quality = "full") {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      this.wanted = quality;
      this.#start();
    }, ms);
  }

  async #read(url) {
    const { strides, shape } = this.grid();
    return LabelMap.read(await server.outline(url), strides, shape);
  }

  async #asked(objects, quality) {
    const sent = objects.map(({ id, label, points, corrections }) => ({
      id, label, points, corrections,
    }));
    const put = (list) => this.session.outline(list, quality, ++this.revision);
    // a brush's work that was undone: the object goes, and comes again from its points
    const undone = objects.filter((each) => {
      const there = this.brushed.get(each.id);
      return there && !each.brush && there.marks === marks(each);
    });
    if (undone.length) await put(sent.filter((each) => !undone.some(({ id }) => id === each.id)));
    let answer = await put(sent);
    for (const [id, there] of this.brushed) {
      const object = objects.find((each) => each.id === id);
      if (!object?.brush || there.marks !== marks(object)) this.brushed.delete(id);
    }
    // in the order in which they were painted: what is later covers what was there
    const painted = objects.filter((each) => each.brush);
    painted.sort((one, other) => one.brush.key - other.brush.key);
    const first = painted.findIndex(({ id, brush }) => this.brushed.get(id)?.key !== brush.key);
    if (first < 0) return answer;
    const map = this.map ?? (await this.#read(answer.outline));
    for (const object of painted.slice(first)) {
      const file = map.file(maskOfRuns(object.brush.runs, map.data.length));
      answer = await this.session.brush(object.id, file, ++this.revision);
      this.brushed.set(object.id, { key: object.brush.key, marks: marks(object) });
    }
    return answer;
  }
}
