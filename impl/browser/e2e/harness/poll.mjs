// Waiting for conditions, never for time to pass.
import { setTimeout as sleep } from "node:timers/promises";

const EVERY_MS = 50;

/**
 * Calls `probe` until it returns something true, and returns that.
 * An error of the probe counts as "not yet"; the last one is told when time is up.
 */
export async function until(what, probe, { timeout = 25_000, every = EVERY_MS } = {}) {
  const deadline = Date.now() + timeout;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      const why = last ? `; last error: ${last.message}` : "";
      throw new Error(`waited ${timeout} ms in vain for ${what}${why}`);
    }
    await sleep(every);
  }
}

/** Rejects when `work` takes longer than `timeout`. */
export async function within(what, timeout, work) {
  const timer = new AbortController();
  const late = sleep(timeout, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${what} took longer than ${timeout} ms`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}
