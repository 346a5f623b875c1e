/** Pages of the client's own that stand inside of the app's frame. */

declare const SHIM_SOURCE: string;

/** The shim as it stands in documents; its hash covers what is between the tags. */
export const shimElement = `<script>${SHIM_SOURCE}</script>`;

const escape = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

function page(attribute: string, title: string, text: string): string {
  return `<!doctype html><html lang="en" ${attribute}><head>${shimElement}<meta charset="utf-8"><title>${escape(title)}</title>`
    + `<style>body{margin:0;padding:12vh 1.5rem;font:17px/1.55 system-ui,sans-serif;color:CanvasText;background:Canvas}main{max-width:36rem;margin:auto}</style>`
    + `</head><body><main><h1>${escape(title)}</h1><p>${escape(text)}</p></main></body></html>`;
}

/** For a document that could not be loaded; the shell loads it again once there is a connection. */
export function brokenPage(code: string, reason: string): string {
  return page(`data-p2claw-broken="${escape(code)}"`, "This page could not be loaded", `The app did not answer: ${reason}. It is loaded again as soon as there is a connection.`);
}

/** Leads the whole tab to another site, which may not allow to be framed. */
export function leavingPage(url: string): string {
  return page(`data-p2claw-leave="${escape(url)}"`, "Leaving", `On the way to ${url}`);
}
