/** Pages of the client's own that stand in the place of the app's. */
import { PASSING } from "../port/messages.ts";

declare const SHIM_SOURCE: string;

/** The shim as it stands in documents; its hash covers what is between the tags. */
export const shimElement = `<script>${SHIM_SOURCE}</script>`;

const escape = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

const STYLE = "body{margin:0;padding:12vh 1.5rem;font:17px/1.55 system-ui,sans-serif;color:CanvasText;background:Canvas}main{max-width:36rem;margin:auto}small{opacity:.6}";

function page(attribute: string, title: string, texts: readonly string[], small = "", link?: { href: string; text: string }): string {
  const parts = texts.map((text) => `<p>${escape(text)}</p>`);
  if (link) parts.push(`<p><a href="${escape(link.href)}">${escape(link.text)}</a></p>`);
  if (small !== "") parts.push(`<p><small>${escape(small)}</small></p>`);
  return `<!doctype html><html lang="en" ${attribute}><head>${shimElement}<meta charset="utf-8"><title>${escape(title)}</title><style>${STYLE}</style>`
    + `</head><body><main><h1>${escape(title)}</h1>${parts.join("")}</main></body></html>`;
}

/** For a document that could not be loaded; the shell loads it again where that can help. */
export function brokenPage(code: string, reason: string): string {
  const [what, next] = PASSING.has(code)
    ? ["The connection to the machine behind this address is interrupted.", "The page is loaded again as soon as the connection is back."]
    : ["The app’s answer cannot be shown.", "Go back, or reload the page to try again. If that does not help, tell the owner of the app."];
  return page(`data-p2claw-broken="${escape(code)}"`, "This page could not be loaded", [what, next], `${code}: ${reason}`);
}

/** For a form that was sent to the whole tab. */
export function notSentPage(): string {
  return page("", "The form was not sent", [
    "A form, or another site that sends one, wanted to hand data over to this app in a way that does not reach it.",
    "Nothing was sent. You can open the app and enter the data there.",
  ], "NOT_TUNNELLED", { href: "/", text: "Open the app" });
}

/** Leads the whole tab to another site, which may not allow to be framed. */
export function leavingPage(url: string): string {
  return page(`data-p2claw-leave="${escape(url)}"`, "Leaving", [`On the way to ${url}`]);
}
