// Big bodies arrive whole, and bodies that broke off do not pass for whole ones.
import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { isCutOff } from "../harness/engine.mjs";
import { startDemo } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { noise, sha256 } from "../harness/noise.mjs";

const MIB = 1024 * 1024;
const DOWNLOAD = 50 * MIB;
const UPLOAD = 20 * MIB;

const demo = shared(() => startDemo());

function rate(bytes, began) {
  return `${(bytes / MIB / ((Date.now() - began) / 1000)).toFixed(1)} MiB/s`;
}

async function fileHash(path) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

scenario(
  "50 MiB through fetch have the right SHA-256",
  async (scene) => {
    const app = await (await scene.visit(demo.it.url)).app();
    const began = Date.now();
    const got = await app.evaluate(async (bytes) => {
      const response = await fetch(`/download?bytes=${bytes}`);
      const whole = new Uint8Array(bytes + 1);
      let length = 0;
      let chunks = 0;
      for (const reader = response.body.getReader(); ; ) {
        const { done, value } = await reader.read();
        if (done) break;
        whole.set(value, length);
        length += value.length;
        chunks += 1;
      }
      const digest = await crypto.subtle.digest("SHA-256", whole.subarray(0, length));
      const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      return { status: response.status, announced: response.headers.get("content-length"), length, chunks, hex };
    }, DOWNLOAD);
    scene.note(`download by fetch: ${rate(DOWNLOAD, began)}`);
    assert.equal(got.status, 200);
    assert.equal(got.length, DOWNLOAD);
    assert.ok(got.chunks > 50, "the body is streamed");
    assert.equal(got.hex, sha256(noise(DOWNLOAD)));
  },
  { timeout: 90_000 },
);

scenario(
  "50 MiB saved as a file have the right SHA-256",
  async (scene) => {
    const visit = await scene.visit(demo.it.url);
    const app = await visit.app();
    const began = Date.now();
    const starting = visit.page.waitForEvent("download");
    await app.evaluate((bytes) => {
      location.href = `/download?bytes=${bytes}&attachment=1`;
    }, DOWNLOAD);
    const download = await starting;
    assert.equal(download.suggestedFilename(), `noise-${DOWNLOAD}.bin`);
    const path = await download.path();
    scene.note(`download to a file: ${rate(DOWNLOAD, began)}`);
    assert.equal(await fileHash(path), sha256(noise(DOWNLOAD)));
    const heading = await (await visit.app("h1")).evaluate(() => document.querySelector("h1").textContent);
    assert.equal(heading, "Pull up a chair.", "the page stays where it was");
    await visit.at("/");
  },
  { timeout: 90_000 },
);

scenario(
  "20 MiB sent up have the right SHA-256",
  async (scene) => {
    const app = await (await scene.visit(demo.it.url)).app();
    const began = Date.now();
    const got = await app.evaluate(
      async ([source, bytes]) => {
        const make = new Function(`return ${source}`)();
        const response = await fetch("/upload", { method: "POST", body: new Blob([make(bytes)]) });
        return response.json();
      },
      [noise.toString(), UPLOAD],
    );
    scene.note(`upload: ${rate(UPLOAD, began)}`);
    assert.deepEqual(got, { bytes: UPLOAD, sha256: sha256(noise(UPLOAD)) });
  },
  { timeout: 90_000 },
);

for (const [kind, query] of [
  ["with a length", ""],
  ["in chunks", "&chunked=1"],
]) {
  // BRO-008, HTP-050
  scenario(`a body ${kind} that is cut off is an error in fetch`, async (scene) => {
    const app = await (await scene.visit(demo.it.url)).app();
    const got = await app.evaluate(async (target) => {
      const response = await fetch(target);
      const reader = response.body.getReader();
      let length = 0;
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return { outcome: "a clean end", status: response.status, length };
          length += value.length;
        }
      } catch (error) {
        const again = await fetch(target).then((whole) => whole.arrayBuffer()).then(() => "a clean end", (second) => second.name);
        return { outcome: error.name, again, status: response.status, length };
      }
    }, `/cut?bytes=300000${query}`);
    assert.equal(got.status, 200);
    assert.ok(isCutOff(got.outcome) && isCutOff(got.again), `${got.outcome}, ${got.again}`);
    assert.ok(got.length <= 300_000, `${got.length} bytes came`);
    // The session is none the worse for it.
    assert.equal(await app.evaluate(async () => (await fetch("/about")).status), 200);
  });
}

// BRO-008
scenario("a file that is cut off is a failed download", async (scene) => {
  const visit = await scene.visit(demo.it.url);
  const app = await visit.app();
  const starting = visit.page.waitForEvent("download");
  await app.evaluate(() => {
    const link = Object.assign(document.createElement("a"), { href: "/cut?bytes=300000", download: "cut.bin" });
    document.body.append(link);
    link.click();
  });
  const failure = await (await starting).failure();
  assert.ok(failure, "the download ended as if it were whole");
});
