/** Host labels: `<app>-<alias>`, read from the right (NAM-013; vectors settle the edges). */
import { Limit } from "../codec/registry.ts";
import { RESERVED } from "./reserved.ts";

export interface HostLabel {
  app: string;
  alias: string;
}

const APP = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const VANITY = new RegExp(`^(?=.*[a-z])[a-z0-9]{${Limit.VANITY_MIN},${Limit.ALIAS_MAX}}$`);
const WORD = `[a-z]{${Limit.ALIAS_WORD_MIN},${Limit.ALIAS_WORD_MAX}}`;
const NUMBER = `\\d{${Limit.ALIAS_DIGITS}}`;
const HAIKU = new RegExp(`^${WORD}-${WORD}-${NUMBER}$`);
const LAST_GROUP = new RegExp(`^${NUMBER}$`);

/** The app and the alias that `host` (a name, perhaps with a port) stands for; `undefined` where none. */
export function parseHost(host: string): HostLabel | undefined {
  return parseHostLabel(host.split(".")[0] ?? "");
}

export function parseHostLabel(label: string): HostLabel | undefined {
  if (label.length > Limit.HOST_LABEL_MAX) return undefined;
  const groups = label.split("-");
  const haiku = LAST_GROUP.test(groups.at(-1) ?? "") && groups.length > Limit.HAIKU_GROUPS;
  const split = groups.length - (haiku ? Limit.HAIKU_GROUPS : 1);
  const app = groups.slice(0, split).join("-");
  const alias = groups.slice(split).join("-");
  if (!(haiku ? HAIKU : VANITY).test(alias) || alias.length > Limit.ALIAS_MAX) return undefined;
  if (app.length > Limit.APP_NAME_MAX || !APP.test(app) || app.slice(2, 4) === "--" || RESERVED.has(app)) return undefined;
  return { app, alias };
}
