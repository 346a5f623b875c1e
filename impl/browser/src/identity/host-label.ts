/** Host labels: `<app>-<alias>`, read from the right (NAM-013; vectors settle the edges). */
import { RESERVED } from "./reserved.ts";

export interface HostLabel {
  app: string;
  alias: string;
}

const APP = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
const VANITY = /^(?=.*[a-z])[a-z0-9]{3,30}$/;
const HAIKU = /^[a-z]{3,10}-[a-z]{3,10}-\d{4}$/;

/** The app and the alias that `host` (a name, perhaps with a port) stands for; `undefined` where none. */
export function parseHost(host: string): HostLabel | undefined {
  return parseHostLabel(host.split(".")[0] ?? "");
}

export function parseHostLabel(label: string): HostLabel | undefined {
  if (label.length > 63) return undefined;
  const groups = label.split("-");
  const haiku = /^\d{4}$/.test(groups.at(-1) ?? "") && groups.length >= 4;
  const split = groups.length - (haiku ? 3 : 1);
  const app = groups.slice(0, split).join("-");
  const alias = groups.slice(split).join("-");
  if (!(haiku ? HAIKU : VANITY).test(alias) || alias.length > 30) return undefined;
  if (!APP.test(app) || app.slice(2, 4) === "--" || RESERVED.has(app)) return undefined;
  return { app, alias };
}
