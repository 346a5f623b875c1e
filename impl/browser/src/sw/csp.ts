/**
 * Content security policies of the app, changed in two ways only (BRO-012): the app's own origin joins
 * `frame-ancestors`, because the app runs in a frame of the shell, and the shim's hash the scripts that
 * may run.
 */

/** Changes a field value of one or more policies. */
export function amendCsp(value: string, hash: string): string {
  return value
    .split(",")
    .map((policy) => amendPolicy(policy, `'sha256-${hash}'`))
    .filter((policy) => policy !== "")
    .join(", ");
}

function amendPolicy(policy: string, source: string): string {
  const directives: string[][] = [];
  for (const text of policy.split(";")) {
    const words = text.trim().split(/\s+/);
    const name = words[0]?.toLowerCase() ?? "";
    // Of two directives of one name the first one holds.
    if (name === "" || directives.some(([other]) => other === name)) continue;
    directives.push([name, ...(name === "frame-ancestors" ? withSelf(words.slice(1)) : words.slice(1))]);
  }
  const find = (name: string): string[] | undefined => directives.find(([other]) => other === name);
  const scripts = find("script-src-elem") ?? find("script-src");
  const fallback = find("default-src");
  if (scripts) {
    const sources = allow(scripts.slice(1), source);
    scripts.splice(1, scripts.length, ...sources);
  } else if (fallback) {
    const sources = fallback.slice(1);
    const allowed = allow(sources, source);
    if (allowed !== sources) directives.push(["script-src", ...allowed]);
  }
  return directives.map((directive) => directive.join(" ")).join("; ");
}

/** The ancestors with the shell among them; in all else as narrow as before. */
function withSelf(sources: string[]): string[] {
  if (sources.some((one) => one === "*" || one.toLowerCase() === "'self'")) return sources;
  return [...sources.filter((one) => one.toLowerCase() !== "'none'"), "'self'"];
}

/** The sources with one more; the same array where inline scripts run already. */
function allow(sources: string[], source: string): string[] {
  const lower = sources.map((one) => one.toLowerCase());
  const strict = lower.some((one) => /^'(nonce-|sha(256|384|512)-)/.test(one) || one === "'strict-dynamic'");
  // Beside a hash, 'unsafe-inline' would no longer hold for the app's own scripts.
  if (lower.includes("'unsafe-inline'") && !strict) return sources;
  return [...sources.filter((one) => one.toLowerCase() !== "'none'"), source];
}
