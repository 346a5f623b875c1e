// Bundles test/*.test.ts to a temporary directory and runs them with node's own runner.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);
const entryPoints = readdirSync(join(root, "test"))
  .filter((name) => name.endsWith(".test.ts") && (wanted.length === 0 || wanted.some((word) => name.includes(word))))
  .map((name) => join(root, "test", name));
const outdir = mkdtempSync(join(tmpdir(), "p2claw-test-"));
try {
  await build({ entryPoints, outdir, bundle: true, platform: "node", format: "esm", target: "node20", sourcemap: "inline", outExtension: { ".js": ".mjs" } });
  const files = readdirSync(outdir).filter((name) => name.endsWith(".mjs")).map((name) => join(outdir, name));
  const run = spawnSync(process.execPath, ["--enable-source-maps", "--test", "--test-timeout=60000", ...files], { stdio: "inherit" });
  process.exitCode = run.status ?? 1;
} finally {
  rmSync(outdir, { recursive: true, force: true });
}
